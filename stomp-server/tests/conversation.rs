//! Sessions as conversations, over byte streams in this process.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use stomp_core::Version;
use stomp_server::{
    Server,
    auth::{Authenticate, Credentials, Principal},
    broker::{
        Accepted, Broker, BrokerError, Capabilities, LogInfo, LogReader, MemoryBroker, Outcome,
        Place, Publish, Reply, SubscribeRequest, Subscribed, SubscriptionKey, Token,
    },
    problem::Problem,
    session::{Outbound, SessionLimits, SlowConsumer},
    testing::Talk,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

fn talk(server: &Server) -> Talk<DuplexStream> {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    server.accept(theirs, None);
    Talk::over(ours)
}

fn server() -> Server {
    Server::builder().build()
}

#[tokio::test]
async fn a_message_reaches_every_subscriber_after_its_receipt_rules() {
    let server = server();
    let (mut ann, mut bob) = (talk(&server), talk(&server));
    ann.login("ann").await;
    bob.login("bob").await;
    bob.play(
        "C: SUBSCRIBE⏎id:0⏎destination:/topic/a⏎receipt:s⏎⏎^@
         S: RECEIPT⏎receipt-id:s⏎position:*⏎recovered:!",
    )
    .await;
    ann.play(
        "C: SEND⏎destination:/topic/a⏎receipt:1⏎content-type:text/plain⏎⏎hello^@
         S: RECEIPT⏎receipt-id:1⏎position:$place",
    )
    .await;
    let place = ann.remembered("place").to_owned();
    bob.play(&format!(
        "S: MESSAGE⏎subscription:0⏎destination:/topic/a⏎position:{place}⏎message-id:*⏎content-type:text/plain⏎content-length:5⏎ack:!⏎⏎hello"
    ))
    .await;
}

#[tokio::test]
async fn decision_1_connect_without_host_is_accepted_and_a_list_of_hosts_refuses_others() {
    let limits = SessionLimits { hosts: vec!["chat".to_owned()], ..SessionLimits::default() };
    let server = Server::builder().limits(limits).build();
    talk(&server)
        .play(
            "C: CONNECT⏎accept-version:1.2⏎⏎^@
             S: CONNECTED⏎version:1.2",
        )
        .await;
    talk(&server)
        .play(
            "C: CONNECT⏎accept-version:1.2⏎host:chat⏎⏎^@
             S: CONNECTED⏎version:1.2",
        )
        .await;
    talk(&server)
        .play(
            "C: CONNECT⏎accept-version:1.2⏎host:other⏎⏎^@
             S: ERROR⏎code:invalid
             S: (closed)",
        )
        .await;
}

#[tokio::test]
async fn decision_2_connect_is_not_unescaped() {
    let mut talk = talk(&server());
    talk.play(
        r"C: CONNECT⏎accept-version:1.2⏎login:a\nb:c⏎⏎^@
          S: CONNECTED⏎user-name:a\nb:c",
    )
    .await;
}

#[tokio::test]
async fn decision_3_versions_are_negotiated() {
    for (accept, version) in [
        ("", "1.0"),
        ("accept-version:1.0⏎", "1.0"),
        ("accept-version:1.1, 1.0⏎", "1.1"),
        ("accept-version:1.2,9.9,1.1⏎accept-version:1.0⏎", "1.2"),
    ] {
        talk(&server())
            .play(&format!("C: CONNECT⏎{accept}⏎^@\nS: CONNECTED⏎version:{version}"))
            .await;
    }
    talk(&server())
        .play(
            "C: CONNECT⏎accept-version:2.1⏎⏎^@
             S: ERROR⏎version:1.0,1.1,1.2⏎message:*⏎content-type:text/plain⏎content-length:*
             S: (closed)",
        )
        .await;
}

#[tokio::test]
async fn decision_4_line_ends_before_connect_are_skipped() {
    let mut talk = talk(&server());
    talk.play(
        "C: ⏎␍⏎⏎STOMP⏎accept-version:1.2⏎⏎^@
         S: CONNECTED⏎version:1.2",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn decision_4_a_connect_that_does_not_come_is_not_waited_for_whatever_trickles_in() {
    let mut talk = talk(&server());
    let start = tokio::time::Instant::now();
    for byte in b"CONNECT\naccept-ver" {
        talk.write(&[*byte]).await;
        tokio::time::sleep(Duration::from_millis(600)).await;
    }
    talk.play(
        "S: ERROR⏎code:limit⏎limit:connect-timeout-ms 10000
         S: (closed)",
    )
    .await;
    let took = start.elapsed();
    assert!((Duration::from_secs(10)..Duration::from_secs(13)).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn decision_6_heart_beats_go_out_and_a_silent_peer_is_given_up() {
    let mut talk = talk(&server());
    talk.play(
        "C: CONNECT⏎accept-version:1.2⏎heart-beat:1000,2000⏎⏎^@
         S: CONNECTED⏎heart-beat:2000,1000",
    )
    .await;
    let start = tokio::time::Instant::now();
    let mut octets = Vec::new();
    talk.io().read_to_end(&mut octets).await.unwrap();
    let took = start.elapsed();
    assert!((Duration::from_secs(2)..Duration::from_millis(2_100)).contains(&took), "{took:?}");
    assert!(octets.iter().all(|octet| *octet == b'\n'), "{octets:?}");
}

/// Logins that are looked at more often than a silent peer is given up.
struct Watched;

#[async_trait]
impl Authenticate for Watched {
    async fn authenticate(&self, _: Credentials) -> Result<Principal, Problem> {
        Ok(Principal::user("ann"))
    }

    fn recheck_every(&self) -> Option<Duration> {
        Some(Duration::from_secs(1))
    }

    async fn still_valid(&self, _: &Principal) -> Result<(), Problem> {
        tokio::time::sleep(Duration::from_millis(10)).await;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn decision_6_a_look_at_the_login_keeps_no_silent_peer_alive() {
    let mut talk = talk(&Server::builder().authenticate(Arc::new(Watched)).build());
    talk.play(
        "C: CONNECT⏎accept-version:1.2⏎heart-beat:2000,0⏎⏎^@
         S: CONNECTED⏎heart-beat:0,2000",
    )
    .await;
    let start = tokio::time::Instant::now();
    talk.io().read_to_end(&mut Vec::new()).await.unwrap();
    let took = start.elapsed();
    assert!((Duration::from_secs(4)..Duration::from_millis(4_100)).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn decision_6_any_octet_keeps_a_session_alive() {
    let mut talk = talk(&server());
    talk.play(
        "C: CONNECT⏎accept-version:1.2⏎heart-beat:1000,0⏎⏎^@
         S: CONNECTED⏎heart-beat:0,1000",
    )
    .await;
    for octet in b"SEND\ndestination:/topic/a\nreceipt:1\n\nslowly\0" {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        talk.write(&[*octet]).await;
    }
    talk.play("S: RECEIPT⏎receipt-id:1").await;
}

#[tokio::test(start_paused = true)]
async fn decision_6_beats_come_as_often_as_agreed() {
    let mut talk = talk(&server());
    talk.play(
        "C: CONNECT⏎accept-version:1.2⏎heart-beat:0,1000⏎⏎^@
         S: CONNECTED⏎heart-beat:1000,0",
    )
    .await;
    let mut octets = [0; 16];
    let mut beats = 0;
    let until = tokio::time::Instant::now() + Duration::from_millis(10_500);
    while let Ok(read) = tokio::time::timeout_at(until, talk.io().read(&mut octets)).await {
        beats += read.unwrap();
    }
    assert!((9..=11).contains(&beats), "{beats} beats in ten seconds and a half");
}

#[tokio::test]
async fn decision_8_missing_headers_are_errors() {
    for frame in [
        "SEND⏎⏎x",
        "SEND⏎destination:⏎⏎x",
        "SUBSCRIBE⏎id:0⏎⏎",
        "SUBSCRIBE⏎destination:/topic/a⏎⏎",
        "UNSUBSCRIBE⏎⏎",
        "ACK⏎⏎",
        "BEGIN⏎⏎",
    ] {
        let mut talk = talk(&server());
        talk.login("ann").await;
        talk.play(&format!("C: {frame}^@\nS: ERROR⏎code:protocol\nS: (closed)")).await;
    }
}

#[tokio::test]
async fn decision_13_an_error_names_the_receipt_and_nothing_behind_it_happens() {
    let server = server();
    let (mut ann, mut bob) = (talk(&server), talk(&server));
    ann.login("ann").await;
    bob.login("bob").await;
    bob.play("C: SUBSCRIBE⏎id:0⏎destination:/topic/a⏎receipt:s⏎⏎^@\nS: RECEIPT").await;
    ann.play(
        "C: SEND⏎destination:nowhere⏎receipt:1⏎⏎x^@SEND⏎destination:/topic/a⏎receipt:2⏎⏎y^@
         S: ERROR⏎receipt-id:1⏎code:invalid⏎message:*⏎content-type:text/plain⏎content-length:*
         S: (closed)",
    )
    .await;
    bob.play("S: (silence)").await;
}

#[tokio::test]
async fn decision_14_ids_are_escaped_by_the_sessions_version() {
    let server = server();
    let mut ann = talk(&server);
    ann.login("ann").await;
    ann.play(
        r"C: SUBSCRIBE⏎id:a\nb\cc⏎destination:/topic/a⏎receipt:r\nSEND⏎⏎^@
          C: SEND⏎destination:/topic/a⏎x\cy:1\n2⏎⏎x^@",
    )
    .await;
    let receipt = ann.frame().await;
    assert_eq!(receipt.header("receipt-id").as_deref(), Some("r\nSEND"));
    let message = ann.frame().await;
    assert_eq!(message.header("subscription").as_deref(), Some("a\nb:c"));
    assert_eq!(message.header("x:y").as_deref(), Some("1\n2"));
}

#[tokio::test]
async fn decision_14_nothing_is_injected_into_the_head_of_a_1_0_session() {
    let server = server();
    let (mut ann, mut bob) = (talk(&server), talk(&server));
    bob.set_version(Version::V1_0);
    bob.play(
        "C: CONNECT⏎⏎^@
         S: CONNECTED⏎version:1.0
         C: SUBSCRIBE⏎id:0⏎destination:/topic/a⏎receipt:s⏎⏎^@
         S: RECEIPT⏎receipt-id:s",
    )
    .await;
    ann.login("ann").await;
    ann.play(r"C: SEND⏎destination:/topic/a⏎x:1\nadmin\ctrue⏎⏎x^@").await;
    let message = bob.frame().await;
    assert_eq!(message.header("admin"), None);
    assert_eq!(message.header("x").as_deref(), Some("1 admin:true"));
}

#[tokio::test]
async fn decision_15_repeated_headers_are_kept_and_forged_ones_dropped() {
    let mut ann = talk(&server());
    ann.login("ann").await;
    ann.play(
        "C: SUBSCRIBE⏎id:0⏎destination:/topic/a⏎⏎^@
         C: SEND⏎destination:/topic/a⏎k:1⏎k:2⏎message-id:forged⏎redelivered:true⏎delivery-count:9⏎x-death-reason:none⏎content-length:1⏎⏎x^@
         S: MESSAGE⏎k:1⏎redelivered:!⏎delivery-count:!⏎x-death-reason:!⏎content-type:!⏎content-length:1⏎⏎x",
    )
    .await;
}

#[tokio::test]
async fn decision_22_and_24_a_transaction_is_seen_when_it_is_committed() {
    let server = server();
    let (mut ann, mut bob) = (talk(&server), talk(&server));
    ann.login("ann").await;
    bob.login("bob").await;
    bob.play("C: SUBSCRIBE⏎id:0⏎destination:/topic/a⏎receipt:s⏎⏎^@\nS: RECEIPT").await;
    ann.play(
        "C: BEGIN⏎transaction:t⏎receipt:1⏎⏎^@
         C: SEND⏎destination:/topic/a⏎transaction:t⏎receipt:2⏎⏎first^@
         C: SEND⏎destination:/topic/a⏎transaction:t⏎⏎second^@
         S: RECEIPT⏎receipt-id:1
         S: RECEIPT⏎receipt-id:2⏎position:!",
    )
    .await;
    bob.play("S: (silence)").await;
    ann.play("C: COMMIT⏎transaction:t⏎receipt:3⏎⏎^@\nS: RECEIPT⏎receipt-id:3").await;
    bob.play("S: MESSAGE⏎transaction:!⏎⏎first\nS: MESSAGE⏎⏎second").await;
    ann.play(
        "C: BEGIN⏎transaction:t⏎⏎^@
         C: SEND⏎destination:/topic/a⏎transaction:t⏎⏎never^@
         C: ABORT⏎transaction:t⏎receipt:4⏎⏎^@
         S: RECEIPT⏎receipt-id:4",
    )
    .await;
    bob.play("S: (silence)").await;
}

#[tokio::test]
async fn decision_25_disconnect_is_receipted_then_closed() {
    let mut ann = talk(&server());
    ann.login("ann").await;
    ann.play(
        "C: DISCONNECT⏎receipt:bye⏎⏎^@SEND⏎destination:/topic/a⏎receipt:1⏎⏎x^@
         S: RECEIPT⏎receipt-id:bye
         S: (closed)",
    )
    .await;
}

#[tokio::test]
async fn decision_25_what_came_before_the_end_of_the_stream_is_processed() {
    let server = server();
    let (mut ann, mut bob) = (talk(&server), talk(&server));
    ann.login("ann").await;
    bob.login("bob").await;
    bob.play("C: SUBSCRIBE⏎id:0⏎destination:/topic/a⏎receipt:s⏎⏎^@\nS: RECEIPT").await;
    ann.write(b"SEND\ndestination:/topic/a\n\nlast words\0").await;
    ann.io().shutdown().await.unwrap();
    bob.play("S: MESSAGE⏎⏎last words").await;
}

#[tokio::test]
async fn limits_hold_while_reading_and_say_their_name() {
    let limits = SessionLimits {
        frame: stomp_core::Limits { headers: 4, header_line: 64, body: 10, ..Default::default() },
        ..SessionLimits::default()
    };
    let server = Server::builder().limits(limits).build();
    for (frame, code, limit) in [
        ("SEND⏎a:1⏎b:1⏎c:1⏎d:1⏎e:1⏎", "limit", "max-headers 4".to_owned()),
        (&format!("SEND⏎{}", "x".repeat(65))[..], "limit", "max-header-line 64".to_owned()),
        ("SEND⏎destination:/topic/a⏎content-length:11⏎⏎", "too-large", "max-body 10".to_owned()),
        ("SEND⏎destination:/topic/a⏎⏎12345678901", "too-large", "max-body 10".to_owned()),
    ] {
        let mut talk = talk(&server);
        talk.login("ann").await;
        talk.play(&format!("C: {frame}\nS: ERROR⏎code:{code}⏎limit:{limit}\nS: (closed)")).await;
    }
    let mut talk = talk(&server);
    talk.login("ann").await;
    talk.play(
        "C: SEND⏎destination:/topic/a⏎receipt:1⏎c:1⏎content-length:10⏎⏎1234567890^@
         S: RECEIPT⏎receipt-id:1",
    )
    .await;
}

#[tokio::test]
async fn before_login_a_smaller_limit_holds() {
    let mut talk = talk(&server());
    let header = format!("x:{}\n", "y".repeat(8 * 1024));
    talk.write(format!("CONNECT\n{}", header.repeat(2)).as_bytes()).await;
    talk.play("S: ERROR⏎code:limit⏎limit:max-head 16384\nS: (closed)").await;
}

#[tokio::test]
async fn one_connection_too_many_is_told_so() {
    let server = Server::builder().max_connections(1).build();
    let mut first = talk(&server);
    first.login("ann").await;
    let mut second = talk(&server);
    second.play("S: ERROR⏎code:limit⏎limit:max-connections 1\nS: (closed)").await;
    first.play("C: DISCONNECT⏎⏎^@\nS: (closed)").await;
    drop(first);
    while server.connections() > 0 {
        tokio::task::yield_now().await;
    }
    talk(&server).login("bob").await;
}

#[tokio::test]
async fn a_reader_that_stalls_is_let_go_and_the_others_do_not_notice() {
    let limits = SessionLimits {
        outbound: 64 * 1024,
        slow_consumer: SlowConsumer::Disconnect,
        ..SessionLimits::default()
    };
    let server = Server::builder().limits(limits).build();
    let (mut ann, mut bob, mut slow) = (talk(&server), talk(&server), talk(&server));
    for talk in [&mut ann, &mut bob, &mut slow] {
        talk.login("someone").await;
    }
    for talk in [&mut bob, &mut slow] {
        talk.play("C: SUBSCRIBE⏎id:0⏎destination:/topic/a⏎receipt:s⏎⏎^@\nS: RECEIPT").await;
    }
    let body = "x".repeat(8 * 1024);
    for round in 0..64 {
        ann.play(&format!("C: SEND⏎destination:/topic/a⏎receipt:{round}⏎⏎{body}^@\nS: RECEIPT"))
            .await;
        bob.play("S: MESSAGE").await;
    }
    let mut last = None;
    while let Some(frame) = slow.next().await {
        last = Some(frame);
    }
    let last = last.expect("it was told something");
    assert_eq!(last.header("code").as_deref(), Some("limit"));
    assert_eq!(last.header("limit").as_deref(), Some("outbound 65536"));
}

#[tokio::test]
async fn shutdown_answers_what_was_read_and_sends_everybody_elsewhere() {
    let server = server();
    let mut ann = talk(&server);
    ann.login("ann").await;
    ann.play("C: SEND⏎destination:/topic/a⏎receipt:1⏎⏎x^@\nS: RECEIPT⏎receipt-id:1").await;
    let stopping = tokio::spawn({
        let server = server.clone();
        async move { server.shutdown(Duration::from_secs(60)).await }
    });
    ann.play("S: ERROR⏎code:shutdown⏎retry-after-ms:*\nS: (closed)").await;
    drop(ann);
    assert!(stopping.await.unwrap(), "drained");
}

#[tokio::test]
async fn a_resuming_subscriber_gets_what_it_missed_and_then_what_comes() {
    let server = server();
    let (mut ann, mut bob) = (talk(&server), talk(&server));
    ann.login("ann").await;
    bob.login("bob").await;
    for n in 0..5 {
        ann.play(&format!(
            "C: SEND⏎destination:/topic/a⏎receipt:{n}⏎⏎m{n}^@\nS: RECEIPT⏎position:$p{n}"
        ))
        .await;
    }
    let from = ann.remembered("p2").to_owned();
    bob.play(&format!(
        "C: SUBSCRIBE⏎id:0⏎destination:/topic/a⏎receipt:s⏎from:{from}⏎⏎^@
         S: RECEIPT⏎receipt-id:s⏎recovered:true⏎position:*
         S: MESSAGE⏎⏎m3
         S: MESSAGE⏎⏎m4"
    ))
    .await;
    ann.play("C: SEND⏎destination:/topic/a⏎receipt:5⏎⏎m5^@\nS: RECEIPT").await;
    bob.play(
        "S: MESSAGE⏎⏎m5
         C: SUBSCRIBE⏎id:1⏎destination:/topic/a⏎receipt:t⏎from:deadbeef-0000000000000001⏎⏎^@
         S: RECEIPT⏎receipt-id:t⏎recovered:false⏎position:*
         S: (silence)",
    )
    .await;
}

#[tokio::test]
async fn a_retry_of_the_same_id_is_a_duplicate() {
    let mut ann = talk(&server());
    ann.login("ann").await;
    ann.play(
        "C: SUBSCRIBE⏎id:0⏎destination:/topic/a⏎⏎^@
         C: SEND⏎destination:/topic/a⏎receipt:1⏎message-dedup-id:d⏎⏎once^@
         S: RECEIPT⏎receipt-id:1⏎position:$p⏎duplicate:!
         S: MESSAGE⏎⏎once
         C: SEND⏎destination:/topic/a⏎receipt:2⏎message-dedup-id:d⏎⏎twice^@
         S: RECEIPT⏎receipt-id:2⏎position:$p⏎duplicate:true
         S: (silence)",
    )
    .await;
}

#[tokio::test]
async fn wildcards_match_words() {
    let mut ann = talk(&server());
    ann.login("ann").await;
    ann.play(
        "C: SUBSCRIBE⏎id:one⏎destination:/topic/a.*.c⏎⏎^@
         C: SUBSCRIBE⏎id:rest⏎destination:/topic/a.#⏎⏎^@
         C: SEND⏎destination:/topic/a.b.c⏎⏎1^@
         C: SEND⏎destination:/topic/a.b.c.d⏎⏎2^@
         C: SEND⏎destination:/topic/b⏎⏎3^@
         C: SEND⏎destination:/topic/x⏎receipt:end⏎⏎^@",
    )
    .await;
    let mut seen = Vec::new();
    loop {
        let frame = ann.frame().await;
        let Some(subscription) = frame.header("subscription") else { break };
        seen.push(format!("{subscription}:{}", String::from_utf8_lossy(frame.body())));
    }
    seen.sort();
    assert_eq!(seen, ["one:1", "rest:1", "rest:2"]);
}

#[tokio::test]
async fn an_anonymous_session_has_private_user_destinations() {
    let server = server();
    let mut nobody = talk(&server);
    nobody
        .play(
            "C: CONNECT⏎accept-version:1.2⏎⏎^@
             S: CONNECTED⏎user-name:!
             C: SUBSCRIBE⏎id:0⏎destination:/user/queue/errors⏎receipt:1⏎⏎^@
             S: RECEIPT
             C: SEND⏎destination:/app/x⏎receipt:2⏎client-message-id:c⏎⏎{}^@
             S: MESSAGE⏎destination:/user/queue/errors⏎subscription:0⏎receipt-id:2⏎client-message-id:c⏎content-type:application/problem+json
             C: SEND⏎destination:/user/ann/queue/x⏎receipt:3⏎⏎x^@
             S: ERROR⏎code:forbidden
             S: (closed)",
        )
        .await;
}

#[tokio::test]
async fn a_server_mounts_any_stream_and_publishes_from_outside() {
    let broker: Arc<dyn Broker> = Arc::new(MemoryBroker::default());
    let server = Server::builder().broker(broker.clone()).build();
    let mut ann = talk(&server);
    ann.login("ann").await;
    ann.play("C: SUBSCRIBE⏎id:0⏎destination:/topic/a⏎receipt:s⏎⏎^@\nS: RECEIPT").await;
    let message = stomp_core::SharedMessage::new("/topic/a", [("k", "v")], "from outside");
    let accepted = broker.publish(Publish::kept(message)).await.unwrap();
    assert!(accepted.position.is_some());
    ann.play("S: MESSAGE⏎k:v⏎⏎from outside").await;
}

#[tokio::test]
async fn a_frame_longer_than_what_is_read_ahead_arrives() {
    let server = server();
    let mut ann = talk(&server);
    ann.login("ann").await;
    let body = "x".repeat(1024 * 1024);
    ann.play("C: SUBSCRIBE⏎id:0⏎destination:/topic/a⏎receipt:s⏎⏎^@\n S: RECEIPT⏎receipt-id:s")
        .await;
    ann.write(format!("SEND\ndestination:/topic/a\n\n{body}\0").as_bytes()).await;
    assert_eq!(ann.frame().await.body().len(), body.len());
}

#[tokio::test]
async fn many_frames_in_one_write_are_all_taken_without_another_byte() {
    let server = server();
    let mut ann = talk(&server);
    ann.login("ann").await;
    let frames: String =
        (0..2_000).map(|n| format!("SEND\ndestination:/topic/a\nreceipt:{n}\n\nx\0")).collect();
    ann.write(frames.as_bytes()).await;
    for n in 0..2_000 {
        assert_eq!(ann.frame().await.header("receipt-id").as_deref(), Some(n.to_string().as_str()));
    }
}

#[tokio::test]
async fn a_problem_takes_no_room_from_what_comes_after_it() {
    let server = server();
    let mut ann = talk(&server);
    ann.login("ann").await;
    ann.play(
        "C: SUBSCRIBE⏎id:e⏎destination:/user/queue/errors⏎⏎^@
         C: SUBSCRIBE⏎id:0⏎destination:/topic/a⏎receipt:s⏎⏎^@
         S: RECEIPT",
    )
    .await;
    for round in 0..3 {
        ann.play(&format!(
            "C: SEND⏎destination:/app/x⏎receipt:p⏎⏎{{}}^@
             S: MESSAGE⏎subscription:e⏎receipt-id:p
             C: SEND⏎destination:/topic/a⏎⏎m{round}^@
             S: MESSAGE⏎subscription:0⏎⏎m{round}"
        ))
        .await;
    }
}

#[tokio::test]
async fn an_unknown_outcome_is_closed_without_a_word_behind_the_receipts_that_are_known() {
    let broker = Arc::new(Forgetful(MemoryBroker::default()));
    let server = Server::builder().broker(broker).build();
    let mut ann = talk(&server);
    ann.login("ann").await;
    ann.play(
        "C: SEND⏎destination:/topic/a⏎receipt:1⏎⏎known^@SEND⏎destination:/topic/a⏎receipt:2⏎⏎?^@SEND⏎destination:/topic/a⏎receipt:3⏎⏎known^@
         S: RECEIPT⏎receipt-id:1
         S: (closed)",
    )
    .await;
}

/// A broker that does not know what became of messages that say `?`.
struct Forgetful(MemoryBroker);

#[async_trait::async_trait]
impl Broker for Forgetful {
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    fn publish(&self, publish: Publish) -> Reply<Accepted> {
        if publish.message.body() == "?" {
            return Reply::now(Err(BrokerError::unknown("the line went dead")));
        }
        self.0.publish(publish)
    }

    fn subscribe(&self, request: SubscribeRequest, outbound: Outbound) -> Reply<Subscribed> {
        self.0.subscribe(request, outbound)
    }

    fn unsubscribe(&self, key: SubscriptionKey, place: Place) -> Reply<()> {
        self.0.unsubscribe(key, place)
    }

    fn settle(&self, key: SubscriptionKey, tokens: &[Token], outcome: Outcome) -> Reply<()> {
        self.0.settle(key, tokens, outcome)
    }

    async fn log(&self) -> Result<LogInfo, BrokerError> {
        self.0.log().await
    }

    async fn read_log(&self, starts: &[u64]) -> Result<Box<dyn LogReader>, BrokerError> {
        self.0.read_log(starts).await
    }

    async fn close(&self) {
        self.0.close().await;
    }
}
