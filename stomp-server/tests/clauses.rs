//! Clauses of the specifications that a session alone can show and no decision is about; the list is
//! in `docs/conformance.md`.

use stomp_server::{Server, testing::Talk};
use tokio::io::DuplexStream;

fn talk(server: &Server) -> Talk<DuplexStream> {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    server.accept(theirs, None);
    Talk::over(ours)
}

async fn logged_in(server: &Server) -> Talk<DuplexStream> {
    let mut talk = talk(server);
    talk.login("ann").await;
    talk
}

#[tokio::test]
async fn two_subscriptions_of_a_connection_cannot_have_one_id() {
    let server = Server::builder().build();
    logged_in(&server)
        .await
        .play(
            "C: SUBSCRIBE⏎id:0⏎destination:/topic/a⏎receipt:1⏎⏎^@
             S: RECEIPT⏎receipt-id:1
             C: SUBSCRIBE⏎id:0⏎destination:/topic/b⏎receipt:2⏎⏎^@
             S: ERROR⏎receipt-id:2
             S: (closed)",
        )
        .await;
}

#[tokio::test]
async fn an_id_of_an_ended_subscription_is_free_again() {
    let server = Server::builder().build();
    logged_in(&server)
        .await
        .play(
            "C: SUBSCRIBE⏎id:0⏎destination:/topic/a⏎receipt:1⏎⏎^@
             S: RECEIPT⏎receipt-id:1
             C: UNSUBSCRIBE⏎id:0⏎receipt:2⏎⏎^@
             S: RECEIPT⏎receipt-id:2
             C: SUBSCRIBE⏎id:0⏎destination:/topic/b⏎receipt:3⏎⏎^@
             S: RECEIPT⏎receipt-id:3",
        )
        .await;
}

#[tokio::test]
async fn unsubscribe_of_an_unknown_id_is_an_error() {
    let server = Server::builder().build();
    logged_in(&server)
        .await
        .play(
            "C: UNSUBSCRIBE⏎id:7⏎receipt:1⏎⏎^@
             S: ERROR⏎receipt-id:1
             S: (closed)",
        )
        .await;
}

#[tokio::test]
async fn a_message_has_an_ack_header_where_its_subscription_acknowledges() {
    let server = Server::builder().build();
    logged_in(&server)
        .await
        .play(
            "C: SUBSCRIBE⏎id:0⏎destination:/topic/a⏎ack:client⏎receipt:1⏎⏎^@
             S: RECEIPT⏎receipt-id:1
             C: SEND⏎destination:/topic/a⏎⏎hello^@
             S: MESSAGE⏎subscription:0⏎destination:/topic/a⏎message-id:*⏎ack:*⏎⏎hello",
        )
        .await;
}

#[tokio::test]
async fn a_transaction_that_disconnect_leaves_open_is_aborted() {
    let server = Server::builder().build();
    let mut bob = logged_in(&server).await;
    bob.play(
        "C: SUBSCRIBE⏎id:0⏎destination:/topic/a⏎receipt:1⏎⏎^@
         S: RECEIPT⏎receipt-id:1",
    )
    .await;
    logged_in(&server)
        .await
        .play(
            "C: BEGIN⏎transaction:t⏎⏎^@
             C: SEND⏎destination:/topic/a⏎transaction:t⏎⏎lost^@
             C: DISCONNECT⏎receipt:1⏎⏎^@
             S: RECEIPT⏎receipt-id:1
             S: (closed)",
        )
        .await;
    bob.play(
        "C: SEND⏎destination:/topic/a⏎⏎seen^@
         S: MESSAGE⏎subscription:0⏎destination:/topic/a⏎⏎seen",
    )
    .await;
}
