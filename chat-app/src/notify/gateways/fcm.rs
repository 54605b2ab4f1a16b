//! Firebase Cloud Messaging, HTTP v1: phones. A service account's key signs a request for a
//! token, and the token is used until shortly before its end.

use std::{
    fmt,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::wrong_kind;
use crate::{
    domain::Timestamp,
    notify::{
        client::{Answer, Client, outcome},
        endpoint::Endpoint,
        gateway::{Address, Outcome, Push, PushGateway},
    },
};

const SCOPE: &str = "https://www.googleapis.com/auth/firebase.messaging";
/// What a request for a token may be used for, in seconds; an hour is the most.
const ASSERTION: i64 = 3600;
/// A token is given up this long before its end.
const MARGIN: Duration = Duration::from_secs(60);
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What stands in the file that Firebase's console gives out.
#[derive(Clone, Deserialize)]
pub(crate) struct ServiceAccount {
    project_id: String,
    client_email: String,
    private_key: String,
    private_key_id: Option<String>,
    token_uri: Endpoint,
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceAccount({})", self.client_email)
    }
}

/// Pushes to phones.
pub(crate) struct Fcm {
    client: Client,
    messages: Uri,
    account: ServiceAccount,
    key: EncodingKey,
    token: RwLock<Option<Token>>,
}

#[derive(Clone)]
struct Token {
    authorization: HeaderValue,
    until: Instant,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    scope: &'a str,
    aud: String,
    iat: i64,
    exp: i64,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: u64,
}

impl Fcm {
    /// `base`: where the service is, `https://fcm.googleapis.com` outside tests.
    ///
    /// # Errors
    /// With what is wrong with the account.
    pub(crate) fn new(
        client: Client,
        base: &Endpoint,
        account: ServiceAccount,
    ) -> Result<Self, String> {
        let key = EncodingKey::from_rsa_pem(account.private_key.as_bytes())
            .map_err(|error| format!("private_key is no RSA key in PEM: {error}"))?;
        let messages =
            format!("{}/v1/projects/{}/messages:send", base.origin(), account.project_id);
        let messages = messages.parse().map_err(|_| "project_id is none".to_owned())?;
        Ok(Self { client, messages, account, key, token: RwLock::default() })
    }

    /// The token at hand, or a new one. Several pushes may ask at once in the first moment;
    /// each token is good.
    async fn authorization(&self) -> Result<HeaderValue, Outcome> {
        let known = self.token.read().clone().filter(|token| token.until > Instant::now());
        if let Some(token) = known {
            return Ok(token.authorization);
        }
        let token = self.ask().await?;
        let authorization = token.authorization.clone();
        *self.token.write() = Some(token);
        Ok(authorization)
    }

    async fn ask(&self) -> Result<Token, Outcome> {
        let later = |cause: String| Outcome::Later {
            wait: None,
            cause: format!("OAuth: {cause}"),
            service: true,
        };
        let assertion = self.assertion().map_err(later)?;
        let body = format!(
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}"
        );
        let headers = [(header::CONTENT_TYPE, FORM)];
        let asked = Instant::now();
        let answer = self.client.post(self.account.token_uri.uri(), &headers, body.into_bytes());
        let answer = answer.await.map_err(|silence| later(silence.to_string()))?;
        if answer.status != StatusCode::OK {
            let (wait, cause) = (answer.retry_after, format!("OAuth: {}", answer.cause()));
            return Err(Outcome::Later { wait, cause, service: true });
        }
        let granted: Granted = serde_json::from_slice(&answer.body)
            .map_err(|_| later("the answer holds no token".to_owned()))?;
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", granted.access_token))
            .map_err(|_| later("the answer holds no token".to_owned()))?;
        authorization.set_sensitive(true);
        let life = Duration::from_secs(granted.expires_in.min(24 * 3600)).saturating_sub(MARGIN);
        Ok(Token { authorization, until: asked + life })
    }

    fn assertion(&self) -> Result<String, String> {
        let now = Timestamp::now().millis() / 1000;
        let claims = Claims {
            iss: &self.account.client_email,
            scope: SCOPE,
            aud: self.account.token_uri.to_string(),
            iat: now,
            exp: now + ASSERTION,
        };
        let head =
            Header { kid: self.account.private_key_id.clone(), ..Header::new(Algorithm::RS256) };
        encode(&head, &claims, &self.key).map_err(|error| error.to_string())
    }
}

#[async_trait]
impl PushGateway for Fcm {
    async fn push(&self, to: &Address, push: &Push) -> Outcome {
        let Address::Fcm { token } = to else { return wrong_kind(to) };
        let authorization = match self.authorization().await {
            Ok(authorization) => authorization,
            Err(outcome) => return outcome,
        };
        let headers = [(header::AUTHORIZATION, authorization), (header::CONTENT_TYPE, JSON)];
        let body = message(token, push).to_string().into_bytes();
        let answered = self.client.post(&self.messages, &headers, body).await;
        if answered.as_ref().is_ok_and(|answer| answer.status == StatusCode::UNAUTHORIZED) {
            // Revoked before its time: the next attempt asks anew.
            *self.token.write() = None;
        }
        match answered {
            // 404 means the device only where the service says so; a wrong project is a 404 too.
            Ok(answer) if answer.status == StatusCode::NOT_FOUND && !is_unregistered(&answer) => {
                Outcome::Refused { cause: answer.cause() }
            }
            answered => outcome(answered),
        }
    }
}

fn is_unregistered(answer: &Answer) -> bool {
    let Ok(body) = serde_json::from_slice::<Value>(&answer.body) else { return false };
    let details = body["error"]["details"].as_array();
    details.is_some_and(|all| all.iter().any(|detail| detail["errorCode"] == "UNREGISTERED"))
}

fn message(token: &str, push: &Push) -> Value {
    let (note, key) = (&push.note, push.collapse_key());
    let mut data = json!({
        "room": note.room, "title": note.title, "body": push.body, "url": push.link(),
        "unread": note.unread.to_string(), "position": note.position, "device": push.device,
    });
    for (name, value) in [("sender", &note.sender), ("preview", &note.preview)] {
        if let Some(value) = value {
            data[name] = value.as_str().into();
        }
    }
    json!({"message": {
        "token": token,
        "notification": {"title": note.title, "body": push.body},
        "data": data,
        "android": {
            "collapse_key": key, "priority": "high", "ttl": "86400s",
            "notification": {"tag": key},
        },
        "apns": {
            "headers": {"apns-collapse-id": key, "apns-priority": "10"},
            "payload": {"aps": {"badge": note.unread, "sound": "default", "thread-id": key}},
        },
    }})
}
