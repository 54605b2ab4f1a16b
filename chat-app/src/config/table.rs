//! Every setting of the server, once: what flags, environment, file and help are made from.

mod access;
mod push;

use stomp_server::program::knobs::{Knob, Program, Section};

pub(super) static PROGRAM: Program = Program {
    name: "chat-app",
    prefix: "CHAT_",
    sections: &[
        Section { title: "Process", knobs: PROCESS },
        Section { title: "Storage", knobs: STORAGE },
        Section { title: "Access", knobs: access::KNOBS },
        Section { title: "Limits", knobs: LIMITS },
        Section { title: "Notifications", knobs: push::KNOBS },
        Section { title: "Log", knobs: LOG },
    ],
    tables: &[],
};

/// What commands need that work on what is kept.
pub(super) const PLACE: &[&str] = &["data", "database", "log", "log-format"];
/// What a backup needs.
pub(super) const BACKUP: &[&str] = &["data", "database", "broker", "log", "log-format"];

const PROCESS: &[Knob] = &[
    Knob::many(
        "role",
        "ROLE",
        Some("all"),
        "What this process does: api, chat, store, notify, or all.",
        "Several processes on MySQL and Kafka may share the work.",
    ),
    Knob::one(
        "http",
        "ADDR",
        "127.0.0.1:8080",
        "The page, REST, WebSocket /ws, /metrics and /health/*.",
        "On this machine only, until you say otherwise.",
    ),
    Knob::one(
        "tcp",
        "ADDR",
        "off",
        "STOMP over TCP, for apps and bots; off by default.",
        "Browsers do not need it.",
    ),
    Knob::one(
        "drain",
        "TIME",
        "10s",
        "How long a stop may take before sessions are cut off.",
        "Shorter than the patience of a service manager.",
    ),
];

const STORAGE: &[Knob] = &[
    Knob::one(
        "data",
        "DIR",
        "chat-data",
        "The folder of everything that is kept; it is made for its owner only.",
        "It moves database and log along, where these are not named.",
    ),
    Knob::optional(
        "database",
        "DATABASE",
        "Accounts, rooms, history: sqlite:PATH or mysql://user:password@host:port/name; \
         sqlite:chat.db in --data by default.",
        "Other users of the machine see flags: a password goes into the environment or the file.",
    )
    .with_password(),
    Knob::optional(
        "broker",
        "BROKER",
        "The log: sqlite:PATH, kafka://host:port[,host:port] or memory; sqlite:log.db in --data \
         by default.",
        "A message is accepted when the log has it.",
    ),
    Knob::switch(
        "allow-loss",
        "Accept that a log in memory loses what is not stored when the process ends.",
        "memory is refused otherwise.",
    ),
    Knob::one(
        "kafka-prefix",
        "NAME",
        "chat",
        "What the names of Kafka's topics begin with.",
        "Processes with the same prefix are one chat.",
    ),
    Knob::switch(
        "allow-weak-log",
        "Use Kafka topics whose settings could lose what was receipted.",
        "They are refused at start otherwise, so that a receipt keeps its word.",
    ),
    Knob::one(
        "publish-timeout",
        "TIME",
        "30s",
        "How long an append may take before its outcome is called unknown.",
        "Longer than a restart of what stands behind the log.",
    ),
];

const LIMITS: &[Knob] = &[
    Knob::one(
        "max-body",
        "SIZE",
        "64KiB",
        "The largest body of a frame or request.",
        "What people write is short; whatever is larger costs everybody in the room.",
    ),
    Knob::one(
        "max-connections",
        "N",
        "15000",
        "The most connections of this process; the newest beyond that is refused.",
        "A process may often have 20,000 files, and needs some of its own.",
    ),
    Knob::one(
        "max-connections-per-user",
        "N",
        "20",
        "The most connections of one user.",
        "A client that reconnects in a loop must not use up the process.",
    ),
    Knob::one(
        "rate-send",
        "N|off",
        "off",
        "The most messages that a user may send in a second.",
        "A burst may have one second's worth.",
    ),
    Knob::one(
        "rate-login",
        "N",
        "10",
        "The most failed logins of an account in a minute.",
        "Passwords must not be found by trying.",
    ),
];

const LOG: &[Knob] = &[
    Knob::one(
        "log",
        "FILTER",
        "info,sqlx=warn",
        "Which events are logged, on standard error: a level, or levels by module.",
        "At info: start, end and what needs somebody's eye; nothing of what people write.",
    ),
    Knob::one(
        "log-format",
        "text|json",
        "text",
        "How a line of the log looks.",
        "json for machines that collect logs: one object a line.",
    ),
];
