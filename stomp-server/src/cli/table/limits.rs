//! What one connection, one session and one queue may ask for. Each has a metric.

use stomp_server::program::knobs::Knob;

pub(super) const KNOBS: &[Knob] = &[
    Knob::one("max-body", "SIZE", "4MiB", "The largest body.", "It is refused before it is read."),
    Knob::one(
        "max-header-line",
        "SIZE",
        "10KiB",
        "The longest header line.",
        "Room for a value of 8 KiB with its escapes.",
    ),
    Knob::one("max-headers", "N", "64", "The most headers in a frame.", "Each is looked through."),
    Knob::one(
        "max-head",
        "SIZE",
        "64KiB",
        "The largest head: command and headers together.",
        "What a peer can make us hold before we know what it wants.",
    ),
    Knob::one(
        "connect-timeout",
        "TIME",
        "10s",
        "How long a connection may take until its CONNECT frame is complete.",
        "Counted from accept: a stranger who sends a byte a second is still gone after it.",
    ),
    Knob::one(
        "max-subscriptions",
        "N",
        "128",
        "The most subscriptions in a session.",
        "Each costs memory in the index.",
    ),
    Knob::one(
        "max-transactions",
        "N",
        "16",
        "The most open transactions in a session.",
        "Each buffers what it will send.",
    ),
    Knob::one(
        "max-connections",
        "N",
        "15000",
        "The most connections of this process; the newest beyond that is refused.",
        "A process may often have 20,000 files, and needs some of its own.",
    ),
    Knob::one(
        "outbound",
        "SIZE",
        "1MiB",
        "How much may wait for a connection that reads slowly.",
        "A second of a good phone connection.",
    ),
    Knob::one(
        "slow-consumer",
        "disconnect|drop-oldest",
        "disconnect",
        "What happens to a subscriber of topics for whom that is not enough.",
        "disconnect: it gets an ERROR, comes back and resumes; drop-oldest: messages are lost to it, \
         counted and told in the log.",
    ),
    Knob::one(
        "heartbeat-min",
        "TIME",
        "500ms",
        "The shortest heart-beat interval.",
        "Shorter ones cost more than they tell.",
    ),
    Knob::one(
        "queue-max",
        "N",
        "1000000",
        "The most messages in a queue; one more is refused.",
        "A queue that nobody reads must not fill the machine.",
    ),
    Knob::one(
        "max-deliveries",
        "N",
        "10",
        "How often a message is offered before it goes to the dead letters.",
        "One that no consumer can stomach must not go round for ever.",
    ),
];
