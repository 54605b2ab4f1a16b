//! The notify role: whoever is not in the room gets a push, and nothing due is lost.
//!
//! * `desk`: devices come and go.
//! * `rule`, `hours`, `content`: who is told, when, and in which words; without I/O.
//! * `decider`: due rooms become jobs. `sender`: jobs become pushes, with `backoff` and `hosts`.
//! * `gateway`, `gateways`: Web Push, FCM, webhooks, and one that only writes lines.
//! * `endpoint`, `connector`, `client`: requests to addresses that users named, and the rules
//!   about where such requests may go.
//! * `ports`: what is kept in SQL.

mod backoff;
mod client;
mod connector;
mod content;
mod decider;
mod desk;
mod endpoint;
mod gateway;
mod gateways;
mod hosts;
mod hours;
mod metrics;
pub(crate) mod ports;
mod rule;
mod sender;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use self::gateway::{Outcome, Push};
pub(crate) use self::{
    backoff::Patience,
    client::Client,
    content::{Language, PREVIEW, RoomFacts, beginning},
    decider::Decider,
    desk::{Desk, Registration, Shown},
    endpoint::{Endpoint, Reach},
    gateway::{Address, PushGateway},
    gateways::{Fcm, Gateways, LogGateway, ServiceAccount, Vapid, WebPush, Webhook},
    hours::QuietHours,
    metrics::describe as describe_metrics,
    rule::{Blocks, Candidate, Said, Window, Wishes},
    sender::Sender,
};
