//! What a push is, and what brings it to a device.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::endpoint::Endpoint;
use crate::domain::RoomId;

/// Brings pushes to one kind of device. Called concurrently.
#[async_trait]
pub(crate) trait PushGateway: Send + Sync + 'static {
    /// Hands `push` to the device's push service.
    ///
    /// `Sent` promises that the service has it. Everything else may still have arrived, and a
    /// repetition carries the same collapse key, so that a device shows one. Returns within a
    /// bounded time; dropping the future may leave the outcome unknown, like a crash.
    async fn push(&self, to: &Address, push: &Push) -> Outcome;
}

/// What became of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The push service has it.
    Sent,
    /// The device is not there any more.
    Gone,
    /// Not now: the service is away, busy or does not answer.
    Later {
        /// What the service asked for (`Retry-After`).
        wait: Option<Duration>,
        cause: String,
        /// The service itself is in trouble, and not this one device.
        service: bool,
    },
    /// Never, as it is.
    Refused { cause: String },
}

/// How a device is reached. `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum Address {
    /// A browser's subscription: where its push service is, and whom the payload is sealed for.
    WebPush { endpoint: Endpoint, keys: Keys },
    /// A phone's registration token.
    Fcm { token: String },
    /// A program's own address, with the secret that signs what it gets.
    Webhook { url: Endpoint, secret: String },
}

/// A browser's keys, in base64url as it gave them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Keys {
    pub(crate) p256dh: String,
    pub(crate) auth: String,
}

impl Address {
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::WebPush { .. } => "webpush",
            Self::Fcm { .. } => "fcm",
            Self::Webhook { .. } => "webhook",
        }
    }

    /// Whose health this device's pushes depend on: the endpoint's host, or the service by name.
    pub(crate) fn host(&self) -> &str {
        match self {
            Self::WebPush { endpoint, .. } => endpoint.authority(),
            Self::Fcm { .. } => "fcm",
            Self::Webhook { url, .. } => url.authority(),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.kind(), self.host())
    }
}

/// One notification for one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Push {
    pub(crate) note: Note,
    /// The device's id, for programs that serve several.
    pub(crate) device: String,
    /// What is shown below the title, in the device's language.
    pub(crate) body: String,
    /// A person may be waiting: a mention, or a direct room.
    pub(crate) urgent: bool,
}

/// What a notification tells, on whatever way it comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Note {
    pub(crate) room: RoomId,
    pub(crate) title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sender: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) preview: Option<String>,
    pub(crate) unread: i64,
    pub(crate) position: String,
}

impl Push {
    /// What makes a repetition harmless: of all pushes with the same key a device shows the
    /// last. One a room, with the only characters that every service takes.
    pub(crate) fn collapse_key(&self) -> String {
        collapse_key(&self.note.room)
    }

    /// Where a click leads, from the page's origin on.
    pub(crate) fn link(&self) -> String {
        format!("/#/rooms/{}", self.note.room)
    }
}

/// The first 32 characters of base64url(SHA-256(room)): the most that a Web Push `Topic` has.
pub(crate) fn collapse_key(room: &RoomId) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let mut key = URL_SAFE_NO_PAD.encode(Sha256::digest(room.as_str()));
    key.truncate(32);
    key
}
