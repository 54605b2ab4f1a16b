//! A program's own address: JSON, signed with the secret that it gave.

use async_trait::async_trait;
use axum::http::{HeaderName, HeaderValue, header};
use hmac::{Hmac, Mac};
use serde::Serialize;
use sha2::Sha256;

use super::wrong_kind;
use crate::{
    domain::Timestamp,
    notify::{
        client::{Client, outcome},
        gateway::{Address, Note, Outcome, Push, PushGateway},
    },
};

const SIGNATURE: HeaderName = HeaderName::from_static("x-signature");

/// Posts pushes. The time in the signature lets the receiver refuse old ones.
pub(crate) struct Webhook(pub(crate) Client);

#[derive(Serialize)]
struct Body<'a> {
    #[serde(flatten)]
    note: &'a Note,
    device: &'a str,
    collapse_key: String,
}

#[async_trait]
impl PushGateway for Webhook {
    async fn push(&self, to: &Address, push: &Push) -> Outcome {
        let Address::Webhook { url, secret } = to else { return wrong_kind(to) };
        let body =
            Body { note: &push.note, device: &push.device, collapse_key: push.collapse_key() };
        // Strings and numbers always serialise.
        let body = serde_json::to_string(&body).unwrap_or_default();
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (SIGNATURE, signature(secret, Timestamp::now().millis() / 1000, &body)),
        ];
        outcome(self.0.post(url.uri(), &headers, body.into_bytes()).await)
    }
}

/// `t=UNIX,v1=HEX(HMAC-SHA256(secret, t + "." + body))`
fn signature(secret: &str, at: i64, body: &str) -> HeaderValue {
    // HMAC takes keys of every length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return HeaderValue::from_static("");
    };
    mac.update(format!("{at}.{body}").as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect();
    HeaderValue::from_str(&format!("t={at},v1={hex}")).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_what_openssl_computes() {
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
        let header = signature("0123456789abcdef0123456789abcdef", 1_700_000_000, r#"{"a":1}"#);
        let expected =
            "t=1700000000,v1=f05f2539e3ae1c49aec5f8cfdad75ef6b06480b133973ffbb7ec9e18827af177";
        assert_eq!(header.to_str().unwrap(), expected);
    }
}
