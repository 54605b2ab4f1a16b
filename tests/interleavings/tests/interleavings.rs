//! Every question, in many orders: half of them at random, half by changing who goes first at a few
//! places, which finds what random orders seldom meet (Burckhardt et al., *A Randomized Scheduler
//! with Probabilistic Guarantees of Finding Bugs*, 2010).
//!
//! `INTERLEAVINGS=100000 cargo test -p interleavings` asks longer.

fn ask(question: fn()) {
    let times = std::env::var("INTERLEAVINGS").ok().and_then(|times| times.parse().ok());
    let times: usize = times.unwrap_or(4_000);
    shuttle::check_random(question, times / 2);
    shuttle::check_pct(question, times / 2, 3);
}

#[test]
fn what_is_delivered_arrives() {
    ask(interleavings::what_is_delivered_arrives);
}

#[test]
fn whoever_waits_for_room_gets_it() {
    ask(interleavings::whoever_waits_for_room_gets_it);
}

#[test]
fn nobody_waits_for_a_connection_that_is_gone() {
    ask(interleavings::nobody_waits_for_a_connection_that_is_gone);
}

#[test]
fn the_reader_hears_that_it_is_too_slow() {
    ask(interleavings::the_reader_hears_that_it_is_too_slow);
}

#[test]
fn whoever_has_joined_gets_everything() {
    ask(interleavings::whoever_has_joined_gets_everything);
}

/// A checker that finds nothing proves nothing: a waker that is looked up before the message is
/// there must be caught.
#[test]
#[should_panic(expected = "deadlock")]
fn a_wake_up_that_is_lost_is_noticed() {
    ask(interleavings::a_careless_queue_oversleeps);
}
