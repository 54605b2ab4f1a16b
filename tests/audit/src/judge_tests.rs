use super::*;
use crate::record::Sent;

fn id(number: u32) -> Id {
    Id { publisher: 1, number }
}

fn at(offset: u64) -> Place {
    Place { epoch: 7, offset }
}

fn got(number: u32, offset: u64) -> Seen {
    Seen::Message { place: at(offset), id: id(number) }
}

fn began(offset: u64) -> Seen {
    Seen::Began { place: at(offset), recovered: None }
}

fn again(offset: u64, recovered: bool) -> Seen {
    Seen::Began { place: at(offset), recovered: Some(recovered) }
}

/// Messages 1.. of one publisher to destination 0, receipted at these offsets (0: not at all).
fn record(receipts: &[u64], tracks: &[&[Seen]]) -> Record {
    let sent = (1..).zip(receipts).map(|(number, offset)| {
        let receipts = if *offset == 0 { vec![] } else { vec![at(*offset)] };
        (id(number), Sent { destination: 0, line: 0, receipts })
    });
    let tracks = tracks.iter().enumerate().map(|(subscriber, seen)| Track {
        subscriber,
        destination: 0,
        seen: seen.to_vec(),
    });
    Record { sent: sent.collect(), tracks: tracks.collect(), strange: vec![] }
}

fn faults(record: &Record) -> [usize; 5] {
    let verdict = judge(record);
    [verdict.lost, verdict.doubled, verdict.disordered, verdict.unreceipted_twice, verdict.strange]
}

#[test]
fn all_that_was_receipted_came_once_and_in_order() {
    let whole: &[Seen] = &[began(4), got(1, 5), again(9, true), got(2, 7), got(3, 9)];
    assert_eq!(faults(&record(&[5, 7, 9], &[whole, whole])), [0; 5]);
}

#[test]
fn one_that_never_came_is_lost_wherever_it_was() {
    for missing in 0..3 {
        let mut seen = vec![got(1, 5), got(2, 7), got(3, 9)];
        seen.remove(missing);
        seen.insert(0, began(4));
        assert_eq!(faults(&record(&[5, 7, 9], &[&seen])), [1, 0, 0, 0, 0], "{missing}");
    }
}

#[test]
fn a_hole_behind_a_recovery_is_a_loss_and_one_that_was_told_of_is_not() {
    let seen = |recovered| [began(4), got(1, 5), again(7, recovered), got(3, 9)];
    assert_eq!(faults(&record(&[5, 7, 9], &[&seen(true)])), [1, 0, 0, 0, 0]);
    assert_eq!(faults(&record(&[5, 7, 9], &[&seen(false)])), [0; 5]);
    assert_eq!(judge(&record(&[5, 7, 9], &[&seen(false)])).told, 1);
}

#[test]
fn what_came_before_the_subscription_or_behind_what_was_told_is_no_loss_but_the_rest_is() {
    let late: &[Seen] = &[began(7), got(3, 9)];
    assert_eq!(faults(&record(&[5, 7, 9], &[late])), [0; 5]);
    // Told about the part up to 7; 9 is behind it.
    let told: &[Seen] = &[began(4), got(1, 5), again(7, false)];
    assert_eq!(faults(&record(&[5, 7, 9], &[told])), [1, 0, 0, 0, 0]);
}

#[test]
fn an_unreceipted_one_may_appear_but_then_to_everybody() {
    let with: &[Seen] = &[began(4), got(1, 5), got(2, 6)];
    let without: &[Seen] = &[began(4), got(1, 5)];
    assert_eq!(faults(&record(&[5, 0], &[with, with])), [0; 5]);
    assert_eq!(faults(&record(&[5, 0], &[without, without])), [0; 5]);
    assert_eq!(faults(&record(&[5, 0], &[with, without])), [1, 0, 0, 0, 0]);
}

#[test]
fn twice_is_twice_at_one_place_or_at_two_receipted_or_not() {
    let same: &[Seen] = &[began(4), got(1, 5), again(5, true), got(1, 5)];
    assert_eq!(faults(&record(&[5], &[same])), [0, 1, 0, 0, 0]);
    let two_places: &[Seen] = &[began(4), got(1, 5), got(1, 6)];
    assert_eq!(faults(&record(&[5], &[two_places])), [0, 2, 0, 0, 0], "in the log and here");
    assert_eq!(faults(&record(&[0], &[two_places])), [0, 1, 0, 1, 0]);
}

#[test]
fn two_receipts_that_name_two_places_are_a_double() {
    let mut record = record(&[5], &[&[began(4), got(1, 5)]]);
    if let Some(sent) = record.sent.get_mut(&id(1)) {
        sent.receipts.push(at(5));
    }
    assert_eq!(faults(&record), [0; 5], "a retry was told the same place");
    if let Some(sent) = record.sent.get_mut(&id(1)) {
        sent.receipts.push(at(8));
    }
    assert_eq!(judge(&record).doubled, 1);
}

#[test]
fn a_delivery_behind_a_later_one_is_out_of_order() {
    let swapped: &[Seen] = &[began(4), got(2, 7), got(1, 5), got(3, 9)];
    assert_eq!(faults(&record(&[5, 7, 9], &[swapped])), [0, 0, 1, 0, 0]);
}

#[test]
fn subscribers_that_disagree_on_a_place_are_out_of_order() {
    let (one, other): (&[Seen], &[Seen]) = (&[began(4), got(1, 5)], &[began(4), got(2, 5)]);
    let verdict = judge(&record(&[0, 0], &[one, other]));
    assert_eq!(verdict.disordered, 1);
}

#[test]
fn a_publishers_messages_stand_in_the_order_of_their_sending() {
    let seen: &[Seen] = &[began(4), got(2, 5), got(1, 6)];
    assert_eq!(faults(&record(&[6, 5], &[seen])), [0, 0, 1, 0, 0]);
}

#[test]
fn connections_of_one_that_does_not_retry_have_no_order_between_them() {
    let seen: &[Seen] = &[began(4), got(2, 5), got(1, 6)];
    let mut record = record(&[6, 5], &[seen]);
    if let Some(sent) = record.sent.get_mut(&id(2)) {
        sent.line = 1;
    }
    assert_eq!(faults(&record), [0; 5]);
}

#[test]
fn what_nobody_sent_is_strange() {
    let seen: &[Seen] = &[began(4), got(1, 5), got(9, 6)];
    assert_eq!(faults(&record(&[5], &[seen])), [0, 0, 0, 0, 1]);
}

#[test]
fn another_log_has_to_be_told_of() {
    let other = |recovered| Seen::Began { place: Place { epoch: 8, offset: 0 }, recovered };
    let message = Seen::Message { place: Place { epoch: 8, offset: 1 }, id: id(2) };
    let mut record = record(&[5, 0], &[&[began(4), other(Some(false)), message]]);
    assert_eq!(faults(&record), [0; 5], "the first one went with its log");
    record.tracks[0].seen[1] = other(Some(true));
    assert!(judge(&record).disordered > 0);
}

#[test]
fn places_read_as_they_are_written() {
    let place = Place { epoch: 0xab, offset: 0x1234 };
    assert_eq!(place.to_string(), "000000ab-0000000000001234");
    assert_eq!(place.to_string().parse(), Ok(place));
    assert_eq!(id(5).to_string().parse(), Ok(id(5)));
}
