//! The client against servers in this process, that go away and come back.
#![cfg(feature = "client")]
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::{
    collections::HashSet,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use stomp_server::{
    Server,
    auth::{Authenticate, Credentials, Principal},
    broker::{Broker, MemoryBroker, StartFrom},
    client::{Arrival, ByteStream, Client, ClientError, Connector, Draft, Status},
    problem::{Code, Problem},
    session::SessionLimits,
};
use tokio::net::TcpListener;

const SECOND: Duration = Duration::from_secs(1);
/// What has not come after so long does not come, however slow the machine.
const BOUND: Duration = Duration::from_secs(60);

/// A way to a server that may be replaced, and connections that may be cut.
#[derive(Default)]
struct Road {
    server: Mutex<Option<Server>>,
    cut: Mutex<Vec<tokio::sync::oneshot::Sender<()>>>,
}

impl Road {
    fn to(server: &Server) -> Arc<Self> {
        let road = Arc::new(Self::default());
        road.lead_to(Some(server));
        road
    }

    fn lead_to(&self, server: Option<&Server>) {
        *self.server.lock().unwrap() = server.cloned();
    }

    /// Every connection there is ends, as when a cable is pulled.
    fn cut(&self) {
        self.cut.lock().unwrap().clear();
    }
}

#[async_trait]
impl Connector for Road {
    async fn connect(&self) -> io::Result<Box<dyn ByteStream>> {
        let server = self.server.lock().unwrap().clone();
        let server = server.ok_or(io::ErrorKind::ConnectionRefused)?;
        let (ours, mut middle) = tokio::io::duplex(64 * 1024);
        let (mut other, theirs) = tokio::io::duplex(64 * 1024);
        server.accept(theirs, None);
        let (cut, is_cut) = tokio::sync::oneshot::channel::<()>();
        self.cut.lock().unwrap().push(cut);
        tokio::spawn(async move {
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut middle, &mut other) => {}
                _ = is_cut => {}
            }
        });
        Ok(Box::new(ours))
    }
}

async fn client(road: &Arc<Road>, user: &str) -> Client {
    let builder = Client::over(road.clone()).login(user, "");
    builder.pauses(Duration::from_millis(5), Duration::from_millis(20)).connect().await.unwrap()
}

fn server() -> Server {
    Server::builder().build()
}

/// Whether the broker in memory has queues to try.
fn has_queues() -> bool {
    let has = MemoryBroker::default().capabilities().queues;
    if !has {
        eprintln!("skipped: this broker serves no queues");
    }
    has
}

async fn tcp(server: &Server) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = server.clone();
    tokio::spawn(async move { server.serve_tcp(listener).await });
    address
}

#[cfg(feature = "websocket")]
async fn websocket(server: &Server) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = server.websocket_routes().into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

async fn says_hello_over(url: String) {
    let client = Client::connect(url).await.unwrap();
    let mut greetings = client.subscribe("/topic/a").await.unwrap();
    let sent = client.send(Draft::to("/topic/a").text("hello").header("x", "a:b\n")).await.unwrap();
    let message = greetings.message().await.unwrap();
    assert_eq!((message.text().as_ref(), message.position()), ("hello", sent.position()));
    assert_eq!(message.header("x").as_deref(), Some("a:b\n"));
    assert!(!sent.is_duplicate());
    client.close(BOUND).await.unwrap();
    assert!(matches!(greetings.message().await, Err(ClientError::Closed)));
    assert!(matches!(client.send(Draft::to("/topic/a")).await, Err(ClientError::Closed)));
}

#[tokio::test]
async fn a_message_goes_there_and_back_over_tcp() {
    says_hello_over(format!("tcp://{}", tcp(&server()).await)).await;
}

#[cfg(feature = "websocket")]
#[tokio::test]
async fn a_message_goes_there_and_back_over_a_websocket() {
    says_hello_over(format!("ws://{}/ws", websocket(&server()).await)).await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_at_once_unless_it_shall_be_waited_for() {
    // Bound, so that nobody else gets the port, and never listened on.
    let deaf = tokio::net::TcpSocket::new_v4().unwrap();
    deaf.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let free = deaf.local_addr().unwrap();
    let refused = Client::connect(format!("tcp://{free}")).await;
    assert!(matches!(refused, Err(ClientError::Unreachable(_))), "{refused:?}");

    let road = Arc::new(Road::default());
    let pauses = (Duration::from_millis(5), Duration::from_millis(20));
    let client = Client::over(road.clone()).pauses(pauses.0, pauses.1).start().unwrap();
    let sending = client.queue(Draft::to("/topic/a").text("early")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    road.lead_to(Some(&server()));
    sending.await.unwrap();
}

struct OnlyAnn;

#[async_trait]
impl Authenticate for OnlyAnn {
    async fn authenticate(&self, credentials: Credentials) -> Result<Principal, Problem> {
        match (credentials.login.as_deref(), credentials.passcode.as_deref()) {
            (Some("ann"), Some("secret")) => Ok(Principal::user("ann")),
            _ => Err(Problem::new(Code::Unauthorized, "Wrong name or password.")),
        }
    }
}

#[tokio::test]
async fn a_refused_login_is_final() {
    let road = Road::to(&Server::builder().authenticate(Arc::new(OnlyAnn)).build());
    let client = Client::over(road.clone()).login("ann", "secret").connect().await.unwrap();
    assert!(
        matches!(&*client.status().borrow(), Status::Connected { user: Some(user), .. } if user == "ann")
    );
    let refused = Client::over(road).login("ann", "guess").start().unwrap();
    match refused.send(Draft::to("/topic/a")).await {
        Err(ClientError::Refused(problem)) => assert_eq!(problem.code, Code::Unauthorized),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_retry_under_the_same_id_is_a_duplicate() {
    let client = client(&Road::to(&server()), "ann").await;
    let draft = Draft::to("/topic/a").text("once").dedup_id("7");
    let first = client.send(draft.clone()).await.unwrap();
    let second = client.send(draft).await.unwrap();
    assert_eq!((first.is_duplicate(), second.is_duplicate()), (false, true));
    assert_eq!(first.position(), second.position());
}

#[tokio::test]
async fn a_refused_message_fails_alone() {
    let limits = SessionLimits::default();
    let frame = stomp_core::Limits { body: 100, ..limits.frame };
    let road = Road::to(&Server::builder().limits(SessionLimits { frame, ..limits }).build());
    let client = client(&road, "ann").await;
    let before = client.queue(Draft::to("/topic/a").text("before")).await.unwrap();
    let large = client.queue(Draft::to("/topic/a").text("x".repeat(101))).await.unwrap();
    let wrong = client.queue(Draft::to("/nowhere/a").text("x")).await.unwrap();
    let after = client.queue(Draft::to("/topic/a").text("after")).await.unwrap();
    before.await.unwrap();
    match large.await {
        Err(ClientError::Refused(problem)) => assert_eq!(problem.code, Code::TooLarge),
        other => panic!("{other:?}"),
    }
    match wrong.await {
        Err(ClientError::Refused(problem)) => assert_eq!(problem.code, Code::Invalid),
        other => panic!("{other:?}"),
    }
    after.await.unwrap();
}

#[tokio::test]
async fn a_refused_subscription_fails_alone() {
    let client = client(&Road::to(&server()), "ann").await;
    let mut good = client.subscribe("/topic/a").await.unwrap();
    match client.subscribe("/user/bob/queue/x").await {
        Err(ClientError::Refused(problem)) => assert_eq!(problem.code, Code::Forbidden),
        other => panic!("{other:?}"),
    }
    client.send(Draft::to("/topic/a").text("still here")).await.unwrap();
    assert_eq!(good.message().await.unwrap().text(), "still here");
}

#[tokio::test]
async fn nothing_receipted_is_lost_and_nothing_comes_twice_while_connections_are_cut() {
    const MESSAGES: usize = 400;
    /// More than the reader may have on its way: between two cuts it must have come back.
    const BETWEEN_CUTS: usize = 40;
    let server = server();
    let (theirs, ours) = (Road::to(&server), Road::to(&server));
    let reader = client(&theirs, "bob").await;
    let mut stream = reader.subscribe("/topic/a").prefetch(32).await.unwrap();
    let writer = client(&ours, "ann").await;

    let sending = tokio::spawn(async move {
        let mut waiting = Vec::new();
        for number in 0..MESSAGES {
            let draft = Draft::to("/topic/a").text(number.to_string());
            waiting.push(writer.queue(draft).await.unwrap());
            if number % 7 == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        for sending in waiting {
            sending.await.unwrap();
        }
    });

    let mut came = Vec::new();
    let (mut cuts, mut resumed) = (0, 0);
    while came.len() < MESSAGES {
        let arrival = tokio::time::timeout(BOUND, stream.arrival()).await;
        match arrival.expect("nothing more came").unwrap().unwrap() {
            Arrival::Message(message) => {
                came.push(message.text().parse::<usize>().unwrap());
                match came.len() % BETWEEN_CUTS {
                    0 if came.len() + BETWEEN_CUTS <= MESSAGES => {
                        theirs.cut();
                        cuts += 1;
                    }
                    20 => ours.cut(),
                    _ => {}
                }
            }
            Arrival::Resumed(verdict) => {
                resumed += 1;
                assert!(verdict.recovered);
            }
            other => panic!("{other:?}"),
        }
    }
    sending.await.unwrap();
    assert_eq!(came, (0..MESSAGES).collect::<Vec<_>>(), "in order, each once");
    assert!(resumed >= cuts, "{resumed} after {cuts} cuts");
}

#[tokio::test]
async fn a_server_that_restarts_with_its_log_misses_nothing_and_one_without_says_so() {
    let broker = Arc::new(MemoryBroker::default());
    let first = Server::builder().broker(broker.clone()).build();
    let road = Road::to(&first);
    let client = client(&road, "ann").await;
    let mut stream = client.subscribe("/topic/a").await.unwrap();
    client.send(Draft::to("/topic/a").text("1")).await.unwrap();
    assert_eq!(stream.message().await.unwrap().text(), "1");

    // The same log behind a new front.
    road.lead_to(None);
    road.cut();
    let second = Server::builder().broker(broker).build();
    let other = Road::to(&second);
    self::client(&other, "bob").await.send(Draft::to("/topic/a").text("2")).await.unwrap();
    road.lead_to(Some(&second));
    match stream.arrival().await.unwrap().unwrap() {
        Arrival::Resumed(verdict) => assert!(verdict.recovered),
        other => panic!("{other:?}"),
    }
    assert_eq!(stream.message().await.unwrap().text(), "2");

    // A log that has been replaced.
    road.lead_to(Some(&server()));
    second.shutdown(SECOND).await;
    match stream.arrival().await.unwrap().unwrap() {
        Arrival::Resumed(verdict) => assert!(!verdict.recovered),
        other => panic!("{other:?}"),
    }
    client.send(Draft::to("/topic/a").text("3")).await.unwrap();
    assert_eq!(stream.message().await.unwrap().text(), "3");
}

#[tokio::test]
async fn a_queue_gives_each_message_until_it_is_acknowledged() {
    if !has_queues() {
        return;
    }
    let road = Road::to(&server());
    let client = client(&road, "ann").await;
    let mut tasks = client.subscribe("/queue/tasks").explicit_acks().prefetch(1).await.unwrap();
    for text in ["1", "2"] {
        client.send(Draft::to("/queue/tasks").text(text)).await.unwrap();
    }
    let lost = tasks.message().await.unwrap();
    road.cut();
    let mut status = client.status();
    status.wait_for(|status| !status.is_connected()).await.unwrap();
    assert!(matches!(lost.ack().await, Err(ClientError::Lost)));

    let again = tasks.message().await.unwrap();
    assert_eq!((again.text().as_ref(), again.is_redelivered()), ("1", true));
    again.ack().await.unwrap();
    let second = tasks.message().await.unwrap();
    assert_eq!(second.text(), "2");
    second.nack().await.unwrap();
    let second = tasks.message().await.unwrap();
    assert_eq!((second.text().as_ref(), second.is_redelivered()), ("2", true));
    second.ack().await.unwrap();
    tasks.unsubscribe().await.unwrap();
}

#[tokio::test]
async fn messages_that_were_taken_are_acknowledged_by_themselves() {
    if !has_queues() {
        return;
    }
    let client = client(&Road::to(&server()), "ann").await;
    let mut tasks = client.subscribe("/queue/tasks").prefetch(4).await.unwrap();
    for number in 0..50 {
        client.send(Draft::to("/queue/tasks").text(number.to_string())).await.unwrap();
    }
    for number in 0..50 {
        let message = tokio::time::timeout(BOUND, tasks.message()).await.unwrap().unwrap();
        assert_eq!(message.text(), number.to_string());
    }
    tasks.unsubscribe().await.unwrap();
    let mut rest = client.subscribe("/queue/tasks").await.unwrap();
    let more = tokio::time::timeout(Duration::from_millis(50), rest.message()).await;
    if let Ok(message) = more {
        // What was taken last may not have been acknowledged before the goodbye.
        assert!(message.unwrap().text().parse::<u32>().unwrap() >= 46);
    }
}

#[tokio::test]
async fn a_stream_that_nobody_reads_delays_nobody() {
    let client = client(&Road::to(&server()), "ann").await;
    let mut unread = client.subscribe("/topic/a").prefetch(8).await.unwrap();
    let mut read = client.subscribe("/topic/a").from(StartFrom::Next).await.unwrap();
    for number in 0..100 {
        client.send(Draft::to("/topic/a").text(number.to_string())).await.unwrap();
        assert_eq!(read.message().await.unwrap().text(), number.to_string());
    }
    for number in 0..100 {
        assert_eq!(unread.message().await.unwrap().text(), number.to_string());
    }
}

#[tokio::test]
async fn a_transaction_is_accepted_as_a_whole_also_over_a_cut() {
    let road = Road::to(&server());
    let client = client(&road, "ann").await;
    let mut stream = client.subscribe("/topic/a").await.unwrap();
    let mut dropped = client.transaction();
    dropped.send(Draft::to("/topic/a").text("never")).unwrap();
    drop(dropped);
    let mut transaction = client.transaction();
    for text in ["1", "2", "3"] {
        transaction.send(Draft::to("/topic/a").text(text)).unwrap();
    }
    assert!(transaction.send(Draft::to("/app/x")).is_err());
    road.cut();
    transaction.commit().await.unwrap();
    let mut came = HashSet::new();
    for text in ["1", "2", "3"] {
        let message = stream.message().await.unwrap();
        assert_eq!(message.text(), text);
        assert!(came.insert(message.id().into_owned()));
    }
}

#[tokio::test]
async fn a_full_outbox_makes_senders_wait_or_fail() {
    let road = Arc::new(Road::default());
    let client = Client::over(road.clone())
        .outbox(1_000)
        .pauses(Duration::from_millis(5), Duration::from_millis(20))
        .start()
        .unwrap();
    let draft = || Draft::to("/topic/a").body("application/octet-stream", vec![0; 300]);
    let first = client.try_queue(draft()).unwrap();
    assert!(matches!(client.try_queue(draft()), Err(ClientError::Full(_))));
    let large = Draft::to("/topic/a").body("x/y", vec![0; 2_000]);
    assert!(matches!(client.try_queue(large), Err(ClientError::TooLarge { .. })));
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.send(draft()).await }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!waiting.is_finished());
    road.lead_to(Some(&server()));
    first.await.unwrap();
    waiting.await.unwrap().unwrap();
}

#[tokio::test]
async fn closing_says_whether_everything_was_receipted() {
    let road = Arc::new(Road::default());
    let client = Client::over(road).start().unwrap();
    let sending = client.queue(Draft::to("/topic/a").text("never")).await.unwrap();
    let closed = client.close(Duration::from_millis(30)).await;
    assert!(matches!(closed, Err(ClientError::Closed)));
    assert!(matches!(sending.await, Err(ClientError::Closed)));
    assert_eq!(*client.status().borrow(), Status::Closed);
}

#[tokio::test]
async fn a_message_that_goes_at_most_once_is_lost_with_its_connection() {
    let road = Road::to(&server());
    let client = client(&road, "ann").await;
    road.lead_to(None);
    road.cut();
    // It may go out before the cut is seen, or wait for the next connection: both are right,
    // but it never hangs and is never sent twice.
    let sending = client.queue(Draft::to("/topic/a").volatile().text("now")).await.unwrap();
    road.lead_to(Some(&server()));
    let outcome = tokio::time::timeout(BOUND, sending).await.unwrap();
    assert!(matches!(outcome, Ok(_) | Err(ClientError::Lost)), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_falls_silent_is_given_up_and_beats_keep_an_idle_connection() {
    let road = Road::to(&server());
    let client = Client::over(road.clone()).heart_beat(SECOND).connect().await.unwrap();
    let mut status = client.status();
    status.mark_unchanged();
    tokio::time::sleep(60 * SECOND).await;
    assert!(!status.has_changed().unwrap(), "beats went both ways for a minute");

    struct Silent;
    #[async_trait]
    impl Connector for Silent {
        async fn connect(&self) -> io::Result<Box<dyn ByteStream>> {
            let (ours, mut theirs) = tokio::io::duplex(1024);
            tokio::spawn(async move {
                use tokio::io::AsyncWriteExt;
                let connected = b"CONNECTED\nversion:1.2\nheart-beat:1000,1000\n\n\0";
                theirs.write_all(connected).await.unwrap();
                tokio::time::sleep(600 * SECOND).await;
            });
            Ok(Box::new(ours))
        }
    }
    let client = Client::over(Arc::new(Silent)).heart_beat(SECOND).connect().await.unwrap();
    let start = tokio::time::Instant::now();
    client.status().wait_for(|status| !status.is_connected()).await.unwrap();
    let took = start.elapsed();
    assert!((2 * SECOND..3 * SECOND).contains(&took), "{took:?}");
}

#[tokio::test]
async fn the_last_handle_ends_the_session() {
    let server = server();
    let client = client(&Road::to(&server), "ann").await;
    let stream = client.subscribe("/topic/a").await.unwrap();
    drop(client);
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(server.connections(), 1, "a stream is a handle too");
    drop(stream);
    tokio::time::timeout(BOUND, async {
        while server.connections() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
}

/// Answers every SUBSCRIBE with this ERROR.
struct Refusing(&'static str);

#[async_trait]
impl Connector for Refusing {
    async fn connect(&self) -> io::Result<Box<dyn ByteStream>> {
        let (ours, mut theirs) = tokio::io::duplex(4096);
        let error = self.0;
        tokio::spawn(async move {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let mut read = [0; 4096];
            let _ = theirs.read(&mut read).await; // CONNECT
            let _ = theirs.write_all(b"CONNECTED\nversion:1.2\n\n\0").await;
            let count = theirs.read(&mut read).await.unwrap_or(0);
            let said = String::from_utf8_lossy(&read[..count]).into_owned();
            let receipt = said.split("receipt:").nth(1).and_then(|rest| rest.lines().next());
            let receipt = receipt.unwrap_or_default();
            let frame = format!("ERROR\ncode:{error}\nreceipt-id:{receipt}\nmessage:no\n\n\0");
            let _ = theirs.write_all(frame.as_bytes()).await;
        });
        Ok(Box::new(ours))
    }
}

#[tokio::test]
async fn a_place_that_somebody_else_holds_is_told_and_a_passing_refusal_is_tried_again() {
    let pauses = (Duration::from_millis(1), Duration::from_millis(5));
    for code in ["in-use", "forbidden"] {
        let builder = Client::over(Arc::new(Refusing(code))).pauses(pauses.0, pauses.1);
        let client = builder.connect().await.unwrap();
        let refused = tokio::time::timeout(BOUND, client.subscribe("/topic/a")).await;
        assert!(matches!(refused, Ok(Err(ClientError::Refused(_)))), "{code} {refused:?}");
    }
    let builder = Client::over(Arc::new(Refusing("unavailable"))).pauses(pauses.0, pauses.1);
    let client = builder.connect().await.unwrap();
    let waiting = tokio::time::timeout(SECOND / 10, client.subscribe("/topic/a")).await;
    assert!(waiting.is_err(), "{waiting:?}");
}

#[tokio::test]
async fn a_transaction_acknowledges_what_it_answers_all_or_nothing() {
    if !has_queues() {
        return;
    }
    let road = Road::to(&server());
    let client = client(&road, "ann").await;
    client.send(Draft::to("/queue/orders").text("one")).await.unwrap();
    let mut orders = client.subscribe("/queue/orders").explicit_acks().await.unwrap();
    let mut bills = client.subscribe("/queue/bills").await.unwrap();
    let order = orders.message().await.unwrap();

    let mut dropped = client.transaction();
    dropped.ack(&order).unwrap();
    drop(dropped); // nothing of it was sent, so the order is still ours

    // The connection is lost before the commit: the order comes again, and no bill was sent.
    let mut cut = client.transaction();
    cut.send(Draft::to("/queue/bills").text("never")).unwrap();
    cut.ack(&order).unwrap();
    road.cut();
    let order = orders.message().await.unwrap();
    assert!(order.is_redelivered());
    assert!(matches!(cut.commit().await, Err(ClientError::Lost)));

    let mut done = client.transaction();
    done.send(Draft::to("/queue/bills").text("bill").dedup_id(order.id())).unwrap();
    done.ack(&order).unwrap();
    done.commit().await.unwrap();
    let bill = bills.message().await.unwrap();
    assert_eq!(bill.text(), "bill");
    road.cut();

    // Whatever happens to the connection now, the order is done with.
    client.send(Draft::to("/queue/orders").text("two")).await.unwrap();
    assert_eq!(orders.message().await.unwrap().text(), "two");
    // The bill may come again, for the cut may have been faster than its acknowledgement.
    let more = tokio::time::timeout(Duration::from_millis(100), bills.message()).await;
    assert!(more.is_err() || more.unwrap().unwrap().id() == bill.id(), "there is one bill");
}

/// Takes each token once, and lets its session live for a moment only.
#[derive(Default)]
struct ShortTokens(Mutex<HashSet<String>>);

#[async_trait]
impl Authenticate for ShortTokens {
    async fn authenticate(&self, credentials: Credentials) -> Result<Principal, Problem> {
        let token = credentials.passcode.unwrap_or_default();
        if !self.0.lock().unwrap().insert(token) {
            return Err(Problem::new(Code::Expired, "This token's time is over."));
        }
        let until = std::time::Instant::now() + Duration::from_millis(50);
        Ok(Principal { expires: Some(until), ..Principal::user("ann") })
    }
}

#[tokio::test]
async fn a_login_that_does_not_last_is_asked_for_anew() {
    let server = Server::builder().authenticate(Arc::<ShortTokens>::default()).build();
    let road = Road::to(&server);
    let builder =
        || Client::over(road.clone()).pauses(Duration::from_millis(5), Duration::from_millis(20));
    let asked = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let counter = asked.clone();
    let client = builder().login_with(move || {
        let number = counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        async move {
            match number {
                1 => Err(io::Error::other("the tokens' server is away").into()),
                // One that was used before: the server calls it expired, and another is fetched.
                2 => Ok((String::new(), "token-0".to_owned())),
                _ => Ok((String::new(), format!("token-{number}"))),
            }
        }
    });
    let client = client.connect().await.unwrap();
    let mut sent = 0;
    while asked.load(std::sync::atomic::Ordering::Relaxed) < 6 {
        client.send(Draft::to("/topic/a").text("still here")).await.unwrap();
        sent += 1;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(sent > 0);

    let fixed = builder().login("", "fixed").connect().await.unwrap();
    let end = tokio::time::timeout(30 * SECOND, async {
        loop {
            match fixed.send(Draft::to("/topic/a")).await {
                Ok(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                Err(error) => return error,
            }
        }
    });
    let end = end.await.unwrap();
    assert!(
        matches!(&end, ClientError::Refused(problem) if problem.code == Code::Expired),
        "{end}"
    );
    // Whoever comes later is told the reason too, not only that it is over.
    let later = fixed.send(Draft::to("/topic/a")).await.unwrap_err();
    assert_eq!(later.to_string(), end.to_string());
}
