//! Fair reading: a connection that floods does not hold others up. Told by counts and order,
//! not by time.
#![cfg(feature = "testing")]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use stomp_server::{
    Server,
    auth::{Authorize, Decision, Intent, Principal},
    testing::Talk,
};
use tokio::io::{AsyncWriteExt, DuplexStream};

/// Frames of a flood: far more than are read before its neighbours have had their turns.
const FLOOD: usize = 50_000;
/// Rounds in which every neighbour sends one message and waits for its receipt.
const ROUNDS: usize = 20;
const NEIGHBOURS: usize = 5;
/// What each flooder may get through between two messages of the same neighbour: a few strides
/// of 64 frames, for a receipt and the next message each need a turn.
const BETWEEN: usize = 1_000;

/// Writes down who sends, in the order in which it is asked.
#[derive(Default)]
struct Order(Mutex<Vec<Arc<str>>>);

#[async_trait]
impl Authorize for Order {
    async fn authorize(&self, who: &Principal, _intent: Intent<'_>) -> Decision {
        let name = who.user.clone().unwrap_or_default();
        self.0.lock().expect("nobody panics with it").push(name);
        Decision::Allow
    }
}

async fn logged_in(server: &Server, name: &str, buffer: usize) -> Talk<DuplexStream> {
    let (ours, theirs) = tokio::io::duplex(buffer);
    server.accept(theirs, None);
    let mut talk = Talk::over(ours);
    talk.login(name).await;
    talk
}

/// All on one thread, where nothing but the sessions themselves gives others their turn.
async fn neighbours_get_their_turns_beside(flooders: usize) {
    let order = Arc::new(Order::default());
    let server = Server::builder().authorize(order.clone()).build();
    let frame = "SEND\ndestination:/topic/flood\n\nx\0";
    let mut floods = Vec::new();
    for _ in 0..flooders {
        let mut flood = logged_in(&server, "flood", FLOOD * frame.len()).await;
        flood.io().write_all(frame.repeat(FLOOD).as_bytes()).await.expect("the stream takes it");
        floods.push(flood);
    }
    let mut neighbours = Vec::new();
    for n in 0..NEIGHBOURS {
        neighbours.push(logged_in(&server, &format!("neighbour-{n}"), 4_096).await);
    }
    for round in 0..ROUNDS {
        for neighbour in &mut neighbours {
            neighbour.play(&format!("C: SEND⏎destination:/topic/x⏎receipt:{round}⏎⏎x^@")).await;
        }
        for neighbour in &mut neighbours {
            neighbour.play(&format!("S: RECEIPT⏎receipt-id:{round}")).await;
        }
    }
    let order = order.0.lock().expect("nobody panics with it");
    let flooded = order.iter().filter(|name| &***name == "flood").count();
    assert!(flooded < flooders * FLOOD, "the flood was over: nothing has been shown");
    for n in 0..NEIGHBOURS {
        let name = format!("neighbour-{n}");
        let turns: Vec<_> = (0..order.len()).filter(|at| *order[*at] == *name).collect();
        assert_eq!(turns.len(), ROUNDS);
        for pair in turns.windows(2) {
            let between = pair[1] - pair[0];
            assert!(between <= flooders * BETWEEN + NEIGHBOURS, "{name} waited for {between}");
        }
    }
}

#[tokio::test]
async fn a_flood_does_not_hold_its_neighbours_up() {
    neighbours_get_their_turns_beside(1).await;
}

#[tokio::test]
async fn floods_together_do_not_hold_their_neighbours_up() {
    neighbours_get_their_turns_beside(3).await;
}
