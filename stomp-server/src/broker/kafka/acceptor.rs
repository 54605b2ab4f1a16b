//! Taking publications: which topic one belongs to, and whether it was there already.

use std::sync::Arc;

use parking_lot::Mutex;

use super::{
    client::LiveProducer,
    invalid,
    producer::{self, Asker},
    queue::KafkaQueues,
    receipts::Receipts,
    record,
    upkeep::Current,
    window::Window,
};
use crate::broker::{
    Accepted, BrokerError, Class, Publish, Reply, dedupe::Print, hub::Hub, partition::Partitions,
};

/// The answer where nothing is kept.
const HANDED_OVER: Accepted = Accepted { position: None, duplicate: false };

/// Takes publications for the log, the queues and whoever listens now.
#[derive(Clone)]
pub(super) struct Acceptor {
    pub(super) hub: Arc<Hub>,
    pub(super) max_record: usize,
    pub(super) receipts: Arc<Receipts>,
    pub(super) window: Arc<Mutex<Window>>,
    pub(super) queues: Arc<KafkaQueues>,
    pub(super) log_topic: Arc<str>,
    pub(super) log_producer: Current,
    pub(super) live_topic: Arc<str>,
    pub(super) live_partitions: Partitions,
    pub(super) live_producer: Arc<LiveProducer>,
}

impl Acceptor {
    pub(super) fn publish(&self, publish: Publish) -> Reply<Accepted> {
        if super::is_shared_queue(&publish.route) {
            return self.queues.publish(publish);
        }
        if publish.class == Class::Volatile || self.hub.is_temporary(&publish.route) {
            return Reply::now(self.hand_over(&publish));
        }
        self.accept(publish)
    }

    fn accept(&self, publish: Publish) -> Reply<Accepted> {
        let partition = self.hub.partition(&publish.route);
        let (print, first) = self.seen(&publish);
        if let Some(first) = first {
            return self.receipts.duplicate(partition, first);
        }
        let size = publish.message.size();
        if size > self.max_record {
            return Reply::now(Err(producer::too_large()));
        }
        let Some(headers) = record::headers(&publish) else { return Reply::now(Err(invalid())) };
        self.receipts.send(partition, size, print, |ticket| {
            let producer = self.log_producer.read();
            let asker = Asker::Publication(ticket);
            producer::send(&producer, &self.log_topic, partition, &publish, headers, asker)
        })
    }

    /// What stands for the publication's id, and where the first one with it stands.
    fn seen(&self, publish: &Publish) -> (Option<Print>, Option<u64>) {
        let Some(key) = &publish.dedupe else { return (None, None) };
        let mut window = self.window.lock();
        let print = window.print(&publish.route, key);
        (Some(print), window.first(print))
    }

    fn hand_over(&self, publish: &Publish) -> Result<Accepted, BrokerError> {
        self.hub.check_open()?;
        let partition = self.live_partitions.of(&publish.route);
        let headers = record::headers(publish).ok_or_else(invalid)?;
        producer::send_live(&self.live_producer, &self.live_topic, partition, publish, headers)?;
        Ok(HANDED_OVER)
    }
}

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acceptor").field("log_topic", &self.log_topic).finish_non_exhaustive()
    }
}
