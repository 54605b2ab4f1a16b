//! Signed tokens (JWT) as logins.
//!
//! The key decides the algorithm, never the token: a secret takes HS256, an RSA key RS256,
//! a P-256 key ES256, an Ed25519 key EdDSA, and nothing else is taken from any of them.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header,
    errors::ErrorKind,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse},
};
use serde::{Deserialize, de::DeserializeOwned};

use super::{Authenticate, Credentials, Principal, is_user_name, refused};
use crate::problem::{Code, Problem};

/// How far the clocks of who signs and who checks may differ. It holds for a login and for
/// the life of its session alike.
pub const LEEWAY: Duration = Duration::from_secs(60);
/// The shortest secret: as long as the hash that it keys.
pub const MIN_SECRET: usize = 32;
/// The largest token. Real ones have a few hundred octets.
pub const MAX_TOKEN: usize = 8 * 1024;
/// Keys tried for a token that names none. Each costs a signature check.
const MAX_TRIED: usize = 8;
/// The shortest RSA modulus, in octets.
const MIN_RSA: usize = 256;
/// A token that is good for longer than this ends here: no session lives for so long.
const FAR: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Checks signed tokens.
#[derive(Clone)]
pub struct Tokens {
    keys: Vec<Key>,
    audience: Option<String>,
    issuer: Option<String>,
}

#[derive(Clone)]
struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

/// Why keys cannot be used. It shows none of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokensError {
    /// Too short to be safe.
    #[error("a secret for tokens has at least {MIN_SECRET} bytes; this one has {0}")]
    ShortSecret(usize),
    /// Not the JSON of a key set.
    #[error("this is no JWKS: a JSON object with a list of keys")]
    NoKeySet,
    /// None of its keys can check a signature here.
    #[error(
        "the JWKS holds no usable key (RSA of 2,048 bits, P-256, Ed25519, or a 32-byte secret)"
    )]
    NoKey,
}

/// What a good token says.
#[derive(Clone, Debug)]
pub struct Verified<C> {
    /// The user: `sub`.
    pub subject: Arc<str>,
    /// The token's own id: `jti`.
    pub id: Option<Arc<str>>,
    /// When it stops to hold, leeway included.
    pub expires: Instant,
    /// What else the caller asked for.
    pub claims: C,
}

/// No further claims.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct NoClaims {}

#[derive(Deserialize)]
struct Claims<C> {
    sub: String,
    exp: f64,
    jti: Option<String>,
    #[serde(flatten)]
    more: C,
}

impl Tokens {
    /// Tokens signed with this secret, by HS256.
    ///
    /// # Errors
    /// If it is shorter than [`MIN_SECRET`].
    pub fn from_secret(secret: &[u8]) -> Result<Self, TokensError> {
        if secret.len() < MIN_SECRET {
            return Err(TokensError::ShortSecret(secret.len()));
        }
        let key = DecodingKey::from_secret(secret);
        Ok(Self::with_keys(vec![Key { id: None, algorithm: Algorithm::HS256, key }]))
    }

    /// Tokens signed with one of these keys: the JSON of a JWKS. Keys that are not for
    /// signatures, or of kinds not served here, are passed over.
    ///
    /// # Errors
    /// If it is none, or no key is left.
    pub fn from_jwks(json: &str) -> Result<Self, TokensError> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<serde_json::Value>,
        }
        let set: Set = serde_json::from_str(json).map_err(|_| TokensError::NoKeySet)?;
        let keys: Vec<_> = set.keys.into_iter().filter_map(Key::from_jwk).collect();
        if keys.is_empty() { Err(TokensError::NoKey) } else { Ok(Self::with_keys(keys)) }
    }

    fn with_keys(keys: Vec<Key>) -> Self {
        Self { keys, audience: None, issuer: None }
    }

    /// Takes only tokens that name this audience. Any by default.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// Takes only tokens of this issuer. Any by default.
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Checks a token: signature, time, audience, issuer, and that `sub` names a user.
    ///
    /// # Errors
    /// `expired` for one whose time is over, else `unauthorized`; nothing of the token is shown.
    pub fn verify<C: DeserializeOwned>(&self, token: &str) -> Result<Verified<C>, Problem> {
        if token.len() > MAX_TOKEN {
            return Err(refused());
        }
        let header = decode_header(token).map_err(|_| refused())?;
        if header.crit.is_some() {
            return Err(refused()); // it demands something that is not understood here
        }
        let candidates = self.keys.iter().filter(|key| {
            key.algorithm == header.alg
                && (key.id.is_none() || header.kid.is_none() || key.id == header.kid)
        });
        let mut problem = refused();
        for key in candidates.take(MAX_TRIED) {
            match decode::<Claims<C>>(token, &key.key, &self.validation(key.algorithm)) {
                Ok(token) => return verified(token.claims),
                Err(error) if *error.kind() == ErrorKind::ExpiredSignature => problem = expired(),
                Err(_) => {}
            }
        }
        Err(problem)
    }

    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        let mut required = vec!["exp", "sub"];
        validation.leeway = LEEWAY.as_secs();
        validation.validate_nbf = true;
        validation.validate_aud = self.audience.is_some();
        if let Some(audience) = &self.audience {
            validation.set_audience(&[audience]);
            required.push("aud");
        }
        if let Some(issuer) = &self.issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        validation.set_required_spec_claims(&required);
        validation
    }
}

#[async_trait]
impl Authenticate for Tokens {
    async fn authenticate(&self, credentials: Credentials) -> Result<Principal, Problem> {
        let token = credentials.token().ok_or_else(refused)?;
        let verified = self.verify::<NoClaims>(token)?;
        Ok(Principal {
            user: Some(verified.subject),
            expires: Some(verified.expires),
            ticket: verified.id.map(|id| format!("token:{id}").into()),
        })
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("keys", &self.keys.len()).finish_non_exhaustive()
    }
}

impl Key {
    /// None for a key that cannot, or must not, check signatures here.
    fn from_jwk(json: serde_json::Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(json).ok()?;
        if jwk.common.public_key_use.as_ref().is_some_and(|r#use| *r#use != PublicKeyUse::Signature)
        {
            return None;
        }
        let algorithm = algorithm(&jwk.algorithm)?;
        if jwk
            .common
            .key_algorithm
            .is_some_and(|named| named.to_string().parse().ok() != Some(algorithm))
        {
            return None;
        }
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        Some(Self { id: jwk.common.key_id, algorithm, key })
    }
}

/// The one algorithm that a key is good for.
fn algorithm(key: &AlgorithmParameters) -> Option<Algorithm> {
    let octets = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
    match key {
        AlgorithmParameters::RSA(rsa) => {
            let modulus = octets(&rsa.n);
            let length = modulus.iter().skip_while(|octet| **octet == 0).count();
            (length >= MIN_RSA).then_some(Algorithm::RS256)
        }
        AlgorithmParameters::EllipticCurve(curve) => {
            (curve.curve == EllipticCurve::P256).then_some(Algorithm::ES256)
        }
        AlgorithmParameters::OctetKeyPair(pair) => {
            (pair.curve == EllipticCurve::Ed25519).then_some(Algorithm::EdDSA)
        }
        AlgorithmParameters::OctetKey(secret) => {
            (octets(&secret.value).len() >= MIN_SECRET).then_some(Algorithm::HS256)
        }
    }
}

fn verified<C>(claims: Claims<C>) -> Result<Verified<C>, Problem> {
    if !is_user_name(&claims.sub) {
        return Err(refused());
    }
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // A time that no clock will show is as good as ten years from now.
    let until = Duration::try_from_secs_f64(claims.exp.max(0.0)).unwrap_or(Duration::MAX);
    let left = until.saturating_add(LEEWAY).saturating_sub(since_1970).min(FAR);
    Ok(Verified {
        subject: claims.sub.into(),
        id: claims.jti.map(Into::into),
        // The session's timers run on this clock, which tests can stop.
        expires: tokio::time::Instant::now().into_std() + left,
        claims: claims.more,
    })
}

fn expired() -> Problem {
    Problem::new(Code::Expired, "The token's time is over; log in again with a new one.")
}

#[cfg(test)]
#[path = "jwt_tests.rs"]
mod tests;
