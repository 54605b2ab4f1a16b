//! Where pushes go, and in whose name.

use stomp_server::program::knobs::Knob;

pub(super) const KNOBS: &[Knob] = &[
    Knob::one(
        "push",
        "live|log",
        "live",
        "Where pushes go: to the devices, or into this program's log.",
        "log is for demos.",
    ),
    Knob::switch(
        "allow-private-push",
        "Let pushes go to loopback and private addresses and to http endpoints.",
        "For tests and intranets: users name the addresses that this server then calls.",
    ),
    Knob::optional(
        "vapid-key",
        "FILE",
        "The key that browsers know this server by; vapid.key in --data by default.",
        "Processes that share a database share it.",
    ),
    Knob::optional(
        "push-contact",
        "ADDR",
        "A mailto: or https: address for operators of push services.",
        "Some insist on it.",
    ),
    Knob::optional(
        "fcm-credentials",
        "FILE",
        "Firebase's service account, for phones.",
        "Without it there are no pushes by FCM.",
    ),
    Knob::one(
        "fcm-url",
        "URL",
        "https://fcm.googleapis.com",
        "Where FCM is.",
        "Tests have one of their own.",
    ),
    Knob::optional(
        "push-ca",
        "FILE",
        "Certificates (PEM) of more authorities that push endpoints may rest on.",
        "An intranet has its own.",
    ),
];
