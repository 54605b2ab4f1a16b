//! The pump: brings a subscription that is behind up to the present, at its own pace.

use std::{sync::Arc, time::Duration};

use super::{Logged, hub::Hub, subscription::Subscription};
use crate::session::Offer;

/// How many messages are looked at in one stride; bounds how long a lock is held.
const STRIDE: usize = 128;

/// How long a replay waits when the journal could not be read.
const RETRY: Duration = Duration::from_millis(500);

/// Some messages in order, and how far the search for them went.
pub(super) struct Stride {
    pub(super) messages: Vec<(u64, Arc<Logged>)>,
    pub(super) scanned: u64,
}

/// Feeds a subscription until it is live, has ended, or the broker closes.
pub(super) async fn pump(hub: Arc<Hub>, subscription: Arc<Subscription>) {
    loop {
        tokio::select! {
            () = hub.closing.cancelled() => return,
            () = subscription.capacity() => {}
        }
        let Some(place) = subscription.place() else { return };
        let stride = match hub.stride(&subscription, place, STRIDE).await {
            Ok(Some(stride)) => stride,
            Ok(None) if lose(&hub, &subscription) => return,
            Ok(None) => continue,
            Err(error) => {
                tracing::warn!(%error, "a replay waits for the journal");
                tokio::time::sleep(RETRY).await;
                continue;
            }
        };
        let is_at_head = stride.scanned == place;
        if is_at_head && hub.turn_live(&subscription) {
            return;
        }
        subscription.feed(&stride.messages, stride.scanned);
        tokio::task::consume_budget().await; // a replay out of memory must not keep others waiting
    }
}

/// The place has left the log: what lies between is lost to this subscriber, and the
/// slow-consumer policy says what that means. Says whether it has ended the subscription.
fn lose(hub: &Arc<Hub>, subscription: &Subscription) -> bool {
    if subscription.outbound.lose() == Offer::Taken {
        subscription.catch_up(hub.oldest_place(subscription));
        return false;
    }
    drop(hub.unsubscribe(subscription.request.key));
    true
}
