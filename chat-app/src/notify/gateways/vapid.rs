//! Who is pushing: VAPID (RFC 8292), a signed word for each push service.

use std::{
    io,
    path::Path,
    time::{Duration, Instant},
};

use axum::http::HeaderValue;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use p256::{
    SecretKey,
    ecdsa::{Signature, SigningKey, signature::Signer as _},
};
use parking_lot::Mutex;
use serde_json::json;

use super::sealed::{fresh_secret, point};
use crate::{domain::Timestamp, notify::endpoint::Endpoint};

/// How long a word holds. 24 hours is the most that services take.
const LIFE: Duration = Duration::from_secs(12 * 3600);
/// For how long the same word is used again: signing is the dearest part of a push.
const REUSE: Duration = Duration::from_secs(3600);
/// Services whose word is remembered; browsers know a handful.
const REMEMBERED: usize = 256;

/// This installation's key pair. Browsers bind their subscriptions to it: whoever loses it
/// loses all of them.
pub(crate) struct Vapid {
    key: SigningKey,
    public: String,
    /// `mailto:` or `https:`, for the service's operators; some services insist on it.
    contact: Option<String>,
    words: Mutex<Vec<(String, Instant, HeaderValue)>>,
}

impl Vapid {
    /// Reads the key from `file` or makes one there, for its owner only.
    ///
    /// # Errors
    /// If the file cannot be used or holds something else.
    pub(crate) fn open(file: &Path, contact: Option<String>) -> io::Result<Self> {
        let secret = match std::fs::read_to_string(file) {
            Ok(text) => parse(text.trim()).ok_or_else(|| {
                let what = format!("{} holds no VAPID key: 32 bytes in base64url", file.display());
                io::Error::new(io::ErrorKind::InvalidData, what)
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => match make(file) {
                // Another process was quicker, and its key is everybody's.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    return Self::open(file, contact);
                }
                made => made?,
            },
            Err(error) => return Err(error),
        };
        let public = BASE64.encode(point(&secret.public_key()));
        Ok(Self { key: secret.into(), public, contact, words: Mutex::default() })
    }

    /// What browsers call `applicationServerKey`.
    pub(crate) fn public_key(&self) -> &str {
        &self.public
    }

    /// The value of `Authorization` for requests to this endpoint.
    pub(super) fn authorization(&self, endpoint: &Endpoint) -> HeaderValue {
        let audience = endpoint.origin();
        let mut words = self.words.lock();
        words.retain(|(_, since, _)| since.elapsed() < REUSE);
        if let Some((_, _, word)) = words.iter().find(|(known, ..)| *known == audience) {
            return word.clone();
        }
        let token = self.sign(&audience, Timestamp::now().after(LIFE).millis() / 1000);
        let word = HeaderValue::from_str(&format!("vapid t={token},k={}", self.public))
            .unwrap_or(HeaderValue::from_static("vapid"));
        if words.len() < REMEMBERED {
            words.push((audience, Instant::now(), word.clone()));
        }
        word
    }

    fn sign(&self, audience: &str, expires: i64) -> String {
        let mut claims = json!({"aud": audience, "exp": expires});
        if let Some(contact) = &self.contact {
            claims["sub"] = contact.as_str().into();
        }
        let head = BASE64.encode(r#"{"typ":"JWT","alg":"ES256"}"#);
        let signed = format!("{head}.{}", BASE64.encode(claims.to_string()));
        let signature: Signature = self.key.sign(signed.as_bytes());
        format!("{signed}.{}", BASE64.encode(signature.to_bytes()))
    }
}

fn parse(text: &str) -> Option<SecretKey> {
    SecretKey::from_slice(&BASE64.decode(text).ok()?).ok()
}

fn make(file: &Path) -> io::Result<SecretKey> {
    use std::io::Write as _;
    let secret = fresh_secret();
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // Whole or not at all: processes that start together must not read half a key.
    let draft = file.with_extension(format!("{}.draft", std::process::id()));
    let mut out = options.open(&draft)?;
    out.write_all(BASE64.encode(secret.to_bytes()).as_bytes())?;
    out.sync_all()?;
    let kept = std::fs::hard_link(&draft, file);
    std::fs::remove_file(&draft)?;
    kept.map(|()| secret)
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::{VerifyingKey, signature::Verifier as _};

    use super::*;

    #[test]
    fn the_key_is_made_once_and_only_its_owner_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("vapid.key");
        let first = Vapid::open(&file, None).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(Vapid::open(&file, None).unwrap().public_key(), first.public_key());
        std::fs::write(&file, "nothing of the kind").unwrap();
        assert!(Vapid::open(&file, None).is_err());
    }

    #[test]
    fn the_word_names_the_origin_ends_within_a_day_and_is_signed_with_the_key_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let contact = Some("mailto:ops@chat.example".to_owned());
        let vapid = Vapid::open(&folder.path().join("k"), contact).unwrap();
        let endpoint = Endpoint::parse("https://push.example/some/path").unwrap();
        let header = vapid.authorization(&endpoint);
        assert_eq!(header, vapid.authorization(&endpoint), "the same word for an hour");
        let text = header.to_str().unwrap().strip_prefix("vapid t=").unwrap();
        let (token, key) = text.split_once(",k=").unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let key = VerifyingKey::from_sec1_bytes(&BASE64.decode(key).unwrap()).unwrap();
        let signature = Signature::from_slice(&BASE64.decode(signature).unwrap()).unwrap();
        key.verify(signed.as_bytes(), &signature).unwrap();
        let claims = BASE64.decode(signed.split_once('.').unwrap().1).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["aud"], "https://push.example");
        assert_eq!(claims["sub"], "mailto:ops@chat.example");
        let ahead = claims["exp"].as_i64().unwrap() - Timestamp::now().millis() / 1000;
        assert!((3600..=24 * 3600).contains(&ahead), "{ahead}");
    }
}
