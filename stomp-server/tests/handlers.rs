//! Handlers as functions: what they take, what they return, and what they cannot break.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use stomp_server::{
    Server,
    auth::Principal,
    broker::ConnectionId,
    problem::{Code, Problem},
    router::{Body, Emit, Handle, Headers, Json, Path, ReceiptHeader, Routes, State},
    testing::Talk,
};
use tokio::io::DuplexStream;

fn talk(server: &Server) -> Talk<DuplexStream> {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    server.accept(theirs, None);
    Talk::over(ours)
}

async fn logged_in(server: &Server, user: &str) -> Talk<DuplexStream> {
    let mut talk = talk(server);
    talk.login(user).await;
    talk.play(
        "C: SUBSCRIBE⏎id:e⏎destination:/user/queue/errors⏎receipt:e⏎⏎^@\nS: RECEIPT⏎receipt-id:e",
    )
    .await;
    talk
}

fn served_by<S: Send + Sync + 'static>(routes: Routes<S>) -> Server {
    Server::builder().handler(Arc::new(routes)).build()
}

#[derive(Deserialize)]
struct Hello {
    name: String,
}

#[derive(Serialize)]
struct Greeting {
    content: String,
}

async fn hello(Json(hello): Json<Hello>) -> Emit {
    let content = format!("Hello, {}!", hello.name);
    Emit::to("/topic/greetings").json(&Greeting { content })
}

#[tokio::test]
async fn a_body_comes_in_as_a_value_and_goes_out_to_a_topic() {
    let server = served_by(Routes::new().send("/app/hello", hello));
    let mut ann = logged_in(&server, "ann").await;
    ann.play(
        r#"C: SUBSCRIBE⏎id:0⏎destination:/topic/greetings⏎receipt:s⏎⏎^@
           S: RECEIPT⏎receipt-id:s
           C: SEND⏎destination:/app/hello⏎receipt:1⏎⏎{"name":"Ann"}^@
           S: RECEIPT⏎receipt-id:1⏎position:*
           S: MESSAGE⏎subscription:0⏎destination:/topic/greetings⏎content-type:application/json⏎⏎{"content":"Hello, Ann!"}"#,
    )
    .await;
}

#[tokio::test]
async fn what_an_argument_cannot_be_made_of_costs_the_frame_only() {
    let routes = Routes::new()
        .send("/app/hello", hello)
        .send("/app/rooms.{id}", async |Path(_): Path<u64>| ())
        .send("/app/tagged", async |headers: Headers| headers.require("tag").map(|_| ()));
    let mut ann = logged_in(&served_by(routes), "ann").await;
    ann.play(
        r#"C: SEND⏎destination:/app/hello⏎receipt:1⏎client-message-id:m⏎⏎{"nam":1}^@
           S: MESSAGE⏎subscription:e⏎receipt-id:1⏎client-message-id:m⏎content-type:application/problem+json
           C: SEND⏎destination:/app/rooms.seven⏎receipt:2⏎⏎^@
           S: MESSAGE⏎subscription:e⏎receipt-id:2
           C: SEND⏎destination:/app/rooms.7⏎receipt:3⏎⏎^@
           S: RECEIPT⏎receipt-id:3
           C: SEND⏎destination:/app/nowhere⏎receipt:4⏎⏎^@
           S: MESSAGE⏎subscription:e⏎receipt-id:4
           C: SEND⏎destination:/app/tagged⏎receipt:5⏎⏎^@
           S: MESSAGE⏎subscription:e⏎receipt-id:5
           C: SEND⏎destination:/app/tagged⏎tag:x⏎receipt:6⏎⏎^@
           S: RECEIPT⏎receipt-id:6"#,
    )
    .await;
}

#[tokio::test]
async fn replies_reach_every_session_of_the_sender_and_nobody_else() {
    let routes = Routes::new().send("/app/ask", async |Body(body): Body| {
        Emit::reply("/queue/answers").body("text/plain", body)
    });
    let server = served_by(routes);
    let subscribe = "C: SUBSCRIBE⏎id:0⏎destination:/user/queue/answers⏎receipt:s⏎⏎^@\nS: RECEIPT";
    let mut sessions = Vec::new();
    for user in ["ann", "ann", "ann", "bob"] {
        let mut session = logged_in(&server, user).await;
        session.play(subscribe).await;
        sessions.push(session);
    }
    sessions[1].play("C: SEND⏎destination:/app/ask⏎⏎42^@").await;
    for session in &mut sessions[..3] {
        session.play("S: MESSAGE⏎subscription:0⏎destination:/user/queue/answers⏎⏎42").await;
    }
    sessions[3].play("S: (silence)").await;
}

/// Users and sessions of each: enough that a mix-up of any kind would show.
const USERS: usize = 8;
const SESSIONS: usize = 25;

#[tokio::test]
async fn each_of_many_sessions_gets_what_is_for_its_user_and_nothing_else() {
    let routes = Routes::new().send("/app/ask", async |Body(body): Body| {
        Emit::reply("/queue/answers").body("text/plain", body)
    });
    let server = served_by(routes);
    let subscribe = "C: SUBSCRIBE⏎id:0⏎destination:/user/queue/answers⏎receipt:s⏎⏎^@\nS: RECEIPT";
    let mut sessions = Vec::new();
    for n in 0..USERS * SESSIONS {
        let user = format!("user-{}", n % USERS);
        let mut session = logged_in(&server, &user).await;
        session.play(subscribe).await;
        sessions.push((user, session));
    }
    // From one session of each user, and from outside all of them.
    for (user, session) in &mut sessions[..USERS] {
        session.play(&format!("C: SEND⏎destination:/app/ask⏎⏎asked by {user}^@")).await;
        let told = Emit::to_user(user.as_str(), "/queue/answers").text(format!("told to {user}"));
        session.play(&format!("S: MESSAGE⏎⏎asked by {user}")).await;
        server.handle().send(told).await.unwrap();
        session.play(&format!("S: MESSAGE⏎⏎told to {user}")).await;
    }
    for (user, session) in &mut sessions[USERS..] {
        for what in ["asked by", "told to"] {
            session
                .play(&format!("S: MESSAGE⏎destination:/user/queue/answers⏎⏎{what} {user}"))
                .await;
        }
    }
    // Nothing more was on its way to anybody: what is sent now comes next.
    for n in 0..USERS {
        let last = Emit::to_user(format!("user-{n}"), "/queue/answers").text("last");
        server.handle().send(last).await.unwrap();
    }
    for (_, session) in &mut sessions {
        session.play("S: MESSAGE⏎⏎last").await;
    }
}

#[tokio::test]
async fn an_anonymous_session_gets_its_own_replies_only() {
    let routes = Routes::new().send("/app/ask", async || Emit::reply("/queue/answers").text("42"));
    let server = served_by(routes);
    let (mut one, mut other) = (talk(&server), talk(&server));
    for session in [&mut one, &mut other] {
        session
            .play(
                "C: CONNECT⏎accept-version:1.2⏎⏎^@
                 S: CONNECTED
                 C: SUBSCRIBE⏎id:0⏎destination:/user/queue/answers⏎receipt:s⏎⏎^@
                 S: RECEIPT",
            )
            .await;
    }
    one.play("C: SEND⏎destination:/app/ask⏎⏎^@\nS: MESSAGE⏎destination:/user/queue/answers").await;
    other.play("S: (silence)").await;
}

#[tokio::test]
async fn several_messages_of_one_frame_are_all_sent_once_and_the_receipt_waits_for_the_last() {
    let routes = Routes::new().send("/app/tell", async |who: Principal| {
        (
            vec![Emit::to("/topic/a").text("1"), Emit::to("/topic/a").text("2")],
            Emit::to_user("bob", "/queue/told").text(who.name()),
            ReceiptHeader("told", "3".to_owned()),
        )
    });
    let server = served_by(routes);
    let (mut ann, mut bob) = (logged_in(&server, "ann").await, logged_in(&server, "bob").await);
    bob.play(
        "C: SUBSCRIBE⏎id:0⏎destination:/topic/a⏎receipt:s⏎⏎^@
         S: RECEIPT
         C: SUBSCRIBE⏎id:1⏎destination:/user/queue/told⏎receipt:s⏎⏎^@
         S: RECEIPT",
    )
    .await;
    for _ in 0..2 {
        ann.play(
            "C: SEND⏎destination:/app/tell⏎message-dedup-id:7⏎receipt:1⏎⏎^@
             S: RECEIPT⏎receipt-id:1⏎told:3",
        )
        .await;
    }
    bob.play(
        "S: MESSAGE⏎subscription:0⏎⏎1
         S: MESSAGE⏎subscription:0⏎⏎2
         S: MESSAGE⏎subscription:1⏎⏎ann
         S: MESSAGE⏎subscription:1⏎⏎ann
         S: (silence)",
    )
    .await;
}

#[tokio::test]
async fn a_subscription_is_answered_once_with_shared_state() {
    #[derive(Clone)]
    struct Rooms(Arc<Vec<&'static str>>);

    let routes = Routes::with_state(Rooms(Arc::new(vec!["kitchen", "garden"])))
        .subscribe("/app/rooms", async |State(rooms): State<Rooms>| Json(rooms.0.to_vec()))
        .subscribe(
            "/app/rooms.{number}",
            async |State(rooms): State<Rooms>, Path(n): Path<usize>| {
                let room = rooms.0.get(n).copied();
                room.ok_or(Problem::new(Code::NotFound, "There is no such room."))
            },
        );
    let mut ann = logged_in(&served_by(routes), "ann").await;
    ann.play(
        r#"C: SUBSCRIBE⏎id:1⏎destination:/app/rooms⏎receipt:1⏎⏎^@
           S: RECEIPT⏎receipt-id:1
           S: MESSAGE⏎subscription:1⏎destination:/app/rooms⏎⏎["kitchen","garden"]
           C: SUBSCRIBE⏎id:2⏎destination:/app/rooms.1⏎receipt:2⏎⏎^@
           S: RECEIPT⏎receipt-id:2
           S: MESSAGE⏎subscription:2⏎content-type:text/plain⏎⏎garden
           C: SUBSCRIBE⏎id:3⏎destination:/app/rooms.2⏎receipt:3⏎⏎^@
           S: MESSAGE⏎subscription:e⏎receipt-id:3
           C: SEND⏎destination:/app/rooms⏎receipt:4⏎⏎^@
           S: MESSAGE⏎subscription:e⏎receipt-id:4"#,
    )
    .await;
}

#[tokio::test]
async fn the_route_with_fewer_open_places_is_taken() {
    let routes = Routes::new()
        .send("/app/{a}.{b}", async || ReceiptHeader("route", "two".into()))
        .send("/app/{a}.x", async || ReceiptHeader("route", "one".into()))
        .send("/app/a.x", async || ReceiptHeader("route", "none".into()));
    let mut ann = logged_in(&served_by(routes), "ann").await;
    for (destination, route) in [("a.x", "none"), ("b.x", "one"), ("a.y", "two")] {
        ann.play(&format!(
            "C: SEND⏎destination:/app/{destination}⏎receipt:1⏎⏎^@\nS: RECEIPT⏎route:{route}"
        ))
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_or_hangs_costs_only_its_frame() {
    let routes = Routes::new()
        .send("/app/panic", async || -> () { panic!("on purpose") })
        .send("/app/hang", async || std::future::pending::<()>().await)
        .send("/app/fine", async |_: ConnectionId| ());
    let server = served_by(routes);
    let mut ann = logged_in(&server, "ann").await;
    ann.play(
        "C: SEND⏎destination:/app/panic⏎receipt:1⏎⏎^@
         S: MESSAGE⏎subscription:e⏎receipt-id:1",
    )
    .await;
    let start = tokio::time::Instant::now();
    ann.write(b"SEND\ndestination:/app/hang\nreceipt:2\n\n\0").await;
    let mut bob = logged_in(&server, "bob").await;
    bob.play("C: SEND⏎destination:/app/fine⏎receipt:1⏎⏎^@\nS: RECEIPT⏎receipt-id:1").await;
    tokio::time::sleep(Duration::from_secs(29)).await;
    ann.play(
        "S: MESSAGE⏎subscription:e⏎receipt-id:2
         C: SEND⏎destination:/app/fine⏎receipt:3⏎⏎^@
         S: RECEIPT⏎receipt-id:3",
    )
    .await;
    assert_eq!(start.elapsed().as_secs(), 30);
}

#[tokio::test]
async fn the_program_sends_from_outside_and_from_within() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let routes = Routes::new().send("/app/later", move |handle: Handle| {
        counted.fetch_add(1, Ordering::Relaxed);
        async move {
            tokio::spawn(async move {
                let later = Emit::to_user("ann", "/queue/done").text("done");
                handle.send(later).await.unwrap();
            });
        }
    });
    let server = served_by(routes);
    let mut ann = logged_in(&server, "ann").await;
    ann.play(
        "C: SUBSCRIBE⏎id:0⏎destination:/user/queue/done⏎receipt:s⏎⏎^@
         S: RECEIPT
         C: SUBSCRIBE⏎id:1⏎destination:/topic/news⏎receipt:s⏎⏎^@
         S: RECEIPT
         C: SEND⏎destination:/app/later⏎receipt:1⏎⏎^@
         S: RECEIPT⏎receipt-id:1
         S: MESSAGE⏎subscription:0⏎⏎done",
    )
    .await;
    let accepted = server.handle().send(Emit::to("/topic/news").text("open")).await.unwrap();
    let place = accepted.position.unwrap();
    ann.play(&format!("S: MESSAGE⏎subscription:1⏎position:{place}⏎⏎open")).await;
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    for nowhere in ["/app/x", "/user/queue/x", "/temp-queue/x", "nowhere"] {
        assert!(server.handle().send(Emit::to(nowhere)).await.is_err(), "{nowhere}");
    }
}

#[test]
#[should_panic(expected = "is served already")]
fn two_routes_for_the_same_destinations_are_a_mistake_found_at_the_start() {
    let _ = Routes::new().send("/app/{a}", async || ()).send("/app/{b}", async || ());
}
