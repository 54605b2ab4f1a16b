//! Messages that were taken back while this process has been reading the log: what memory still
//! has of them is not told any more.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use parking_lot::RwLock;
use stomp_server::broker::Position;

use crate::domain::{MessageId, RoomId};

/// How many are remembered. Each deletion stands in the tail itself, with some 400 octets, so that
/// a tail of 64 MiB never has the text of an older one.
const MOST: usize = 200_000;

/// What was taken back. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Withdrawn(Arc<RwLock<Known>>);

#[derive(Default)]
struct Known {
    rooms: HashMap<RoomId, HashSet<MessageId>>,
    /// Oldest first.
    order: VecDeque<(RoomId, MessageId)>,
    /// Where the reading began, by partition: of what stands before, only SQL knows.
    since: Vec<u64>,
}

impl Withdrawn {
    /// From here on nothing is missed.
    pub(super) fn reads_from(&self, heads: &[u64]) {
        self.0.write().since = heads.to_vec();
    }

    /// The log says that this message was taken back.
    pub(super) fn note(&self, room: &RoomId, id: &MessageId) {
        let mut known = self.0.write();
        if !known.rooms.entry(room.clone()).or_default().insert(id.clone()) {
            return;
        }
        known.order.push_back((room.clone(), id.clone()));
        if known.order.len() > MOST {
            known.forget_oldest();
        }
    }

    /// What is known to be taken back in this room.
    pub(super) fn of(&self, room: &RoomId) -> HashSet<MessageId> {
        self.0.read().rooms.get(room).cloned().unwrap_or_default()
    }

    /// Whether what stands there may have been taken back before the reading began.
    pub(super) fn may_have_missed(&self, partition: u32, at: Option<Position>) -> bool {
        let known = self.0.read();
        let since = known.since.get(partition as usize);
        at.is_none_or(|at| since.is_none_or(|since| at.offset < *since))
    }
}

impl Known {
    fn forget_oldest(&mut self) {
        let Some((room, id)) = self.order.pop_front() else { return };
        if let Some(ids) = self.rooms.get_mut(&room) {
            ids.remove(&id);
            if ids.is_empty() {
                self.rooms.remove(&room);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use stomp_server::broker::Epoch;

    use super::*;

    #[test]
    fn it_knows_what_was_taken_back_in_a_room_since_it_reads() {
        let (withdrawn, room) = (Withdrawn::default(), RoomId::parse("r").unwrap());
        let at = |offset| Some(Position { epoch: Epoch(1), offset });
        assert!(withdrawn.may_have_missed(0, at(5)), "it does not read yet");
        withdrawn.reads_from(&[5]);
        assert!(withdrawn.may_have_missed(0, at(4)) && !withdrawn.may_have_missed(0, at(5)));
        assert!(withdrawn.may_have_missed(1, at(9)), "a partition that nobody has told of");
        let id = MessageId::parse("m").unwrap();
        withdrawn.note(&room, &id);
        withdrawn.note(&room, &id);
        assert_eq!(withdrawn.of(&room), HashSet::from([id]));
        assert!(withdrawn.of(&RoomId::parse("s").unwrap()).is_empty());
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let (withdrawn, room) = (Withdrawn::default(), RoomId::parse("r").unwrap());
        let id = |n: usize| MessageId::parse(&format!("m-{n}")).unwrap();
        (0..=MOST).for_each(|n| withdrawn.note(&room, &id(n)));
        let known = withdrawn.of(&room);
        assert_eq!(known.len(), MOST);
        assert!(!known.contains(&id(0)) && known.contains(&id(MOST)));
    }
}
