//! Web Push (RFC 8030): sealed for the browser, signed for its push service.

use std::sync::Arc;

use async_trait::async_trait;
use axum::http::{HeaderName, HeaderValue, header};
use serde::Serialize;

use super::{Vapid, sealed::Recipient, wrong_kind};
use crate::notify::{
    client::{Client, outcome},
    gateway::{Address, Note, Outcome, Push, PushGateway},
};

/// How long the service keeps a push for a browser that is not there, in seconds: a day.
const TTL: HeaderValue = HeaderValue::from_static("86400");

/// Pushes to browsers.
pub(crate) struct WebPush {
    pub(crate) client: Client,
    pub(crate) vapid: Arc<Vapid>,
}

/// What the page's service worker gets.
#[derive(Serialize)]
pub(crate) struct Payload<'a> {
    #[serde(flatten)]
    note: &'a Note,
    body: &'a str,
    url: String,
}

impl<'a> Payload<'a> {
    pub(crate) fn json(push: &'a Push) -> String {
        let payload = Self { note: &push.note, body: &push.body, url: push.link() };
        // Strings and numbers always serialise.
        serde_json::to_string(&payload).unwrap_or_default()
    }
}

#[async_trait]
impl PushGateway for WebPush {
    async fn push(&self, to: &Address, push: &Push) -> Outcome {
        let Address::WebPush { endpoint, keys } = to else { return wrong_kind(to) };
        let Some(recipient) = Recipient::parse(keys) else {
            return Outcome::Refused { cause: "the device's keys are none".to_owned() };
        };
        let Some(body) = recipient.seal(Payload::json(push).as_bytes()) else {
            return Outcome::Refused { cause: "the payload is too large".to_owned() };
        };
        let urgency = HeaderValue::from_static(if push.urgent { "high" } else { "normal" });
        let topic = HeaderValue::from_str(&push.collapse_key());
        let headers = [
            (header::AUTHORIZATION, self.vapid.authorization(endpoint)),
            (header::CONTENT_ENCODING, HeaderValue::from_static("aes128gcm")),
            (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
            (HeaderName::from_static("ttl"), TTL),
            (HeaderName::from_static("urgency"), urgency),
            (HeaderName::from_static("topic"), topic.unwrap_or(HeaderValue::from_static("room"))),
        ];
        outcome(self.client.post(endpoint.uri(), &headers, body).await)
    }
}
