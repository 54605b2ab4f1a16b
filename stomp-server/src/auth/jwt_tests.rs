//! Tokens that hold, and the many that must not.

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::*;

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

fn token_of(header: &Header, claims: &Value, secret: &[u8]) -> String {
    encode(header, claims, &EncodingKey::from_secret(secret)).unwrap()
}

fn token(claims: &Value) -> String {
    token_of(&Header::new(Algorithm::HS256), claims, SECRET)
}

fn good() -> Value {
    json!({"sub": "ann", "exp": now() + 3600})
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = good();
    claims[name] = value;
    claims
}

fn tokens() -> Tokens {
    Tokens::from_secret(SECRET).unwrap()
}

fn code(tokens: &Tokens, token: &str) -> Result<String, Code> {
    match tokens.verify::<NoClaims>(token) {
        Ok(verified) => Ok(verified.subject.to_string()),
        Err(problem) => Err(problem.code),
    }
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

#[tokio::test]
async fn a_token_logs_in_as_its_subject_until_it_expires() {
    for credentials in [
        Credentials { passcode: Some(token(&good())), ..Credentials::default() },
        Credentials {
            authorization: Some(format!("Bearer {}", token(&good()))),
            passcode: Some("ignored".to_owned()),
            ..Credentials::default()
        },
    ] {
        let ann = tokens().authenticate(credentials).await.unwrap();
        assert_eq!(ann.name(), "ann");
        let left = ann.expires.unwrap() - tokio::time::Instant::now().into_std();
        assert!((3655..=3660).contains(&left.as_secs()), "an hour and the leeway: {left:?}");
    }
}

#[test]
fn what_else_is_asked_for_comes_along() {
    #[derive(Deserialize)]
    struct Profile {
        name: String,
        picture: Option<String>,
    }
    let verified = tokens().verify::<Profile>(&token(&with("name", json!("Ann Ä")))).unwrap();
    assert_eq!(verified.claims.name, "Ann Ä");
    assert_eq!(verified.claims.picture, None);
}

#[test]
fn a_token_without_a_time_or_past_it_does_not_hold() {
    let tokens = tokens();
    assert_eq!(code(&tokens, &token(&json!({"sub": "ann"}))), Err(Code::Unauthorized));
    assert_eq!(code(&tokens, &token(&with("exp", json!("never")))), Err(Code::Unauthorized));
    assert_eq!(code(&tokens, &token(&with("exp", json!(now() - 61)))), Err(Code::Expired));
    assert_eq!(code(&tokens, &token(&with("exp", json!(now() - 50)))), Ok("ann".into()));
    assert_eq!(code(&tokens, &token(&with("exp", json!(u64::MAX)))), Ok("ann".into()));
    assert_eq!(code(&tokens, &token(&with("nbf", json!(now() + 90)))), Err(Code::Unauthorized));
    assert_eq!(code(&tokens, &token(&with("nbf", json!(now() + 30)))), Ok("ann".into()));
}

#[test]
fn only_a_user_name_is_a_subject() {
    let tokens = tokens();
    assert_eq!(code(&tokens, &token(&with("sub", json!("a.b_c@d-E9")))), Ok("a.b_c@d-E9".into()));
    let long = "x".repeat(129);
    for sub in ["", "a/b", "a b", "ä", "a\nb", "../ann", "a\0", &long] {
        assert_eq!(code(&tokens, &token(&with("sub", json!(sub)))), Err(Code::Unauthorized));
    }
    assert_eq!(code(&tokens, &token(&json!({"exp": now() + 60}))), Err(Code::Unauthorized));
    assert_eq!(code(&tokens, &token(&with("sub", json!(7)))), Err(Code::Unauthorized));
}

#[test]
fn forged_and_broken_tokens_do_not_hold() {
    let tokens = tokens();
    let token = token(&good());
    let (head, signature) = token.rsplit_once('.').unwrap();
    let other = token_of(&Header::default(), &good(), b"another secret of 32 or more bytes");
    let unsigned = |alg: &str, signature: &str| {
        format!("{}.{}.{signature}", part(&json!({"alg": alg, "typ": "JWT"})), part(&good()))
    };
    let mut critical = Header::new(Algorithm::HS256);
    critical.crit = Some(vec!["b64".to_owned()]);
    for forged in [
        String::new(),
        "..".to_owned(),
        "a.b.c".to_owned(),
        other,
        format!("{head}."),
        format!("{head}.{}", &signature[..signature.len() - 2]),
        format!("{token}.x"),
        format!(" {token}"),
        unsigned("none", ""),
        unsigned("None", ""),
        unsigned("none", signature),
        unsigned("HS256", ""),
        unsigned("RS256", signature),
        token_of(&Header::new(Algorithm::HS384), &good(), SECRET),
        token_of(&Header::new(Algorithm::HS512), &good(), SECRET),
        token_of(&critical, &good(), SECRET),
    ] {
        assert_eq!(code(&tokens, &forged), Err(Code::Unauthorized), "{forged}");
    }
}

#[test]
fn limit_token_a_giant_is_refused_before_it_is_read() {
    let tokens = tokens();
    assert_eq!(code(&tokens, &token(&with("x", json!("y".repeat(5_000))))), Ok("ann".into()));
    let giant = token(&with("x", json!("y".repeat(8_000))));
    assert_eq!(code(&tokens, &giant), Err(Code::Unauthorized));
    assert_eq!(code(&tokens, &"a.".repeat(10 << 20)), Err(Code::Unauthorized));
}

#[test]
fn audience_and_issuer_hold_where_they_are_asked_for() {
    let asked = tokens().audience("chat").issuer("door");
    let both = json!({"sub": "ann", "exp": now() + 60, "aud": ["x", "chat"], "iss": "door"});
    assert_eq!(code(&asked, &token(&both)), Ok("ann".into()));
    for (name, value) in [("aud", json!("other")), ("iss", json!("window"))] {
        let mut wrong = both.clone();
        wrong[name] = value;
        assert_eq!(code(&asked, &token(&wrong)), Err(Code::Unauthorized));
        wrong.as_object_mut().unwrap().remove(name);
        assert_eq!(code(&asked, &token(&wrong)), Err(Code::Unauthorized), "without {name}");
    }
    assert_eq!(code(&tokens(), &token(&both)), Ok("ann".into()), "else any is taken");
}

#[test]
fn a_short_secret_is_no_secret() {
    assert_eq!(Tokens::from_secret(&SECRET[..31]).unwrap_err(), TokensError::ShortSecret(31));
}

/// Private keys that sign, and the JWKS that checks.
mod key_sets {
    use super::*;

    fn ed25519() -> (EncodingKey, Value) {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let x = URL_SAFE_NO_PAD.encode(rcgen::PublicKeyData::der_bytes(&pair));
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": "ed", "use": "sig", "x": x});
        (EncodingKey::from_ed_der(&pair.serialize_der()), jwk)
    }

    fn p256() -> (EncodingKey, Value) {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let point = rcgen::PublicKeyData::der_bytes(&pair);
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
        let jwk = json!({"kty": "EC", "crv": "P-256", "kid": "ec", "alg": "ES256", "x": x, "y": y});
        (EncodingKey::from_ec_der(&pair.serialize_der()), jwk)
    }

    fn signed(algorithm: Algorithm, kid: Option<&str>, key: &EncodingKey) -> String {
        let mut header = Header::new(algorithm);
        header.kid = kid.map(str::to_owned);
        encode(&header, &good(), key).unwrap()
    }

    fn set(keys: &[&Value]) -> Tokens {
        Tokens::from_jwks(&json!({ "keys": keys }).to_string()).unwrap()
    }

    #[test]
    fn es256_and_eddsa_tokens_are_checked_by_the_key_that_they_name() {
        let ((ed, ed_jwk), (ec, ec_jwk)) = (ed25519(), p256());
        let tokens = set(&[&ed_jwk, &ec_jwk]);
        assert_eq!(code(&tokens, &signed(Algorithm::EdDSA, Some("ed"), &ed)), Ok("ann".into()));
        assert_eq!(code(&tokens, &signed(Algorithm::ES256, Some("ec"), &ec)), Ok("ann".into()));
        assert_eq!(code(&tokens, &signed(Algorithm::ES256, None, &ec)), Ok("ann".into()));
        for (algorithm, kid, key) in [
            (Algorithm::EdDSA, "ec", &ed),
            (Algorithm::ES256, "ed", &ec),
            (Algorithm::ES256, "unknown", &ec),
            (Algorithm::ES256, "ec", &p256().0),
        ] {
            assert_eq!(
                code(&tokens, &signed(algorithm, Some(kid), key)),
                Err(Code::Unauthorized),
                "{algorithm:?} {kid}"
            );
        }
    }

    #[test]
    fn rs256_tokens_are_checked_and_a_public_key_is_never_a_secret() {
        let key = EncodingKey::from_rsa_der(&URL_SAFE_NO_PAD.decode(RSA_DER).unwrap());
        let jwk = json!({"kty": "RSA", "kid": "rsa", "n": RSA_N, "e": "AQAB"});
        let tokens = set(&[&jwk]);
        assert_eq!(code(&tokens, &signed(Algorithm::RS256, Some("rsa"), &key)), Ok("ann".into()));
        assert_eq!(
            code(&tokens, &signed(Algorithm::RS512, Some("rsa"), &key)),
            Err(Code::Unauthorized)
        );
        // The classic confusion: signed by HMAC with what everybody may know of the key.
        for public in [RSA_N.as_bytes().to_vec(), URL_SAFE_NO_PAD.decode(RSA_N).unwrap()] {
            let confused =
                signed(Algorithm::HS256, Some("rsa"), &EncodingKey::from_secret(&public));
            assert_eq!(code(&tokens, &confused), Err(Code::Unauthorized));
        }
    }

    #[test]
    fn keys_that_are_weak_or_meant_for_something_else_are_passed_over() {
        let (_, mut for_secrecy) = p256();
        for_secrecy["use"] = json!("enc");
        let (_, mut misnamed) = p256();
        misnamed["alg"] = json!("RS256");
        let weak = json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode(b"short")});
        let small = json!({"kty": "RSA", "n": URL_SAFE_NO_PAD.encode([0xff; 128]), "e": "AQAB"});
        let strange = json!({"kty": "AKP", "alg": "ML-DSA-44"});
        for useless in [&for_secrecy, &misnamed, &weak, &small, &strange] {
            let json = json!({ "keys": [useless] }).to_string();
            assert_eq!(Tokens::from_jwks(&json).unwrap_err(), TokensError::NoKey, "{useless}");
        }
        let (ec, jwk) = p256();
        let tokens = set(&[&strange, &for_secrecy, &jwk]);
        assert_eq!(code(&tokens, &signed(Algorithm::ES256, Some("ec"), &ec)), Ok("ann".into()));
        let secret = json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode(SECRET)});
        assert_eq!(code(&set(&[&secret]), &token(&good())), Ok("ann".into()));
        for wrong in ["", "[]", "{}", "{\"keys\": 7}"] {
            assert_eq!(Tokens::from_jwks(wrong).unwrap_err(), TokensError::NoKeySet, "{wrong}");
        }
    }

    /// An RSA key of 2,048 bits, made for this test and used for nothing else.
    const RSA_N: &str = include_str!("../../tests/keys/rsa.n.txt");
    const RSA_DER: &str = include_str!("../../tests/keys/rsa.der.txt");
}
