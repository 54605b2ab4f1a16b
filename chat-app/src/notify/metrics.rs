//! What is counted of pushes: names and help texts in one place.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use super::ports::Backlog;

const DUE: &str = "chat_push_due_total";
const SENT: &str = "chat_push_sent_total";
const CANCELLED: &str = "chat_push_cancelled_total";
const RETRIED: &str = "chat_push_retried_total";
const DEAD: &str = "chat_push_dead_total";
const GONE: &str = "chat_push_devices_gone_total";
const OPEN: &str = "chat_push_open";
const BURIED: &str = "chat_push_dead";
const OLDEST: &str = "chat_push_oldest_seconds";
const LATENCY: &str = "chat_push_latency_seconds";

/// Says what the names mean. Once, when a process takes the notify role.
pub(crate) fn describe() {
    describe_counter!(DUE, "Pushes that became due, one a room and device");
    describe_counter!(SENT, "Pushes that a push service took, by kind of device");
    describe_counter!(CANCELLED, "Pushes that nobody wanted any more at the last look");
    describe_counter!(RETRIED, "Attempts that will be made again");
    describe_counter!(DEAD, "Pushes given up; see `chat-app notifications list`");
    describe_counter!(GONE, "Devices removed because their push service does not know them");
    describe_gauge!(OPEN, "Pushes that wait, in all");
    describe_gauge!(BURIED, "Pushes given up, in all");
    describe_gauge!(OLDEST, "Age of the oldest push that waits, in seconds");
    describe_histogram!(LATENCY, "From the message to the push service's answer, in seconds");
}

pub(super) fn due(jobs: usize) {
    counter!(DUE).increment(jobs as u64);
}

pub(super) fn sent(kind: &'static str, latency: Duration) {
    counter!(SENT, "kind" => kind).increment(1);
    histogram!(LATENCY).record(latency.as_secs_f64());
}

pub(super) fn cancelled() {
    counter!(CANCELLED).increment(1);
}

pub(super) fn retried() {
    counter!(RETRIED).increment(1);
}

pub(super) fn dead() {
    counter!(DEAD).increment(1);
}

pub(super) fn gone() {
    counter!(GONE).increment(1);
}

pub(super) fn backlog(backlog: &Backlog) {
    gauge!(OPEN).set(backlog.open as f64);
    gauge!(BURIED).set(backlog.dead as f64);
    gauge!(OLDEST).set(backlog.oldest.as_secs_f64());
}
