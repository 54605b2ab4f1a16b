//! Instances that read the log together.

use std::time::Duration;

use stomp_core::SharedMessage;
use stomp_server::broker::{Broker, Publish, Share};

use crate::{fresh, one_node, open};

async fn until(share: &mut Share, wanted: impl Fn(&[u32]) -> bool) -> Vec<u32> {
    let waiting = async {
        loop {
            let now = share.now();
            if wanted(&now) {
                return now;
            }
            share.changed().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("a share in time")
}

/// Two members have half of the partitions each; whoever stays has all of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_are_divided_among_those_who_read_and_taken_over_from_who_leaves() {
    let Some(kafka) = one_node() else { return };
    let config = fresh(&kafka, 8);
    let (one, other) = (open(&config).await, open(&config).await);
    let heads = one.log().await.unwrap().heads;
    let all: Vec<_> = (0..heads.len() as u32).collect();
    let mut first = one.share("store").await.unwrap();
    assert_eq!(until(&mut first, |now| !now.is_empty()).await, all);
    let mut second = other.share("store").await.unwrap();
    let theirs = until(&mut second, |now| !now.is_empty()).await;
    let ours = until(&mut first, |now| !now.is_empty() && now.len() < all.len()).await;
    let mut both = [ours, theirs].concat();
    both.sort_unstable();
    assert_eq!(both, all, "each partition has one reader");

    let place = one.partition_of("/topic/a");
    let sent = one.publish(Publish::kept(SharedMessage::new("/topic/a", [("n", "1")], "x")));
    let offset = sent.await.unwrap().position.unwrap().offset;
    let mut reader = other.read_partitions(&[(place, offset)]).await.unwrap();
    let read = tokio::time::timeout(Duration::from_secs(30), reader.next(10)).await;
    let read = read.expect("in time").unwrap();
    assert_eq!((read.partition, read.records[0].offset), (place, offset));
    assert_eq!(one.log().await.unwrap().heads[place as usize], offset + 1);

    drop(first);
    assert_eq!(until(&mut second, |now| now.len() == all.len()).await, all);
    one.close().await;
    other.close().await;
}
