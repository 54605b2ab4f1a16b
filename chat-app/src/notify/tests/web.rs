//! Browsers' push services and webhooks.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use axum::{http::StatusCode, response::IntoResponse};
use hmac::{Hmac, Mac as _};
use rustls::{RootCertStore, ServerConfig};
use sha2::Sha256;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::{client, endpoint, push, service::Service};
use crate::notify::{
    client::Client,
    endpoint::Reach,
    gateway::{Address, Keys, Outcome, PushGateway as _},
    gateways::{Vapid, WebPush, Webhook},
};

fn subscription(url: &str) -> Address {
    Address::WebPush {
        endpoint: endpoint(url),
        keys: Keys {
            p256dh: "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4".into(),
            auth: "BTBZMqHH6r4Tts7J_aSIgg".into(),
        },
    }
}

fn webpush(client: Client) -> WebPush {
    let folder = tempfile::tempdir().unwrap();
    let vapid = Arc::new(Vapid::open(&folder.path().join("vapid.key"), None).unwrap());
    WebPush { client, vapid }
}

/// What a service that answers so makes of a push.
async fn outcome_of(
    answer: impl Fn() -> axum::response::Response + Clone + Send + Sync + 'static,
) -> Outcome {
    let service = Service::answering(move |_| answer()).await;
    webpush(client(Reach::Anywhere)).push(&subscription(&service.url("/p")), &push()).await
}

fn cause(outcome: Outcome) -> String {
    match outcome {
        Outcome::Later { cause, .. } | Outcome::Refused { cause } => cause,
        other => panic!("{other:?} has no cause"),
    }
}

#[tokio::test]
async fn a_push_has_the_headers_of_the_rfcs_and_nothing_readable_in_it() {
    let service = Service::answering(|_| StatusCode::CREATED.into_response()).await;
    let gateway = webpush(client(Reach::Anywhere));
    let outcome = gateway.push(&subscription(&service.url("/send/abc")), &push()).await;
    assert_eq!(outcome, Outcome::Sent);
    let got = service.one();
    assert_eq!(got.path, "/send/abc");
    assert_eq!(got.header("ttl"), "86400");
    assert_eq!(got.header("urgency"), "normal");
    assert_eq!(got.header("content-encoding"), "aes128gcm");
    assert_eq!(got.header("topic"), push().collapse_key());
    assert_eq!(got.header("topic").len(), 32);
    assert!(got.header("authorization").starts_with("vapid t="));
    let text = String::from_utf8_lossy(&got.body);
    assert!(!text.contains("hello") && !text.contains("Tea"));
}

#[tokio::test]
async fn what_a_service_answers_decides_what_becomes_of_the_push() {
    let later = |wait| move |outcome: &Outcome| matches!(outcome, Outcome::Later { wait: w, .. } if *w == wait);
    assert_eq!(outcome_of(|| StatusCode::OK.into_response()).await, Outcome::Sent);
    for gone in [StatusCode::GONE, StatusCode::NOT_FOUND] {
        assert_eq!(outcome_of(move || gone.into_response()).await, Outcome::Gone);
    }
    let busy = outcome_of(|| {
        (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "7")], "slow down\0").into_response()
    });
    let busy = busy.await;
    assert!(later(Some(Duration::from_secs(7)))(&busy), "{busy:?}");
    assert_eq!(cause(busy), "answered 429 slow down");
    for away in [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::BAD_GATEWAY, StatusCode::FORBIDDEN]
    {
        assert!(later(None)(&outcome_of(move || away.into_response()).await), "{away}");
    }
    let refused = outcome_of(|| StatusCode::PAYLOAD_TOO_LARGE.into_response()).await;
    assert!(matches!(refused, Outcome::Refused { .. }), "{refused:?}");
}

#[tokio::test]
async fn a_redirect_leads_nowhere() {
    let inside = Service::answering(|_| StatusCode::OK.into_response()).await;
    let target = inside.url("/admin");
    for code in [301, 302, 307, 308] {
        let target = target.clone();
        let outcome = outcome_of(move || {
            (StatusCode::from_u16(code).unwrap(), [("location", target.clone())]).into_response()
        });
        let outcome = outcome.await;
        assert!(matches!(outcome, Outcome::Refused { .. }), "{outcome:?}");
    }
    assert!(inside.all().is_empty(), "somebody came");
}

#[tokio::test]
async fn a_service_that_never_ends_or_never_begins_costs_bounded_time_and_memory() {
    let gateway = webpush(client(Reach::Anywhere).with_patience(Duration::from_secs(120)));
    let endless = Service::writing(b"HTTP/1.1 201 Created\r\n\r\n", &[b'x'; 8192]).await;
    let begin = Instant::now();
    assert_eq!(gateway.push(&subscription(&endless.url("/")), &push()).await, Outcome::Sent);
    assert!(begin.elapsed() < Duration::from_secs(100), "the cap ended it, not the clock");
    let headers = Service::writing(b"HTTP/1.1 201 Created\r\n", b"x-more: and more\r\n").await;
    let outcome = gateway.push(&subscription(&headers.url("/")), &push()).await;
    assert!(matches!(outcome, Outcome::Later { .. }), "{outcome:?}");

    let patient = client(Reach::Anywhere).with_patience(Duration::from_secs(2));
    let gateway = webpush(patient);
    for service in
        [Service::writing(b"", b"").await, Service::writing(b"HTTP/1.1 201 Crea", b"").await]
    {
        let outcome = gateway.push(&subscription(&service.url("/")), &push()).await;
        assert!(cause(outcome).starts_with("no answer within"));
        assert_eq!(service.connections.load(Ordering::SeqCst), 1);
    }
    let deaf = tokio::net::TcpSocket::new_v4().unwrap(); // bound, and never listened on
    deaf.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let nobody = deaf.local_addr().unwrap();
    let outcome = gateway.push(&subscription(&format!("http://{nobody}/")), &push()).await;
    assert!(cause(outcome).starts_with("the connection failed"));
}

#[tokio::test]
async fn names_and_addresses_that_lead_inside_are_refused_when_registered_and_when_connected() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let public = client(Reach::Public);
    let gateway = webpush(public.clone());
    for url in [
        // A name whose address has become an inner one since it was registered.
        format!("https://localhost:{port}/"),
        format!("https://127.0.0.1:{port}/"),
        format!("https://[::ffff:127.0.0.1]:{port}/"),
        // Other ways to write 127.0.0.1, which only the system's resolver understands.
        format!("https://2130706433:{port}/"),
        format!("https://0x7f.1:{port}/"),
        format!("http://localhost:{port}/"),
    ] {
        assert!(public.check(&endpoint(&url)).await.is_err(), "{url} can be registered");
        let outcome = gateway.push(&subscription(&url), &push()).await;
        assert!(cause(outcome).starts_with("the address is not allowed"), "{url}");
    }
    assert!(client(Reach::Anywhere).check(&endpoint("http://localhost/")).await.is_ok());
    let came = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(came.is_err(), "a connection was made");
}

/// Answers 201 over TLS, under a certificate for `name`.
async fn tls_service(name: &str) -> (u16, RootCertStore, tokio::task::JoinHandle<()>) {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut head = vec![0; 64 * 1024];
            let _ = stream.read(&mut head).await;
            let answer = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n";
            let _ = stream.write_all(answer).await;
            let _ = stream.shutdown().await;
        }
    });
    (port, roots, task)
}

#[tokio::test]
async fn tls_is_checked_against_known_authorities_and_the_name() {
    let (port, roots, task) = tls_service("localhost").await;
    let known = Client::new(Reach::Anywhere, roots.clone()).unwrap();
    let here = subscription(&format!("https://localhost:{port}/p"));
    assert_eq!(webpush(known.clone()).push(&here, &push()).await, Outcome::Sent);
    let outcome = webpush(client(Reach::Anywhere)).push(&here, &push()).await;
    assert!(cause(outcome).contains("certificate"), "an unknown authority");
    let elsewhere = subscription(&format!("https://127.0.0.1:{port}/p"));
    let outcome = webpush(known).push(&elsewhere, &push()).await;
    assert!(cause(outcome).contains("certificate"), "another name");
    task.abort();
}

#[tokio::test]
async fn a_webhook_gets_json_that_it_can_trust() {
    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    let service = Service::answering(|_| StatusCode::NO_CONTENT.into_response()).await;
    let to = Address::Webhook { url: endpoint(&service.url("/hook")), secret: SECRET.into() };
    let gateway = Webhook(client(Reach::Anywhere));
    assert_eq!(gateway.push(&to, &push()).await, Outcome::Sent);
    let got = service.one();
    assert_eq!(
        got.json(),
        serde_json::json!({
            "room": "r-1", "title": "Tea", "sender": "Ann", "preview": "hello", "unread": 3,
            "position": "0000002a-0000000000000007", "device": "d-1",
            "collapse_key": push().collapse_key(),
        })
    );
    let (time, signature) = got.header("x-signature").split_once(",v1=").unwrap();
    let time = time.strip_prefix("t=").unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{time}.{}", std::str::from_utf8(&got.body).unwrap()).as_bytes());
    let expected: String =
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(signature, expected);
    assert!(!format!("{to:?}").contains(SECRET));
}
