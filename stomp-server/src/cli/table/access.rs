//! Who may connect, log in and administer.

use stomp_server::program::knobs::Knob;

pub(super) const KNOBS: &[Knob] = &[
    Knob::switch(
        "allow-anonymous",
        "Let anybody in, also from other machines.",
        "Without users, only connections from this machine may log in; a listener for others is refused.",
    ),
    Knob::optional(
        "users",
        "FILE",
        "Users: a TOML file of names, argon2id hashes and rules (see hash-password). Read again on SIGHUP.",
        "With it, only they may log in.",
    ),
    Knob::optional(
        "jwt-secret",
        "SECRET",
        "The secret of HS256 tokens, at least 32 bytes, or @FILE.",
        "A flag takes @FILE only, for other users of the machine see flags.",
    )
    .by_file(),
    Knob::optional(
        "jwt-jwks",
        "FILE",
        "The keys of RS256, ES256 and EdDSA tokens: a JWKS file.",
        "Who signs tokens need not share a secret with the broker.",
    ),
    Knob::optional(
        "tls-client-ca",
        "FILE",
        "Client certificates signed by these (PEM) log in: their common or alternative name is the user.",
        "Needs --tls-cert.",
    ),
    Knob::optional(
        "max-connections-per-user",
        "N|off",
        "The most connections of a user; 100 once there are users, else off.",
        "A client that reconnects in a loop must not use up the process.",
    ),
    Knob::one(
        "max-connections-per-address",
        "N|off",
        "off",
        "The most connections of an address that a trusted proxy tells.",
        "Off, for many people may share one address.",
    ),
    Knob::one(
        "rate-send",
        "N|off",
        "off",
        "The most messages that a user may send in a second.",
        "A burst may have one second's worth.",
    ),
    Knob::optional(
        "admin-token",
        "TOKEN",
        "Opens metrics and admin page to other machines, sent as Authorization: Bearer; the token, or @FILE.",
        "At least 16 characters. Without one they are there for this machine only.",
    )
    .hidden(),
];
