//! An existing service's users, and the service itself.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    DONE, House, answer, eventually, printed_token, refused, said,
    support::{PASSWORD, Person, Stomp, event, header},
};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn in_seconds(more: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_secs() as i64 + more
}

fn signed(header: &Header, claims: &Value, secret: &[u8]) -> String {
    encode(header, claims, &EncodingKey::from_secret(secret)).unwrap()
}

fn hs256(claims: &Value) -> String {
    signed(&Header::new(Algorithm::HS256), claims, SECRET.as_bytes())
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn with_token(house: &House, name: &str, token: String) -> Person {
    let mut person = house.server.anonymous();
    person.name = name.to_owned();
    person.token = token;
    person
}

/// A server that takes the tokens of this secret, for the audience `chat`, of the issuer `door`.
fn with_secret() -> House {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, SECRET).unwrap();
    let secret = format!("@{}", file.display());
    House::new(&["--jwt-secret", &secret, "--jwt-audience", "chat", "--jwt-issuer", "door"])
}

fn good(user: &str) -> Value {
    json!({"sub": user, "exp": in_seconds(3600), "aud": "chat", "iss": "door"})
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = good("ann");
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = good("ann");
    claims.as_object_mut().unwrap().remove(name);
    claims
}

#[tokio::test]
async fn a_user_is_made_from_what_its_token_says() {
    let house = with_secret();
    let mut claims = good("Ann.B@example.org");
    claims["name"] = json!("Ann 안");
    claims["picture"] = json!("https://pics.example/ann.png");
    let ann = with_token(&house, "Ann.B@example.org", hs256(&claims));
    let me = ann.get("me").await;
    assert_eq!(me["id"], "Ann.B@example.org");
    assert_eq!((&me["name"], &me["picture"]), (&claims["name"], &claims["picture"]));
    // What cannot be shown is left out, and who has been seen keeps its name.
    let odd = json!({"name": "", "picture": "javascript:alert(1)"});
    let mut claims = good("bob");
    claims.as_object_mut().unwrap().extend(odd.as_object().unwrap().clone());
    let bob = with_token(&house, "bob", hs256(&claims));
    assert_eq!(bob.get("me").await["name"], "bob");
    assert!(bob.get("me").await.get("picture").is_none());

    let room = ann.group("Tea", &[&bob]).await;
    let mut b = bob.stomp().await;
    b.subscribe("room", &format!("/topic/rooms.{room}"), &[]).await;
    ann.stomp().await.say(&room, "a-1", "hello").await.unwrap();
    assert_eq!(event(&b.message_on("room").await)["message"]["sender"], "Ann.B@example.org");

    // Own accounts are off, and nobody who is gone comes back by a token.
    let account = Some(json!({"name": "eve", "password": PASSWORD}));
    for path in ["accounts", "sessions"] {
        assert_eq!(
            answer(&ann, Method::POST, path, account.clone()).await,
            refused(404, "not-found")
        );
    }
    assert_eq!(answer(&bob, Method::DELETE, "sessions/current", None).await, DONE);
    assert_eq!(answer(&bob, Method::GET, "me", None).await, refused(401, "unauthorized"));
    let cat = with_token(&house, "cat", hs256(&good("cat")));
    assert_eq!(answer(&cat, Method::DELETE, "me", None).await, DONE);
    let again = with_token(&house, "cat", hs256(&with("sub", json!("cat"))));
    assert_eq!(answer(&again, Method::GET, "me", None).await, refused(401, "unauthorized"));
}

#[tokio::test]
async fn forged_tokens_hold_nowhere() {
    let house = with_secret();
    let token = hs256(&good("ann"));
    let (head, signature) = token.rsplit_once('.').unwrap();
    let unsigned = |alg: &str, signature: &str| {
        format!("{}.{}.{signature}", part(&json!({"alg": alg, "typ": "JWT"})), part(&good("ann")))
    };
    let attacks = [
        ("none", unsigned("none", "")),
        ("None with a signature", unsigned("None", signature)),
        ("another algorithm's name", unsigned("RS256", signature)),
        ("HS512", signed(&Header::new(Algorithm::HS512), &good("ann"), SECRET.as_bytes())),
        (
            "another secret",
            signed(&Header::default(), &good("ann"), b"another one of 32 bytes and more"),
        ),
        ("no signature", format!("{head}.")),
        ("a cut signature", format!("{head}.{}", &signature[..signature.len() - 2])),
        ("exp as text", hs256(&with("exp", json!("9999999999")))),
        ("no exp", hs256(&without("exp"))),
        ("no sub", hs256(&without("sub"))),
        ("a sub that is none", hs256(&with("sub", json!("../ann")))),
        ("another audience", hs256(&with("aud", json!("mail")))),
        ("no audience", hs256(&without("aud"))),
        ("another issuer", hs256(&with("iss", json!("window")))),
        ("not yet", hs256(&with("nbf", json!(in_seconds(600))))),
        ("a giant", hs256(&with("x", json!("y".repeat(9_000))))),
        ("rubbish", "a.b.c".to_owned()),
        ("nothing", String::new()),
    ];
    for (attack, token) in attacks {
        let eve = with_token(&house, "eve", token.clone());
        assert_eq!(
            answer(&eve, Method::GET, "me", None).await,
            refused(401, "unauthorized"),
            "{attack}"
        );
        let mut stomp = Stomp::open(&house.server.tcp).await;
        stomp.write("CONNECT", &[("accept-version", "1.2"), ("passcode", &token)], "").await;
        // A giant does not even fit into a header line.
        let code = if attack == "a giant" { "limit" } else { "unauthorized" };
        assert_eq!(header(&stomp.frame().await, "code"), code, "{attack}");
    }
    let late = with_token(&house, "ann", hs256(&with("exp", json!(in_seconds(-61)))));
    assert_eq!(answer(&late, Method::GET, "me", None).await, refused(401, "expired"));
    let within = with_token(&house, "ann", hs256(&with("exp", json!(in_seconds(-30)))));
    assert_eq!(answer(&within, Method::GET, "me", None).await.0, 200, "clocks differ");
}

#[tokio::test]
async fn a_token_whose_time_is_over_ends_its_session() {
    let house = with_secret();
    // One second is left, with the leeway.
    let ann = with_token(&house, "ann", hs256(&with("exp", json!(in_seconds(-57)))));
    let mut a = ann.stomp().await;
    let ended = a.frame().await;
    assert_eq!((ended.command().as_str(), header(&ended, "code").as_str()), ("ERROR", "expired"));
}

/// A key that signs, and what is published of it.
fn p256(kid: &str) -> (EncodingKey, Value) {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let point = rcgen::PublicKeyData::der_bytes(&pair);
    let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
    let jwk = json!({"kty": "EC", "crv": "P-256", "kid": kid, "alg": "ES256", "x": x, "y": y});
    (EncodingKey::from_ec_der(&pair.serialize_der()), jwk)
}

fn es256(kid: &str, key: &EncodingKey) -> String {
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some(kid.to_owned());
    encode(&header, &json!({"sub": "ann", "exp": in_seconds(3600)}), key).unwrap()
}

/// Serves these bytes as a key set, whatever is asked for.
async fn key_server(set: std::sync::Arc<std::sync::Mutex<String>>) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let body = set.lock().unwrap().clone();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\
                 content-length: {}\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all((head + &body).as_bytes()).await;
        }
    });
    format!("http://{address}/keys")
}

/// A new key is taken as soon as somebody comes with it, and the old one no more.
async fn rotates(house: House, publish: impl Fn(String)) {
    let ((old, old_jwk), (new, new_jwk)) = (p256("old"), p256("new"));
    publish(json!({"keys": [old_jwk]}).to_string());
    let ann = with_token(&house, "ann", es256("old", &old));
    eventually("the old key", async || {
        (answer(&ann, Method::GET, "me", None).await.0 == 200).then_some(())
    })
    .await;
    let next = with_token(&house, "ann", es256("new", &new));
    assert_eq!(answer(&next, Method::GET, "me", None).await, refused(401, "unauthorized"));
    publish(json!({"keys": [new_jwk]}).to_string());
    eventually("the new key", async || {
        (answer(&next, Method::GET, "me", None).await.0 == 200).then_some(())
    })
    .await;
    assert_eq!(answer(&ann, Method::GET, "me", None).await, refused(401, "unauthorized"));
    // The public key of everybody's knowledge is no secret.
    let mut confused = Header::new(Algorithm::HS256);
    confused.kid = Some("new".to_owned());
    let claims = json!({"sub": "ann", "exp": in_seconds(3600)});
    let x = new_jwk["x"].as_str().unwrap();
    for public in [x.as_bytes().to_vec(), URL_SAFE_NO_PAD.decode(x).unwrap()] {
        let eve = with_token(&house, "eve", signed(&confused, &claims, &public));
        assert_eq!(answer(&eve, Method::GET, "me", None).await, refused(401, "unauthorized"));
    }
}

#[tokio::test]
async fn keys_in_a_file_may_change_at_any_moment() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    std::fs::write(&file, json!({"keys": [p256("first").1]}).to_string()).unwrap();
    let house = House::new(&["--jwt-jwks", file.to_str().unwrap()]);
    rotates(house, |set| std::fs::write(&file, set).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_at_an_address_may_change_at_any_moment() {
    let set = std::sync::Arc::new(std::sync::Mutex::new("not there yet".to_owned()));
    let url = key_server(set.clone()).await;
    let house = House::new(&["--jwt-jwks", &url]);
    rotates(house, |new| *set.lock().unwrap() = new).await;
}

#[tokio::test]
async fn a_service_makes_users_rooms_and_members_and_speaks_for_them() {
    let house = House::new(&[]);
    let [ann, eve] = house.people(["ann", "eve"]).await;
    let token = printed_token(&house, "backend", &["--scope", "service", "--ttl", "1h"]);
    let service = with_token(&house, "backend", token);

    let put = |who: &Person, body: Value| {
        let who = who.clone();
        async move { who.call(Method::PUT, "users/customer.7", Some(body)).await }
    };
    let customer = json!({"name": "Customer 7", "picture": "https://pics.example/7.png"});
    let (status, user) = put(&service, customer.clone()).await;
    assert_eq!((status.as_u16(), &user["id"]), (201, &json!("customer.7")));
    assert_eq!(put(&service, customer.clone()).await.0, 200, "the same again");
    assert_eq!(put(&ann, customer).await.0, 403, "people make no users");
    assert_eq!(ann.get("users?query=customer").await["users"][0]["name"], "Customer 7");

    // A direct room of two others, and a group that the service is in itself.
    let direct = json!({"kind": "direct", "members": ["ann", "customer.7"]});
    let direct = service.post("rooms", direct).await;
    assert_eq!(direct["members"], json!(["ann", "customer.7"]));
    let direct = direct["id"].as_str().unwrap().to_owned();
    let mut a = ann.stomp().await;
    a.subscribe("room", &format!("/topic/rooms.{direct}"), &[]).await;
    let messages = format!("rooms/{direct}/messages");
    let spoken =
        json!({"text": "where is my parcel?", "sender": "customer.7", "client_message_id": "c-1"});
    let sent = service.post(&messages, spoken.clone()).await;
    let heard = event(&a.message_on("room").await);
    assert_eq!(heard["message"]["sender"], "customer.7");
    assert_eq!(heard["message"]["id"], sent["message_id"]);
    assert_eq!(service.post(&messages, spoken).await["duplicate"], true);
    let stranger = json!({"text": "x", "sender": "eve"});
    assert_eq!(
        answer(&service, Method::POST, &messages, Some(stranger)).await,
        refused(400, "invalid")
    );
    // From everybody else the field is ignored.
    said(&ann, &direct, json!({"text": "it is on its way", "sender": "customer.7"})).await;
    assert_eq!(event(&a.message_on("room").await)["message"]["sender"], "ann");
    let page = service.get(&messages).await;
    assert_eq!(page["messages"].as_array().unwrap().len(), 2, "a service sees every room");

    let group = eve.group("Eve's own", &[]).await;
    assert_eq!(service.get(&format!("rooms/{group}")).await["member_count"], 1);
    let member = format!("rooms/{group}/members/ann");
    assert_eq!(answer(&service, Method::PUT, &member, Some(json!({"role": "owner"}))).await.0, 201);
    assert_eq!(
        answer(&service, Method::DELETE, &format!("rooms/{group}/members/eve"), None).await,
        DONE
    );
    let owner = format!("rooms/{group}/members/ann");
    assert_eq!(answer(&service, Method::DELETE, &owner, None).await.0, 204, "the last one out");
    assert_eq!(answer(&service, Method::GET, "rooms/none", None).await, refused(404, "not-found"));

    // Over STOMP it hears every room too; a printed token without the scope hears none.
    let group = eve.group("Quiet", &[]).await;
    let topic = format!("/topic/rooms.{group}");
    let mut listening = service.stomp().await;
    listening.subscribe("room", &topic, &[]).await;
    eve.post(&format!("rooms/{group}/messages"), json!({"text": "hm"})).await;
    assert_eq!(event(&listening.message_on("room").await)["message"]["text"], "hm");
    let plain = with_token(&house, "robot", printed_token(&house, "robot", &[]));
    let refusal = plain.stomp().await.try_subscribe("room", &topic, &[]).await.unwrap_err();
    assert_eq!(refusal["code"], "not-found");
    assert_eq!(
        answer(&plain, Method::GET, &format!("rooms/{group}"), None).await,
        refused(404, "not-found")
    );
}
