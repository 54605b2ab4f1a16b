//! What the server counts: names and help texts in one place, handles for the hot path.
//!
//! Handles are taken from the recorder that is installed when a server is built; without
//! one they count nothing and cost next to nothing.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use metrics::{Counter, Gauge, counter, describe_counter, describe_gauge, gauge};

use crate::{
    arrival::Carrier,
    insight::Totals,
    problem::{Code, Problem},
    session::Close,
};

const CONNECTIONS: &str = "stomp_connections";
const CONNECTIONS_TOTAL: &str = "stomp_connections_total";
const LOGINS: &str = "stomp_logins_total";
const LOGINS_REFUSED: &str = "stomp_logins_refused_total";
const FRAMES_RECEIVED: &str = "stomp_frames_received_total";
const FRAMES_SENT: &str = "stomp_frames_sent_total";
const BYTES_RECEIVED: &str = "stomp_bytes_received_total";
const BYTES_SENT: &str = "stomp_bytes_sent_total";
const SUBSCRIPTIONS: &str = "stomp_subscriptions";
const LIMITS: &str = "stomp_limit_refusals_total";
const SLOW_CONSUMERS: &str = "stomp_slow_consumers_total";
const DROPPED: &str = "stomp_messages_dropped_total";
const PUBLISHES: &str = "stomp_publishes_total";
const CLOSED: &str = "stomp_sessions_closed_total";
const FAILURES: &str = "stomp_application_failures_total";

/// Limits by the names under which problems tell them. Anything else counts as `other`, so
/// that no peer can make up labels. (`rate-send` is counted where it is refused.)
const LIMIT_NAMES: [&str; 15] = [
    "max-body",
    "max-header-line",
    "max-headers",
    "max-head",
    "command",
    "connect-timeout-ms",
    "max-subscriptions",
    "max-transactions",
    "max-transaction-actions",
    "max-prefetch",
    "outbound",
    "max-connections",
    "max-connections-per-user",
    "max-connections-per-address",
    "pattern-words",
];

const CARRIERS: [Carrier; 4] = [Carrier::Stream, Carrier::Tcp, Carrier::Tls, Carrier::WebSocket];

/// Why sessions end. A new variant of [`Close`] needs its line here.
const CLOSES: [(Close, &str); 7] = [
    (Close::Bye, "bye"),
    (Close::Fault, "fault"),
    (Close::TooLarge, "too-large"),
    (Close::Refused, "refused"),
    (Close::Shutdown, "shutdown"),
    (Close::Unknown, "unknown"),
    (Close::Abort, "abort"),
];

/// A counter that can be read here too, for those who look at the server.
#[derive(Debug)]
pub(crate) struct Tally {
    counter: Counter,
    total: AtomicU64,
}

/// The handles of one server.
#[derive(Debug)]
pub(crate) struct Metrics {
    connections: Vec<(Carrier, Gauge, Counter)>,
    opened: AtomicU64,
    pub(crate) logins: Tally,
    logins_refused: Vec<(Code, Tally)>,
    pub(crate) frames_received: Tally,
    pub(crate) frames_sent: Tally,
    pub(crate) bytes_received: Tally,
    pub(crate) bytes_sent: Tally,
    pub(crate) subscriptions: Gauge,
    limits: Vec<(&'static str, Counter)>,
    other_limits: Counter,
    pub(crate) slow_consumers: Tally,
    pub(crate) dropped: Tally,
    pub(crate) publishes: Publishes,
    closed: Vec<(Close, Counter)>,
}

/// What publications came to.
#[derive(Debug)]
pub(crate) struct Publishes {
    pub(crate) accepted: Tally,
    pub(crate) duplicate: Tally,
    pub(crate) refused: Tally,
    pub(crate) unknown: Tally,
}

impl Tally {
    fn new(counter: Counter) -> Self {
        Self { counter, total: AtomicU64::new(0) }
    }

    pub(crate) fn increment(&self, by: u64) {
        self.counter.increment(by);
        self.total.fetch_add(by, Relaxed);
    }

    fn total(&self) -> u64 {
        self.total.load(Relaxed)
    }
}

impl Metrics {
    /// Handles from the recorder of the moment.
    pub(crate) fn new() -> Self {
        describe();
        let outcome = |name: &'static str| Tally::new(counter!(PUBLISHES, "outcome" => name));
        Self {
            connections: CARRIERS
                .map(|carrier| {
                    let open = gauge!(CONNECTIONS, "transport" => carrier.as_str());
                    (carrier, open, counter!(CONNECTIONS_TOTAL, "transport" => carrier.as_str()))
                })
                .into(),
            opened: AtomicU64::new(0),
            logins: Tally::new(counter!(LOGINS)),
            logins_refused: Code::ALL
                .map(|code| (code, Tally::new(counter!(LOGINS_REFUSED, "code" => code.as_str()))))
                .into(),
            frames_received: Tally::new(counter!(FRAMES_RECEIVED)),
            frames_sent: Tally::new(counter!(FRAMES_SENT)),
            bytes_received: Tally::new(counter!(BYTES_RECEIVED)),
            bytes_sent: Tally::new(counter!(BYTES_SENT)),
            subscriptions: gauge!(SUBSCRIPTIONS),
            limits: LIMIT_NAMES.map(|name| (name, counter!(LIMITS, "limit" => name))).into(),
            other_limits: counter!(LIMITS, "limit" => "other"),
            slow_consumers: Tally::new(counter!(SLOW_CONSUMERS)),
            dropped: Tally::new(counter!(DROPPED)),
            publishes: Publishes {
                accepted: outcome("accepted"),
                duplicate: outcome("duplicate"),
                refused: outcome("refused"),
                unknown: outcome("unknown"),
            },
            closed: CLOSES.map(|(close, name)| (close, counter!(CLOSED, "reason" => name))).into(),
        }
    }

    /// What has happened so far.
    pub(crate) fn totals(&self) -> Totals {
        Totals {
            connections: self.opened.load(Relaxed),
            logins: self.logins.total(),
            logins_refused: self.logins_refused.iter().map(|(_, tally)| tally.total()).sum(),
            frames_received: self.frames_received.total(),
            frames_sent: self.frames_sent.total(),
            bytes_received: self.bytes_received.total(),
            bytes_sent: self.bytes_sent.total(),
            accepted: self.publishes.accepted.total(),
            duplicate: self.publishes.duplicate.total(),
            refused: self.publishes.refused.total(),
            unknown: self.publishes.unknown.total(),
            slow_consumers: self.slow_consumers.total(),
            dropped: self.dropped.total(),
        }
    }

    pub(crate) fn opened(&self, carrier: Carrier) {
        self.opened.fetch_add(1, Relaxed);
        if let Some((_, open, total)) = self.connections.iter().find(|(it, ..)| *it == carrier) {
            open.increment(1.0);
            total.increment(1);
        }
    }

    pub(crate) fn closed(&self, carrier: Carrier) {
        if let Some((_, open, _)) = self.connections.iter().find(|(it, ..)| *it == carrier) {
            open.decrement(1.0);
        }
    }

    pub(crate) fn ended(&self, close: Close) {
        if let Some((_, counter)) = self.closed.iter().find(|(it, _)| *it == close) {
            counter.increment(1);
        }
    }

    pub(crate) fn login(&self, refusal: Option<&Problem>) {
        let Some(problem) = refusal else { return self.logins.increment(1) };
        if let Some((_, counter)) = self.logins_refused.iter().find(|(it, _)| *it == problem.code) {
            counter.increment(1);
        }
    }

    /// Counts the refusal of a limit, as a problem names it: `max-body 4194304`.
    pub(crate) fn refused(&self, limit: &str) {
        let name = limit.split(' ').next().unwrap_or_default();
        let counter = self.limits.iter().find(|(it, _)| *it == name).map(|(_, counter)| counter);
        counter.unwrap_or(&self.other_limits).increment(1);
    }
}

/// The word for why a session ended, in metrics and logs.
pub(crate) fn reason(close: Close) -> &'static str {
    CLOSES.iter().find(|(it, _)| *it == close).map_or("other", |(_, name)| *name)
}

/// Code of the embedding program has panicked or hung. Rare, so no handle is kept for it.
pub(crate) fn application_failed(what: &'static str, how: &'static str) {
    counter!(FAILURES, "what" => what, "how" => how).increment(1);
}

fn describe() {
    describe_gauge!(CONNECTIONS, "Connections that are open, by transport.");
    describe_counter!(CONNECTIONS_TOTAL, "Connections ever opened, by transport.");
    describe_counter!(LOGINS, "Logins that were accepted.");
    describe_counter!(LOGINS_REFUSED, "Logins that were refused, by the code of the problem.");
    describe_counter!(FRAMES_RECEIVED, "Frames read from clients.");
    describe_counter!(FRAMES_SENT, "Frames written to clients.");
    describe_counter!(BYTES_RECEIVED, "Octets read from clients, without TLS and WebSocket.");
    describe_counter!(BYTES_SENT, "Octets written to clients, without TLS and WebSocket.");
    describe_gauge!(SUBSCRIPTIONS, "Subscriptions that are open at the broker.");
    describe_counter!(LIMITS, "Frames and connections refused for a limit, by limit.");
    describe_counter!(SLOW_CONSUMERS, "Connections that met the slow-consumer policy.");
    describe_counter!(DROPPED, "Topic messages dropped for slow consumers.");
    describe_counter!(PUBLISHES, "Publications of sessions, by outcome.");
    describe_counter!(CLOSED, "Sessions that ended, by reason.");
    describe_counter!(
        FAILURES,
        "Logins, decisions and handlers of the program that panicked or took too long."
    );
}
