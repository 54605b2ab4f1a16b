//! What there is to see. Nothing here waits, and no lock is held for longer than a glance.

use super::Hub;
use crate::broker::{QueueInfo, StorageInfo};

impl Hub {
    /// Queues behind a name, in the order of their names.
    pub(in crate::broker) fn queue_infos(&self, after: &str, limit: usize) -> Vec<QueueInfo> {
        let mut queues = self.queues.all();
        queues.retain(|queue| queue.name.as_str() > after);
        if limit < queues.len() {
            queues.select_nth_unstable_by(limit, |one, other| one.name.cmp(&other.name));
            queues.truncate(limit);
        }
        queues.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        queues.iter().map(|queue| queue.info()).collect()
    }

    /// What is kept in this process.
    pub(in crate::broker) fn storage_info(&self) -> StorageInfo {
        let (queues, queue_bytes) = self.queues.size();
        let log = self.log.lock();
        let hold = Some(log.hold()).filter(|hold| *hold < u64::MAX);
        StorageInfo {
            ring_bytes: log.ring.bytes() as u64,
            ring_messages: log.ring.messages() as u64,
            queue_bytes,
            queues,
            lag: hold.map(|hold| log.next.saturating_sub(hold)),
            ..StorageInfo::default()
        }
    }
}
