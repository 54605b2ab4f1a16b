//! Every setting of the program, once: what flags, environment, file and help are made from.

mod access;
mod limits;

use stomp_server::program::knobs::{Knob, Program, Section, Table};

pub(crate) static PROGRAM: Program = Program {
    name: "stomp-server",
    prefix: "STOMP_",
    sections: &[
        Section { title: "Listeners", knobs: LISTENERS },
        Section { title: "Broker", knobs: BROKER },
        Section { title: "Access", knobs: access::KNOBS },
        Section { title: "Limits", knobs: limits::KNOBS },
        Section { title: "Operation", knobs: OPERATION },
    ],
    tables: &[
        Table {
            name: "kafka.queue",
            keys: &["name", "partitions"],
            about: "A queue on Kafka that is there from the start. Its number of partitions is how \
                    many instances can take from it at once; it cannot be lowered later.",
            example: "[[kafka.queue]]\nname = \"orders\"\npartitions = 8",
        },
        Table {
            name: "kafka.bridge",
            keys: &["topic", "destination"],
            about: "A Kafka topic of another program whose records appear at a destination.",
            example: "[[kafka.bridge]]\ntopic = \"legacy.events\"\ndestination = \"/topic/legacy\"",
        },
    ],
};

const LISTENERS: &[Knob] = &[
    Knob::many(
        "tcp",
        "ADDR",
        Some("127.0.0.1:61613"),
        "STOMP over TCP; none turns it off.",
        "The port that STOMP brokers have; on this machine only, until you say who may log in.",
    ),
    Knob::one(
        "http",
        "ADDR",
        "127.0.0.1:15674",
        "HTTP: WebSocket /ws, /metrics, /health/live, /health/ready, the admin page /; none turns it off.",
        "The port of RabbitMQ's Web STOMP.",
    ),
    Knob::many(
        "allow-origin",
        "ORIGIN",
        None,
        "A browser origin that may connect beside this host, exactly as browsers send it.",
        "A page of any other site could otherwise speak with the rights of who looks at it.",
    ),
    Knob::many(
        "host",
        "NAME",
        None,
        "A name that CONNECT may give as host; any by default.",
        "There are no virtual hosts; this refuses clients that were meant for somebody else. A name of your \
         own for loopback counts as this machine once it is listed here.",
    ),
    Knob::optional(
        "tls-cert",
        "FILE",
        "TLS on both listeners: the certificate and its chain, PEM. Read again on SIGHUP.",
        "Needs --tls-key.",
    ),
    Knob::optional(
        "tls-key",
        "FILE",
        "The private key of the certificate, PEM.",
        "Needs --tls-cert.",
    ),
    Knob::many(
        "trusted-proxy",
        "NET",
        None,
        "A proxy whose X-Forwarded-For (or else Forwarded) is believed: address or network.",
        "With any, nobody counts as local, for everybody comes from the proxy's address.",
    ),
];

const BROKER: &[Knob] = &[
    Knob::one(
        "broker",
        "BROKER",
        "memory",
        "What keeps the messages: memory, sqlite:PATH, or kafka://host:port[,host:port].",
        "In memory a receipt ends with the process; a journal survives a loss of power; a log on \
         Kafka is shared by many instances and survives a node.",
    ),
    Knob::one(
        "separator",
        "CHAR",
        ".",
        "What splits the words of a topic for *, # and >.",
        "Any other character is ordinary.",
    ),
    Knob::one(
        "ring",
        "SIZE",
        "64MiB",
        "How much of the newest messages stays in memory for those who resume.",
        "A reconnect storm is answered without touching a disk.",
    ),
    Knob::one(
        "dedup-window",
        "TIME",
        "10m",
        "How long a publisher's message-dedup-id is remembered.",
        "Longer than a client retries.",
    ),
    Knob::one(
        "publish-timeout",
        "TIME",
        "30s",
        "How long a SEND waits for a log that is away or full.",
        "Longer than a restart of what stands behind it.",
    ),
    Knob::one(
        "journal-max",
        "SIZE",
        "10GiB",
        "The most that the journal may hold on disk; SENDs wait when it is full.",
        "The oldest messages go first, but none that a worker has yet to take over.",
    ),
    Knob::one(
        "journal-sync",
        "full|normal",
        "full",
        "What a receipt of a journaled message survives: full, a loss of power too; normal, the process only.",
        "normal is faster on a slow disk.",
    ),
    Knob::one(
        "kafka-prefix",
        "NAME",
        "stomp",
        "What the names of our Kafka topics begin with.",
        "Instances with the same prefix are one broker.",
    ),
    Knob::one(
        "kafka-max-queues",
        "N",
        "100",
        "How many queues on Kafka may be made by being used.",
        "Each is a Kafka topic; clients must not be able to fill the cluster with them.",
    ),
    Knob::switch(
        "allow-weak-log",
        "Use Kafka topics whose settings could lose what was receipted.",
        "They are refused at start otherwise, so that a receipt keeps its word.",
    ),
];

const OPERATION: &[Knob] = &[
    Knob::one(
        "drain",
        "TIME",
        "10s",
        "How long connections may take to end when the server is told to stop.",
        "Shorter than the patience of a service manager.",
    ),
    Knob::one(
        "log",
        "FILTER",
        "info",
        "Which events are logged: a level, or levels by module, as in warn,stomp_server=debug. RUST_LOG \
         holds where neither flag, environment nor file says anything.",
        "At info: start, end, logins and refusals; nothing per message at any level but trace.",
    ),
    Knob::one(
        "log-format",
        "text|json",
        "text",
        "How a line of the log looks.",
        "json for machines that collect logs: one object a line.",
    ),
];
