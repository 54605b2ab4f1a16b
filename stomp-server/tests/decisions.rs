//! Decisions of `docs/protocol.md` that no other test is named after; and that page itself.
#![cfg(feature = "testing")]
#![allow(clippy::unwrap_used, reason = "what cannot be had fails the test")]

use std::path::Path;

use stomp_core::Version;
use stomp_server::{
    Server,
    broker::{BrokerConfig, MemoryBroker},
    testing::Talk,
};
use tokio::io::DuplexStream;

fn talk(server: &Server) -> Talk<DuplexStream> {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    server.accept(theirs, None);
    Talk::over(ours)
}

async fn logged_in() -> Talk<DuplexStream> {
    let mut talk = talk(&Server::builder().build());
    talk.login("ann").await;
    talk
}

#[tokio::test]
async fn decision_7_lines_end_either_way_and_nothing_is_trimmed() {
    for version in [Version::V1_1, Version::V1_2] {
        let mut talk = talk(&Server::builder().build());
        talk.play(&format!(
            "C: CONNECT␍⏎accept-version:{version}␍⏎␍⏎^@\nS: CONNECTED⏎version:{version}"
        ))
        .await;
        talk.play(
            "C: SUBSCRIBE␍⏎id:0␍⏎destination:/topic/a␍⏎receipt: r ␍⏎␍⏎^@
             S: RECEIPT
             C: SEND⏎destination:/topic/a⏎k: v ⏎⏎x^@",
        )
        .await;
        let message = talk.frame().await;
        assert_eq!(message.header("k").as_deref(), Some(" v "), "{version}");
        talk.play("C: send⏎destination:/topic/a⏎⏎x^@\nS: ERROR⏎code:protocol\nS: (closed)").await;
    }
    let mut talk = logged_in().await;
    talk.play("C: SEND⏎Destination:/topic/a⏎⏎x^@\nS: ERROR⏎code:protocol\nS: (closed)").await;
}

#[tokio::test]
async fn decision_10_a_body_where_none_may_be_is_an_error_unless_it_is_line_ends() {
    let mut talk = logged_in().await;
    talk.play(
        "C: SUBSCRIBE⏎id:0⏎destination:/topic/a⏎receipt:1⏎⏎⏎␍⏎⏎^@
         S: RECEIPT⏎receipt-id:1
         C: UNSUBSCRIBE⏎id:0⏎receipt:2⏎⏎x^@
         S: ERROR⏎code:protocol
         S: (closed)",
    )
    .await;
}

#[tokio::test]
async fn decision_11_what_is_no_frame_is_an_error() {
    for frame in [
        &b"SEND\ndestination:/topic/a\nno colon\n\nx\0"[..],
        b"SEND\ndestination:/topic/a\n:empty\n\nx\0",
        b"SEND\ndestination:/topic/a\nk:\xff\n\nx\0",
        b"SEND\ndestination:/topic/a\nk:a\\tb\n\nx\0",
        b"SEND\ndestination:/topic/a\nk:a\\\n\nx\0",
        b"PUBLISH\ndestination:/topic/a\n\nx\0",
    ] {
        let mut talk = logged_in().await;
        talk.write(frame).await;
        talk.play("S: ERROR⏎code:protocol\nS: (closed)").await;
    }
}

#[tokio::test]
async fn decision_19_a_refused_message_comes_again_and_then_goes_to_the_dead_letters() {
    let config = BrokerConfig { max_deliveries: 2, ..BrokerConfig::default() };
    let broker = std::sync::Arc::new(MemoryBroker::new(config));
    let mut ann = talk(&Server::builder().broker(broker).build());
    ann.login("ann").await;
    ann.play(
        "C: SUBSCRIBE⏎id:0⏎destination:/queue/a⏎ack:client-individual⏎receipt:s⏎⏎^@
         S: RECEIPT
         C: SEND⏎destination:/queue/a⏎⏎x^@
         S: MESSAGE⏎ack:$first⏎redelivered:!
         C: NACK⏎id:$first⏎⏎^@
         S: MESSAGE⏎ack:$second⏎redelivered:true⏎delivery-count:*
         C: NACK⏎id:$second⏎⏎^@
         C: SUBSCRIBE⏎id:1⏎destination:/queue/a.dlq⏎⏎^@
         S: MESSAGE⏎subscription:1⏎x-death-queue:*⏎x-death-reason:*⏎⏎x
         C: SUBSCRIBE⏎id:2⏎destination:/topic/a⏎ack:client-individual⏎⏎^@
         C: SEND⏎destination:/topic/a⏎⏎y^@
         S: MESSAGE⏎ack:$third
         C: NACK⏎id:$third⏎receipt:n⏎⏎^@
         S: RECEIPT⏎receipt-id:n
         S: (silence)",
    )
    .await;
}

#[tokio::test]
async fn decision_20_more_than_two_hundred_messages_come_without_an_acknowledgement() {
    for destination in ["/topic/a", "/queue/a"] {
        let mut talk = logged_in().await;
        let subscribe =
            format!("SUBSCRIBE⏎id:0⏎destination:{destination}⏎ack:client⏎receipt:s⏎⏎^@");
        talk.play(&format!("C: {subscribe}\nS: RECEIPT")).await;
        for n in 0..201 {
            talk.play(&format!("C: SEND⏎destination:{destination}⏎⏎{n}^@\nS: MESSAGE⏎ack:*⏎⏎{n}"))
                .await;
        }
    }
}

#[test]
fn every_decision_on_the_page_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = std::fs::read_to_string(root.join("docs/protocol.md")).unwrap();
    let mut code = String::new();
    for folder in ["stomp-core/src", "stomp-core/tests", "stomp-server/src", "stomp-server/tests"] {
        read_code(&root.join(folder), &mut code);
    }
    let names: Vec<&str> = page
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| {
            word.matches('_').count() >= 3
                && word.bytes().all(|b| b == b'_' || b.is_ascii_lowercase() || b.is_ascii_digit())
        })
        .filter(|word| !word.starts_with("stomp_"))
        .collect();
    assert!(names.len() > 40, "{names:?}");
    for name in names {
        assert!(code.contains(&format!("fn {name}(")), "{name} is on the page and nowhere else");
    }
    for decision in 1..=30 {
        let begin = page
            .find(&format!("\n{decision}. **"))
            .unwrap_or_else(|| panic!("decision {decision}"));
        let end = page[begin + 1..].find(&format!("\n{}. **", decision + 1));
        let text = &page[begin..end.map_or(page.len(), |end| begin + 1 + end)];
        assert!(
            text.contains(&format!("`decision_{decision}_")) || text.contains("`limits_hold"),
            "{text}"
        );
    }
}

fn read_code(folder: &Path, into: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_code(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}
