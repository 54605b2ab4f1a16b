//! What a stranger or a hostile client can try, through every door. After each attempt the
//! server serves a newcomer at once.
#![cfg(all(feature = "tls", feature = "websocket", feature = "testing"))]
#![allow(clippy::unwrap_used, reason = "what cannot be had fails the test")]

mod doors;

use std::{sync::Arc, time::Duration};

use stomp_server::{
    Server,
    auth::{Authorize, Decision, Intent, Principal, Rights, Rule},
    problem::{Code, Problem},
    testing::Talk,
};

use crate::doors::{ALL, House, Stream};

/// Tries it through every door, before login or after.
async fn on_each(server: Server, user: Option<&str>, attack: impl AsyncFn(&mut Talk<Stream>)) {
    let house = House::of(server).await;
    for door in ALL {
        let mut talk = house.enter(door).await;
        if let Some(user) = user {
            talk.login(user).await;
        }
        attack(&mut talk).await;
        drop(talk);
        house.serves_newcomers().await;
    }
    let gone = async {
        while house.server.connections() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), gone).await.expect("nothing is left behind");
}

fn server() -> Server {
    Server::builder().build()
}

/// Each of these, in a session of its own, through every door.
async fn each_is_refused(user: Option<&str>, frames: &[(&str, &str)]) {
    let house = House::of(server()).await;
    for door in ALL {
        for (frame, answer) in frames {
            let mut talk = house.enter(door).await;
            if let Some(user) = user {
                talk.login(user).await;
            }
            talk.play(&format!("C: {frame}\nS: ERROR⏎{answer}\nS: (closed)")).await;
        }
    }
    house.serves_newcomers().await;
}

#[tokio::test]
async fn frames_before_login_are_refused() {
    let frames: Vec<_> = [
        "SEND⏎destination:/topic/a⏎⏎x^@",
        "SUBSCRIBE⏎id:0⏎destination:/topic/a⏎⏎^@",
        "UNSUBSCRIBE⏎id:0⏎⏎^@",
        "ACK⏎id:1⏎⏎^@",
        "BEGIN⏎transaction:t⏎⏎^@",
        "COMMIT⏎transaction:t⏎⏎^@",
        "ABORT⏎transaction:t⏎⏎^@",
        "DISCONNECT⏎receipt:1⏎⏎^@",
        "MESSAGE⏎destination:/topic/a⏎⏎x^@",
        "CONNECTED⏎version:1.2⏎⏎^@",
        "GET / HTTP/1.1␍⏎host:x␍⏎␍⏎",
        "connect⏎⏎^@",
    ]
    .map(|frame| (frame, "code:protocol"))
    .into();
    each_is_refused(None, &frames).await;
}

#[tokio::test]
async fn a_second_connect_is_refused() {
    each_is_refused(Some("ann"), &[("CONNECT⏎accept-version:1.2⏎login:root⏎⏎^@", "code:protocol")])
        .await;
}

#[tokio::test]
async fn a_login_name_cannot_pass_for_another_users_destination() {
    // Its `/user/queue/y` would be what `/user/bob/queue/x/queue/y` is to others.
    let login = "CONNECT⏎accept-version:1.2⏎login:bob/queue/x⏎⏎^@";
    each_is_refused(None, &[(login, "code:unauthorized")]).await;
}

#[tokio::test]
async fn decision_12_header_floods_are_cut_off() {
    let many = format!("SEND⏎destination:/topic/a⏎{}", "a:b⏎".repeat(64));
    let long = format!("SEND⏎destination:{}", "x".repeat(11 << 10));
    let nameless = "x".repeat(11 << 10);
    let heavy =
        format!("SEND⏎destination:/topic/a⏎{}", format!("k:{}⏎", "v".repeat(9 << 10)).repeat(8));
    each_is_refused(
        Some("ann"),
        &[
            (many.as_str(), "code:limit⏎limit:max-headers 64"),
            (long.as_str(), "code:limit⏎limit:max-header-line 10240"),
            (nameless.as_str(), "code:limit"),
            (heavy.as_str(), "code:limit⏎limit:max-head 65536"),
        ],
    )
    .await;
    let before = format!("CONNECT⏎{}", format!("k:{}⏎", "v".repeat(9 << 10)).repeat(2));
    each_is_refused(None, &[(before.as_str(), "code:limit⏎limit:max-head 16384")]).await;
}

#[tokio::test]
async fn decision_9_content_lengths_are_not_believed() {
    let sent = |length: &str| format!("SEND⏎destination:/topic/a⏎content-length:{length}⏎⏎x^@");
    let frames: Vec<(String, &str)> = [
        ("99999999999999999999999999", "code:*"),
        ("18446744073709551615", "code:too-large"),
        ("1099511627776", "code:too-large⏎limit:max-body 4194304"),
        ("4194305", "code:too-large⏎limit:max-body 4194304"),
        ("-1", "code:protocol"),
        ("+1", "code:protocol"),
        ("1e3", "code:protocol"),
        ("0x1", "code:protocol"),
        (" 1", "code:protocol"),
        ("", "code:protocol"),
        ("0", "code:protocol"),
    ]
    .map(|(length, answer)| (sent(length), answer))
    .into();
    let frames: Vec<_> = frames.iter().map(|(frame, answer)| (frame.as_str(), *answer)).collect();
    each_is_refused(Some("ann"), &frames).await;
}

#[tokio::test]
async fn subscriptions_by_the_thousand_end_at_the_limit() {
    on_each(server(), Some("ann"), async |talk| {
        let frames: String = (0..2_000)
            .map(|n| format!("SUBSCRIBE\nid:{n}\ndestination:/topic/t{n}\n\n\0"))
            .collect();
        talk.write(frames.as_bytes()).await;
        talk.play("S: ERROR⏎code:limit⏎limit:max-subscriptions 128\nS: (closed)").await;
    })
    .await;
}

#[tokio::test]
async fn transactions_by_the_thousand_end_at_the_limit() {
    on_each(server(), Some("ann"), async |talk| {
        let frames: String = (0..2_000).map(|n| format!("BEGIN\ntransaction:{n}\n\n\0")).collect();
        talk.write(frames.as_bytes()).await;
        talk.play("S: ERROR⏎code:limit⏎limit:max-transactions 16\nS: (closed)").await;
    })
    .await;
    on_each(server(), Some("ann"), async |talk| {
        let send = "SEND\ndestination:/topic/a\ntransaction:t\n\n\0";
        let frames = format!("BEGIN\ntransaction:t\n\n\0{}", send.repeat(1_025));
        talk.write(frames.as_bytes()).await;
        talk.play("S: ERROR⏎code:limit⏎limit:max-transaction-actions 1024\nS: (closed)").await;
    })
    .await;
}

#[tokio::test]
async fn forged_ids_settle_and_end_nothing() {
    let house = House::of(server()).await;
    for door in ALL {
        let mut ann = house.enter(door).await;
        ann.login("ann").await;
        ann.play(
            "C: SUBSCRIBE⏎id:0⏎destination:/topic/a⏎ack:client-individual⏎receipt:s⏎⏎^@
             S: RECEIPT
             C: BEGIN⏎transaction:t⏎receipt:t⏎⏎^@
             S: RECEIPT
             C: SEND⏎destination:/topic/a⏎⏎x^@
             S: MESSAGE⏎ack:$ack",
        )
        .await;
        let ack = ann.remembered("ack").to_owned();
        for frame in [
            format!("ACK⏎id:{ack}⏎⏎^@"),
            format!("NACK⏎id:{ack}⏎⏎^@"),
            "ACK⏎id:0⏎⏎^@".to_owned(),
            "ACK⏎id:-1⏎⏎^@".to_owned(),
            "ACK⏎id:99999999999999999999999⏎⏎^@".to_owned(),
            "UNSUBSCRIBE⏎id:0⏎⏎^@".to_owned(),
            "COMMIT⏎transaction:t⏎⏎^@".to_owned(),
            "SEND⏎destination:/topic/a⏎transaction:t⏎⏎x^@".to_owned(),
        ] {
            let mut eve = house.enter(door).await;
            eve.login("eve").await;
            eve.play(&format!("C: {frame}\nS: ERROR⏎code:protocol\nS: (closed)")).await;
        }
        ann.play(
            "C: ACK⏎id:$ack⏎receipt:a⏎⏎^@
             S: RECEIPT⏎receipt-id:a
             C: COMMIT⏎transaction:t⏎receipt:c⏎⏎^@
             S: RECEIPT⏎receipt-id:c",
        )
        .await;
    }
    house.serves_newcomers().await;
}

#[tokio::test]
async fn line_feeds_in_ids_inject_no_frame_and_no_header() {
    on_each(server(), Some("ann"), async |talk| {
        talk.play(
            r"C: SUBSCRIBE⏎id:0\nERROR\c1⏎destination:/topic/a⏎receipt:1\n\nMESSAGE\nx\cy⏎⏎^@
              C: SEND⏎destination:/topic/a⏎k\nadmin:true\r\n⏎⏎x^@",
        )
        .await;
        let receipt = talk.frame().await;
        assert_eq!(receipt.command().as_str(), "RECEIPT");
        assert_eq!(receipt.header("receipt-id").as_deref(), Some("1\n\nMESSAGE\nx:y"));
        let message = talk.frame().await;
        assert_eq!(message.command().as_str(), "MESSAGE");
        assert_eq!(message.header("subscription").as_deref(), Some("0\nERROR:1"));
        assert_eq!(message.header("admin"), None);
        talk.play("S: (silence)").await;
    })
    .await;
}

#[tokio::test]
async fn rubbish_is_refused_and_nothing_behind_it_is_served() {
    on_each(server(), None, async |talk| {
        let rubbish: Vec<u8> =
            (0..100_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        talk.write(&rubbish).await;
        talk.play("S: ERROR").await;
    })
    .await;
}

#[tokio::test]
async fn a_flood_of_line_ends_before_login_costs_nothing() {
    on_each(server(), None, async |talk| {
        for _ in 0..64 {
            talk.write(&[b'\n'; 16 * 1024]).await;
        }
        talk.login("late").await;
    })
    .await;
}

#[tokio::test]
async fn a_client_that_never_reads_what_it_is_told_is_let_go() {
    on_each(server(), Some("ann"), async |talk| {
        talk.play("C: SUBSCRIBE⏎id:0⏎destination:/topic/flood⏎receipt:s⏎⏎^@\nS: RECEIPT").await;
        let frame = format!("SEND\ndestination:/topic/flood\n\n{}\0", "x".repeat(32 * 1024));
        // Its own messages come back and nobody reads them; sooner or later it cannot write.
        let flood = async {
            for _ in 0..400 {
                talk.write(frame.as_bytes()).await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(2), flood).await;
    })
    .await;
}

/// Everybody may use `/topic/a.b` and what is below `/topic/rooms`, and nothing else.
struct Narrow(Rights);

#[async_trait::async_trait]
impl Authorize for Narrow {
    async fn authorize(&self, _who: &Principal, intent: Intent<'_>) -> Decision {
        let hall = matches!(intent, Intent::Send("/topic/hall") | Intent::Subscribe("/topic/hall"));
        if hall || self.0.allow(intent, '.') {
            return Decision::Allow;
        }
        Decision::Deny(Problem::new(Code::Forbidden, "No rule allows that."))
    }
}

#[tokio::test]
async fn look_alike_destinations_reach_nothing() {
    let rules =
        || ["/topic/a.b", "/topic/rooms.#"].map(|rule| Rule::parse(rule, '.').unwrap()).into();
    let rights = Rights { send: rules(), subscribe: rules() };
    let house = House::of(Server::builder().authorize(Arc::new(Narrow(rights))).build()).await;
    for door in ALL {
        let mut ann = house.enter(door).await;
        ann.login("ann").await;
        ann.play("C: SUBSCRIBE⏎id:0⏎destination:/topic/a.b⏎receipt:s⏎⏎^@\nS: RECEIPT").await;
        for destination in [
            "/topic/*",
            "/topic/#",
            "/topic/>",
            "/topic/a.*",
            "/topic/*.b",
            "/topic/a.#",
            "/topic/*.*",
            "/topic/rooms*",
            "/topic/A.B",
            "/topic/a.b ",
            "/topic/a.b.",
            "/topic/.a.b",
            "/topic//a.b",
            "/topic/./a.b",
            "/topic/rooms/../a",
            "/topic/x/../a.b",
            "/topic/a%2eb",
            "/topic/a.\u{184}",
            "/topic/a．b",
            "/topic/а.b",
            "/queue/a.b",
            "//topic/a.b",
            "topic/a.b",
            "/TOPIC/a.b",
            "/topic/",
            "/user/ann/queue/x",
            "/temp-queue/guess/x",
            r"/topic/a.b\n",
            r"\n/topic/a.b",
        ] {
            let mut eve = house.enter(door).await;
            eve.login("eve").await;
            eve.play(&format!(
                "C: SUBSCRIBE⏎id:0⏎destination:{destination}⏎receipt:s⏎⏎^@
                 S: ERROR⏎receipt-id:s⏎code:*
                 S: (closed)"
            ))
            .await;
        }
        for destination in
            ["/topic/a.*", "/topic/a.b ", "/topic/x/../a.b", "/topic//a.b", "/user/ann/queue/x"]
        {
            let mut eve = house.enter(door).await;
            eve.login("eve").await;
            eve.play(&format!(
                "C: SEND⏎destination:{destination}⏎⏎x^@\nS: ERROR⏎code:*\nS: (closed)"
            ))
            .await;
        }
        ann.play("S: (silence)").await;
    }
    house.serves_newcomers().await;
}

#[tokio::test]
async fn connections_that_stall_before_login_by_the_hundred_hold_nobody_up() {
    let house = House::of(server()).await;
    let mut stalled = Vec::new();
    for n in 0..300 {
        let address = [house.tcp, house.tls, house.http, house.https][n % 4];
        stalled.push(tokio::net::TcpStream::connect(address).await.unwrap());
    }
    house.serves_newcomers().await;
}
