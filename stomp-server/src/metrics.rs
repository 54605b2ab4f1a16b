//! What the server counts: names and help texts in one place, handles for the hot path.
//!
//! Handles are taken from the recorder that is installed when a server is built; without
//! one they count nothing and cost next to nothing.

use metrics::{Counter, Gauge, counter, describe_counter, describe_gauge, gauge};

use crate::{
    arrival::Carrier,
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

const CARRIERS: [(Carrier, &str); 4] = [
    (Carrier::Stream, "stream"),
    (Carrier::Tcp, "tcp"),
    (Carrier::Tls, "tls"),
    (Carrier::WebSocket, "websocket"),
];

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

/// The handles of one server.
#[derive(Debug)]
pub(crate) struct Metrics {
    connections: Vec<(Carrier, Gauge, Counter)>,
    pub(crate) logins: Counter,
    logins_refused: Vec<(Code, Counter)>,
    pub(crate) frames_received: Counter,
    pub(crate) frames_sent: Counter,
    pub(crate) bytes_received: Counter,
    pub(crate) bytes_sent: Counter,
    pub(crate) subscriptions: Gauge,
    limits: Vec<(&'static str, Counter)>,
    other_limits: Counter,
    pub(crate) slow_consumers: Counter,
    pub(crate) dropped: Counter,
    pub(crate) publishes: Publishes,
    closed: Vec<(Close, Counter)>,
}

/// What publications came to.
#[derive(Debug)]
pub(crate) struct Publishes {
    pub(crate) accepted: Counter,
    pub(crate) duplicate: Counter,
    pub(crate) refused: Counter,
    pub(crate) unknown: Counter,
}

impl Metrics {
    /// Handles from the recorder of the moment.
    pub(crate) fn new() -> Self {
        describe();
        let outcome = |name: &'static str| counter!(PUBLISHES, "outcome" => name);
        Self {
            connections: CARRIERS
                .map(|(carrier, name)| {
                    let open = gauge!(CONNECTIONS, "transport" => name);
                    (carrier, open, counter!(CONNECTIONS_TOTAL, "transport" => name))
                })
                .into(),
            logins: counter!(LOGINS),
            logins_refused: Code::ALL
                .map(|code| (code, counter!(LOGINS_REFUSED, "code" => code.as_str())))
                .into(),
            frames_received: counter!(FRAMES_RECEIVED),
            frames_sent: counter!(FRAMES_SENT),
            bytes_received: counter!(BYTES_RECEIVED),
            bytes_sent: counter!(BYTES_SENT),
            subscriptions: gauge!(SUBSCRIPTIONS),
            limits: LIMIT_NAMES.map(|name| (name, counter!(LIMITS, "limit" => name))).into(),
            other_limits: counter!(LIMITS, "limit" => "other"),
            slow_consumers: counter!(SLOW_CONSUMERS),
            dropped: counter!(DROPPED),
            publishes: Publishes {
                accepted: outcome("accepted"),
                duplicate: outcome("duplicate"),
                refused: outcome("refused"),
                unknown: outcome("unknown"),
            },
            closed: CLOSES.map(|(close, name)| (close, counter!(CLOSED, "reason" => name))).into(),
        }
    }

    pub(crate) fn opened(&self, carrier: Carrier) {
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
