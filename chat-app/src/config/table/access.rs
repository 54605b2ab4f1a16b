//! Who may log in, and over what.

use stomp_server::program::knobs::Knob;

pub(super) const KNOBS: &[Knob] = &[
    Knob::optional(
        "jwt-secret",
        "SECRET",
        "The secret of an existing service's tokens (HS256), at least 32 bytes, or @FILE. Own \
         accounts are off then.",
        "A flag takes @FILE only, for other users of the machine see flags.",
    )
    .by_file(),
    Knob::optional(
        "jwt-jwks",
        "FILE|URL",
        "The keys of an existing service's tokens: a JWKS file, or its address. Own accounts are \
         off then.",
        "Read again every five minutes, and when a token does not fit: keys may rotate.",
    ),
    Knob::optional(
        "jwt-audience",
        "NAME",
        "Take only tokens for this audience.",
        "The same keys may sign for other programs too.",
    ),
    Knob::optional(
        "jwt-issuer",
        "NAME",
        "Take only tokens of this issuer.",
        "The same keys may sign for others too.",
    ),
    Knob::optional(
        "tls-cert",
        "FILE",
        "TLS on both listeners: the certificate and its chain, PEM. Read again on SIGHUP.",
        "Needs --tls-key. Not needed behind a proxy that speaks TLS.",
    ),
    Knob::optional(
        "tls-key",
        "FILE",
        "The private key of the certificate, PEM.",
        "Needs --tls-cert.",
    ),
    Knob::optional(
        "tls-client-ca",
        "FILE",
        "Only clients with a certificate signed by these (PEM) are talked to; they log in by their \
         tokens all the same.",
        "Needs --tls-cert. For intranets: browsers without a certificate see no page.",
    ),
    Knob::many(
        "allow-origin",
        "ORIGIN",
        None,
        "A browser origin that may use this server from elsewhere, exactly as browsers send it.",
        "A page of any other site could otherwise speak with the rights of who looks at it.",
    ),
    Knob::many(
        "trusted-proxy",
        "NET",
        None,
        "A proxy whose X-Forwarded-For (or else Forwarded) is believed: address or network.",
        "With any, nobody counts as local, for everybody comes from the proxy's address.",
    ),
    Knob::optional(
        "admin-token",
        "TOKEN",
        "Opens /metrics to others than this machine, sent as Authorization: Bearer; the token, or \
         @FILE.",
        "Without one they are there for this machine only.",
    )
    .hidden(),
];
