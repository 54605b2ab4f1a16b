//! TLS of the chat server's own, on both listeners, with certificates that change while it runs.

#![allow(clippy::unwrap_used, reason = "what cannot be had fails the test")]

#[path = "../../stomp-server/tests/doors/mod.rs"]
mod doors;
mod support;

use std::{
    net::SocketAddr,
    process::Command,
    time::{Duration, Instant},
};

use doors::{Authority, Identity, secure, websocket};
use stomp_server::testing::Talk;
use support::{PATIENCE, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// A server with TLS, and who trusts it.
struct House {
    server: Server,
    authority: Authority,
    data: tempfile::TempDir,
}

impl House {
    fn new(is_for_known_clients: bool) -> Self {
        let (authority, data) = (Authority::new(), tempfile::tempdir().unwrap());
        let mut flags = vec!["--tls-cert", "server.pem", "--tls-key", "server.key"];
        if is_for_known_clients {
            flags.extend(["--tls-client-ca", "ca.pem"]);
        }
        let paths: Vec<String> = flags
            .iter()
            .map(|word| match word.strip_prefix("--") {
                Some(_) => (*word).to_owned(),
                None => authority.path(word).to_str().unwrap().to_owned(),
            })
            .collect();
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let server = Server::start_with(data.path(), &paths);
        Self { server, authority, data }
    }

    fn http(&self) -> SocketAddr {
        self.server.base.strip_prefix("https://").expect("https").parse().unwrap()
    }

    fn tcp(&self) -> SocketAddr {
        self.server.tcp.parse().unwrap()
    }

    fn token(&self) -> String {
        let told = self.server.cli(self.data.path(), &["token", "ann"]);
        told.lines().last().unwrap().to_owned()
    }

    /// The whole answer to a request.
    async fn ask(&self, request: &str, token: &str, identity: Option<Identity>) -> String {
        let client = self.authority.client(identity);
        let mut stream = secure(self.http(), client).await.unwrap();
        let (line, body) = request.split_once('\n').unwrap_or((request, ""));
        let request = format!(
            "{line} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // The end of the connection need not be a goodbye of TLS.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// The certificate that newcomers are shown.
    async fn shown(&self) -> Vec<u8> {
        let stream = secure(self.tcp(), self.authority.client(None)).await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    }
}

fn login(token: &str) -> String {
    format!(
        "C: CONNECT⏎accept-version:1.2⏎passcode:{token}⏎⏎^@\nS: CONNECTED⏎user-name:ann\n\
         C: SUBSCRIBE⏎id:0⏎destination:/app/rooms⏎receipt:1⏎⏎^@\nS: RECEIPT⏎receipt-id:1\n\
         S: MESSAGE⏎subscription:0"
    )
}

#[tokio::test]
async fn page_rest_websocket_and_stomp_speak_tls_and_nothing_else() {
    let house = House::new(false);
    let token = house.token();
    let page = house.ask("GET /", "", None).await;
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("<html"), "{page}");
    let me = house.ask("GET /api/v1/me", &token, None).await;
    assert!(me.starts_with("HTTP/1.1 200") && me.contains("\"id\":\"ann\""), "{me}");
    let tcp = secure(house.tcp(), house.authority.client(None)).await.unwrap();
    Talk::over(tcp).play(&login(&token)).await;
    let http = secure(house.http(), house.authority.client(None)).await.unwrap();
    Talk::over(websocket(http).await).play(&login(&token)).await;

    let room = "POST /api/v1/rooms\n{\"kind\":\"group\",\"name\":\"yard\"}";
    let room = house.ask(room, &token, None).await;
    let id = room.split("\"id\":\"").nth(1).and_then(|rest| rest.split('"').next());
    let path = format!("POST /api/v1/rooms/{}/invites", id.unwrap_or_else(|| panic!("{room}")));
    let invite = house.ask(&path, &token, None).await;
    assert!(invite.contains("\"url\":\"https://localhost/#/rooms/"), "{invite}");

    let mut plain = tokio::net::TcpStream::connect(house.http()).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn with_an_authority_for_clients_only_who_has_a_certificate_comes_in() {
    let house = House::new(true);
    let known = || Some(house.authority.issue(&["laptop"], None));
    let stranger = house.authority.client(None);
    // With TLS 1.3 the refusal comes with the first octet that is read.
    if let Ok(mut stream) = secure(house.tcp(), stranger).await {
        assert!(!matches!(stream.read(&mut [0]).await, Ok(1..)), "a stranger is not talked to");
    }
    let token = house.token();
    let me = house.ask("GET /api/v1/me", &token, known()).await;
    assert!(me.starts_with("HTTP/1.1 200") && me.contains("\"id\":\"ann\""), "{me}");
    let nobody = house.ask("GET /api/v1/me", "none", known()).await;
    assert!(nobody.starts_with("HTTP/1.1 401"), "the certificate is no login: {nobody}");
    let tcp = secure(house.tcp(), house.authority.client(known())).await.unwrap();
    Talk::over(tcp).play(&login(&token)).await;
}

#[tokio::test]
async fn certificates_are_read_again_on_hangup_and_a_broken_file_changes_nothing() {
    let house = House::new(false);
    let before = house.shown().await;
    let renewed = house.authority.renew();
    assert_eq!(house.shown().await, before, "nothing was said yet");
    house.server.hang_up();
    let deadline = Instant::now() + PATIENCE;
    while house.shown().await != renewed {
        assert!(Instant::now() < deadline, "the new certificate is shown");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    std::fs::write(house.authority.path("server.pem"), "").unwrap();
    house.server.hang_up();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(house.shown().await, renewed);
    assert_eq!(house.server.terminate(), Some(0));
}

#[test]
fn what_cannot_be_is_refused_by_start_check_and_doctor() {
    let data = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let at = |name: &str| authority.path(name).to_str().unwrap().to_owned();
    let (certificate, key, ca) = (at("server.pem"), at("server.key"), at("ca.pem"));
    let run = |words: &[&str]| {
        let mut run = Command::new(env!("CARGO_BIN_EXE_chat-app"));
        let output = run.args(words).arg("--data").arg(data.path()).output().unwrap();
        let told = [output.stdout, output.stderr].concat();
        (String::from_utf8_lossy(&told).into_owned(), output.status.code())
    };
    for (flags, mends) in [
        (&["--tls-cert", &certificate][..], "--tls-cert and --tls-key belong together"),
        (&["--tls-client-ca", &ca], "--tls-client-ca needs TLS"),
        (&["--tls-cert", &certificate, "--tls-key", &ca], "ca.pem is no usable PEM file"),
    ] {
        let (told, code) = run(&[&["check"], flags].concat());
        assert_eq!(code, Some(2), "{told}");
        assert!(told.contains(mends), "{mends}: {told}");
        let (told, code) = run(&[&["serve", "--http", "127.0.0.1:0"], flags].concat());
        assert!(code.is_some_and(|code| code != 0) && told.contains(mends), "{mends}: {told}");
    }
    let good = ["--tls-cert", &certificate, "--tls-key", &key];
    let (told, code) = run(&[&["check"], &good[..]].concat());
    assert_eq!(code, Some(0), "{told}");
    let (told, _) = run(&[&["doctor"], &good[..]].concat());
    assert!(told.contains(&format!("chmod 600 {key}")), "{told}");
}
