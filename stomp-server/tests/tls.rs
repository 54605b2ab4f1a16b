//! TLS: both listeners, client certificates as logins, reloads, and handshakes that stall.
#![cfg(all(feature = "tls", feature = "websocket", feature = "testing"))]
#![allow(clippy::unwrap_used, reason = "what cannot be had fails the test")]

mod doors;

use std::{sync::Arc, time::Duration};

use stomp_server::{Server, Tls, TlsFiles, auth::Logins, session::SessionLimits, testing::Talk};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::doors::{ALL, Authority, Door, House, Identity, secure, websocket};

#[tokio::test]
async fn stomp_is_served_through_every_door() {
    House::of(Server::builder().build()).await.serves_newcomers().await;
}

async fn with_certificates(authority: Authority) -> House {
    let files = authority.files(Some(&authority.path("ca.pem")), false);
    let tls = Arc::new(Tls::load(files).unwrap());
    let server = Server::builder().authenticate(Arc::new(Logins::new().certificates())).build();
    House::with(server, authority, tls).await
}

/// The user that CONNECTED names, over TLS and over a secure WebSocket; `unauthorized` if refused.
async fn user(house: &House, identity: impl Fn() -> Identity) -> String {
    let mut users = Vec::new();
    for door in [Door::Tls, Door::SecureWebSocket] {
        let client = house.authority.client(Some(identity()));
        let mut talk: Talk<doors::Stream> = match door {
            Door::Tls => Talk::over(Box::new(secure(house.tls, client).await.unwrap())),
            _ => Talk::over(Box::new(websocket(secure(house.https, client).await.unwrap()).await)),
        };
        talk.write(b"CONNECT\naccept-version:1.2\nlogin:root\npasscode:x\n\n\0").await;
        let frame = talk.frame().await;
        let user = frame.header("user-name").or(frame.header("code")).unwrap().into_owned();
        users.push(user);
    }
    assert_eq!(users[0], users[1], "the same through both doors");
    users.remove(0)
}

#[tokio::test]
async fn a_client_certificate_logs_in_as_the_name_in_it() {
    let house = with_certificates(Authority::new()).await;
    let issue =
        |common: &[&str], alternative: Option<&str>| house.authority.issue(common, alternative);
    assert_eq!(user(&house, || issue(&["ann"], None)).await, "ann");
    assert_eq!(user(&house, || issue(&["ann"], Some("bob@example.com"))).await, "ann");
    assert_eq!(user(&house, || issue(&[], Some("bob@example.com"))).await, "bob@example.com");
    for strange in ["a/b", "ann\n", "", "a b", "ann\0"] {
        assert_eq!(user(&house, || issue(&[strange], Some("x@y.z"))).await, "unauthorized");
    }
}

#[tokio::test]
async fn a_certificate_of_somebody_else_or_none_gets_nowhere() {
    let house = with_certificates(Authority::new()).await;
    let stranger = Authority::new().issue(&["ann"], None);
    for identity in [None, Some(stranger)] {
        let client = house.authority.client(identity);
        // In TLS 1.3 a client learns of it with its first read.
        if let Ok(mut stream) = secure(house.tls, client).await {
            let mut octets = Vec::new();
            let read =
                tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut octets));
            assert!(read.await.unwrap().is_err(), "an alert, not {octets:?}");
        }
    }
    assert_eq!(user(&house, || house.authority.issue(&["ann"], None)).await, "ann");
}

/// The certificate that the server shows now.
async fn shown(house: &House) -> Vec<u8> {
    let stream = secure(house.tls, house.authority.client(None)).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test]
async fn a_reload_shows_the_new_certificate_and_a_bad_file_keeps_the_old_one() {
    let authority = Authority::new();
    let tls = Arc::new(Tls::load(authority.files(None, false)).unwrap());
    let house = House::with(Server::builder().build(), authority, tls.clone()).await;
    let mut open = house.enter(Door::Tls).await;
    open.login("ann").await;
    let first = shown(&house).await;
    let second = house.authority.renew();
    assert_eq!(shown(&house).await, first, "not before the reload");
    tls.reload().unwrap();
    assert_eq!(shown(&house).await, second);
    for bad in ["", "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n"] {
        std::fs::write(house.authority.path("server.pem"), bad).unwrap();
        tls.reload().unwrap_err();
        assert_eq!(shown(&house).await, second);
    }
    house.authority.renew();
    std::fs::write(
        house.authority.path("server.key"),
        rcgen::KeyPair::generate().unwrap().serialize_pem(),
    )
    .unwrap();
    tls.reload().unwrap_err(); // a key that is not the certificate's
    assert_eq!(shown(&house).await, second);
    open.play("C: SEND⏎destination:/topic/a⏎receipt:1⏎⏎x^@\nS: RECEIPT⏎receipt-id:1").await;
}

#[test]
fn files_that_do_not_fit_are_told_by_name() {
    let authority = Authority::new();
    let good = authority.files(None, false);
    for files in [
        TlsFiles { certificate: "/nowhere.pem".into(), ..good.clone() },
        TlsFiles { key: "/nowhere.pem".into(), ..good.clone() },
        TlsFiles { client_ca: Some("/nowhere.pem".into()), ..good },
    ] {
        let error = Tls::load(files).unwrap_err().to_string();
        assert!(error.contains("/nowhere.pem"), "{error}");
    }
}

#[tokio::test]
async fn limit_connect_timeout_holds_for_handshakes_and_request_heads_too() {
    // Long enough for a handshake and a login on a busy machine, which must succeed within it.
    let limit = Duration::from_secs(4);
    let limits = SessionLimits { connect_timeout: limit, ..SessionLimits::default() };
    let house = House::of(Server::builder().limits(limits).build()).await;
    let stalls = [
        (house.tls, &b""[..]),
        (house.tls, &b"\x16\x03\x01\x02"[..]),
        (house.https, b""),
        (house.http, b""),
        (house.http, b"GET /ws HTTP/1.1\r\nhost:"),
        (house.tcp, b"CONNECT\n"),
    ];
    futures::future::join_all(stalls.map(|(address, first)| async move {
        let start = std::time::Instant::now();
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(first).await.unwrap();
        let mut octets = Vec::new();
        let end = stream.read_to_end(&mut octets);
        let _ = tokio::time::timeout(Duration::from_secs(60), end).await.expect("it is closed");
        let took = start.elapsed();
        assert!(took >= limit, "{first:?} {took:?}");
    }))
    .await;
    // The time runs from accept on: what a handshake took is not given again.
    let house = &house;
    futures::future::join_all(ALL.map(|door| async move {
        let start = std::time::Instant::now();
        let mut talk = house.enter(door).await;
        talk.play("S: ERROR⏎code:limit⏎limit:connect-timeout-ms 4000\nS: (closed)").await;
        assert!(start.elapsed() >= limit, "{door:?}");
    }))
    .await;
    house.serves_newcomers().await;
}

#[tokio::test]
async fn shutdown_ends_sessions_handshakes_and_requests_alike() {
    let house = House::of(Server::builder().build()).await;
    let mut talks = Vec::new();
    for door in ALL {
        let mut talk = house.enter(door).await;
        talk.login("ann").await;
        talks.push(talk);
    }
    let _handshake = TcpStream::connect(house.tls).await.unwrap();
    let _request = TcpStream::connect(house.http).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let server = house.server.clone();
    let stopping = tokio::spawn(async move { server.shutdown(Duration::from_secs(60)).await });
    for talk in &mut talks {
        talk.play("S: ERROR⏎code:shutdown⏎retry-after-ms:*\nS: (closed)").await;
    }
    drop(talks);
    assert!(stopping.await.unwrap(), "drained");
}
