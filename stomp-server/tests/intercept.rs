//! Interceptors: what they see, change, refuse and hide.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::sync::{Arc, Mutex};

use stomp_core::{Command, Frame, SharedMessage};
use stomp_server::{
    Server,
    auth::Principal,
    broker::{Accepted, Logged},
    problem::{Code, Problem},
    router::{Intercept, Routes},
    testing::Talk,
};
use tokio::io::DuplexStream;

async fn logged_in(server: &Server, user: &str) -> Talk<DuplexStream> {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    server.accept(theirs, None);
    let mut talk = Talk::over(ours);
    talk.login(user).await;
    talk
}

/// Marks what comes in with its sender, hides what is not for everybody, and keeps a list.
#[derive(Default)]
struct Desk {
    accepted: Mutex<Vec<String>>,
}

impl Intercept for Desk {
    fn incoming(&self, who: &Principal, frame: Frame) -> Result<Frame, Problem> {
        assert!(frame.body() != "panic");
        if frame.body() == "bad" {
            return Err(Problem::new(Code::Invalid, "Not here."));
        }
        if frame.command() != Command::Send {
            return Ok(frame);
        }
        let mut marked = Frame::builder(frame.command()).header("sender", who.name());
        for header in frame.headers() {
            marked = marked.header(&header.name(), &header.value());
        }
        Ok(marked.body(frame.body().clone()).build())
    }

    fn accepted(&self, who: &Principal, message: &SharedMessage, accepted: &Accepted) {
        let body = String::from_utf8_lossy(message.body()).into_owned();
        let place = accepted.position.is_some();
        self.accepted.lock().unwrap().push(format!("{} {body} {place}", who.name()));
    }

    fn outgoing(&self, who: &Principal, message: &Logged) -> bool {
        message.message.header("not-for").as_deref() != Some(who.name())
    }
}

#[tokio::test]
async fn an_interceptor_marks_counts_and_hides() {
    let desk = Arc::new(Desk::default());
    let server = Server::builder().intercept(desk.clone()).build();
    let (mut ann, mut bob) = (logged_in(&server, "ann").await, logged_in(&server, "bob").await);
    let subscribe = "C: SUBSCRIBE⏎id:0⏎ack:client⏎prefetch-count:1⏎destination:/topic/a⏎receipt:s⏎⏎^@\nS: RECEIPT";
    ann.play(subscribe).await;
    bob.play(subscribe).await;
    for text in ["1", "2"] {
        ann.play(&format!(
            "C: SEND⏎destination:/topic/a⏎not-for:bob⏎receipt:r⏎⏎{text}^@
             S: RECEIPT⏎receipt-id:r⏎position:*
             S: MESSAGE⏎sender:ann⏎ack:$ack{text}⏎⏎{text}
             C: ACK⏎id:$ack{text}⏎⏎^@"
        ))
        .await;
    }
    ann.play("C: SEND⏎destination:/topic/a⏎not-for:ann⏎⏎3^@").await;
    bob.play("S: MESSAGE⏎sender:ann⏎⏎3").await; // hidden ones took none of the prefetch
    ann.play("S: (silence)").await;
    assert_eq!(*desk.accepted.lock().unwrap(), ["ann 1 true", "ann 2 true", "ann 3 true"]);
}

#[tokio::test]
async fn a_refusal_costs_the_frame_under_app_and_the_session_elsewhere() {
    let routes = Routes::new().send("/app/x", async || ());
    let server =
        Server::builder().handler(Arc::new(routes)).intercept(Arc::new(Desk::default())).build();
    let mut ann = logged_in(&server, "ann").await;
    ann.play(
        "C: SUBSCRIBE⏎id:e⏎destination:/user/queue/errors⏎receipt:e⏎⏎^@
         S: RECEIPT
         C: SEND⏎destination:/app/x⏎receipt:1⏎⏎bad^@
         S: MESSAGE⏎subscription:e⏎receipt-id:1
         C: SEND⏎destination:/app/x⏎receipt:2⏎⏎panic^@
         S: MESSAGE⏎subscription:e⏎receipt-id:2
         C: SEND⏎destination:/app/x⏎receipt:3⏎⏎good^@
         S: RECEIPT⏎receipt-id:3
         C: SEND⏎destination:/topic/a⏎receipt:4⏎⏎bad^@
         S: ERROR⏎receipt-id:4⏎code:invalid
         S: (closed)",
    )
    .await;
}
