//! The tail of the log: the newest messages, in memory, found by destination.

use std::{collections::VecDeque, sync::Arc};

use smallvec::SmallVec;

use super::{
    Logged, Position,
    packed::{LARGE, Packed, Packer},
};

/// The newest kept messages of all destinations, up to a number of bytes.
#[derive(Debug)]
pub(super) struct Ring {
    bound: usize,
    bytes: usize,
    order: VecDeque<Kept>,
    slots: Vec<Slot>,
    free: Vec<SlotId>,
    /// The arrival of the newest message that was given up, of any destination.
    evicted: u64,
    /// The offset of the newest message that was given up, for each partition.
    evicted_in: Vec<u64>,
}

/// Where a message stands, for two kinds of readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// In the order in which messages came here. A log of one sequence has it from the log.
    pub(super) arrival: u64,
    pub(super) partition: usize,
    /// In its partition.
    pub(super) offset: u64,
}

impl Place {
    /// A place in a log of one sequence.
    #[cfg(test)]
    fn only(offset: u64) -> Self {
        Self { arrival: offset, partition: 0, offset }
    }
}

/// A message as the ring has it.
#[derive(Clone, Debug)]
pub(super) enum Stored {
    /// A large one, which is not copied.
    Whole(Arc<Logged>),
    /// Any other.
    Packed(Packed),
}

impl Stored {
    /// A message that somebody may be getting right now. What is written to sockets is gone when
    /// they have it, while this stays: so even a large one is another than theirs.
    pub(super) fn of(logged: &Logged, packer: &mut Packer) -> Self {
        if logged.message.body().len() < LARGE {
            return Self::Packed(packer.pack_message(logged));
        }
        Self::Whole(Arc::new(logged.clone()))
    }

    /// Along which route it came.
    pub(super) fn route(&self) -> &str {
        match self {
            Self::Whole(logged) => &logged.route,
            Self::Packed(packed) => packed.route(),
        }
    }

    /// The message, which stands at this place.
    pub(super) fn whole(&self, at: Position) -> Arc<Logged> {
        match self {
            Self::Whole(logged) => logged.clone(),
            Self::Packed(packed) => Arc::new(packed.logged(at)),
        }
    }

    fn weight(&self) -> usize {
        match self {
            Self::Whole(logged) => logged.message.size() + logged.route.len() + OVERHEAD,
            Self::Packed(packed) => packed.size() + OVERHEAD,
        }
    }
}

/// A message in its place.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) offset: u64,
    pub(super) arrival: u64,
    partition: usize,
    pub(super) at_ms: u64,
    pub(super) stored: Stored,
    slot: SlotId,
}

/// Where a destination's messages are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SlotId(usize);

#[derive(Debug, Default)]
struct Slot {
    kept: VecDeque<(u64, Stored)>,
    /// Up to here this destination may have had messages that are no longer in the ring.
    evicted: u64,
}

/// What was given up for a newer message, to be dropped where no lock is held.
pub(super) type Evicted = SmallVec<[Gone; 2]>;

/// A message that was given up.
#[derive(Debug)]
pub(super) struct Gone {
    pub(super) stored: Stored,
    /// It was the last one of its destination.
    pub(super) was_last: bool,
}

/// What a message weighs beside its own octets: its places in the ring and the shared parts.
const OVERHEAD: usize = 256;

impl Ring {
    pub(super) fn new(bound: usize) -> Self {
        Self {
            bound,
            bytes: 0,
            order: VecDeque::new(),
            slots: Vec::new(),
            free: Vec::new(),
            evicted: 0,
            evicted_in: vec![0],
        }
    }

    /// What a log has behind it that was never in this ring (a journal, at its start).
    pub(super) fn starting_behind(mut self, offset: u64) -> Self {
        self.evicted = offset;
        self.evicted_in = vec![offset];
        self
    }

    /// The same for each partition of a log that has many.
    #[cfg(feature = "kafka")]
    pub(super) fn start_behind_each(&mut self, offsets: Vec<u64>) {
        self.evicted_in = offsets;
    }

    /// A place for one more destination.
    pub(super) fn open_slot(&mut self, partition: usize) -> SlotId {
        let slot = Slot { kept: VecDeque::new(), evicted: self.evicted_in[partition] };
        if let Some(id) = self.free.pop() {
            self.slots[id.0] = slot;
            return id;
        }
        self.slots.push(slot);
        SlotId(self.slots.len() - 1)
    }

    /// Gives the place of an empty destination to another one.
    pub(super) fn close_slot(&mut self, id: SlotId) {
        self.slots[id.0] = Slot::default();
        self.free.push(id);
    }

    /// Adds the newest message and gives up the oldest ones beyond the bound, but never one at
    /// or behind `hold`, which somebody still has to read.
    pub(super) fn push(
        &mut self,
        slot: SlotId,
        place: Place,
        at_ms: u64,
        stored: Stored,
        hold: u64,
    ) -> Evicted {
        self.bytes += stored.weight();
        let Place { arrival, partition, offset } = place;
        self.slots[slot.0].kept.push_back((offset, stored.clone()));
        self.order.push_back(Kept { offset, arrival, partition, at_ms, stored, slot });
        self.shrink(hold)
    }

    /// Gives up what is beyond the bound and below `hold`.
    pub(super) fn shrink(&mut self, hold: u64) -> Evicted {
        let mut gone = Evicted::new();
        while self.bytes > self.bound
            && let Some(oldest) = self.order.front()
            && oldest.arrival < hold
        {
            gone.extend(self.pop());
        }
        gone
    }

    fn pop(&mut self) -> Option<Gone> {
        let kept = self.order.pop_front()?;
        self.bytes -= kept.stored.weight();
        self.evicted = kept.arrival;
        self.evicted_in[kept.partition] = kept.offset;
        let slot = &mut self.slots[kept.slot.0];
        slot.kept.pop_front();
        slot.evicted = kept.offset;
        let was_last = slot.kept.is_empty();
        if was_last {
            slot.kept = VecDeque::new();
        }
        Some(Gone { stored: kept.stored, was_last })
    }

    /// What the messages here weigh.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many messages are here.
    pub(super) fn messages(&self) -> usize {
        self.order.len()
    }

    /// Whether more is held than the bound allows because somebody has yet to read it.
    pub(super) fn is_overfull(&self) -> bool {
        self.bytes > self.bound.saturating_mul(2)
    }

    /// The arrival of the newest message that was given up.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Up to where messages of this destination may have been given up.
    pub(super) fn evicted_of(&self, slot: SlotId) -> u64 {
        self.slots[slot.0].evicted
    }

    /// Whether everything of this destination behind `after` is here.
    pub(super) fn covers(&self, slot: SlotId, after: u64) -> bool {
        self.slots[slot.0].evicted <= after
    }

    /// The offset of the destination's newest message.
    pub(super) fn newest(&self, slot: SlotId) -> Option<u64> {
        self.slots[slot.0].kept.back().map(|(offset, _)| *offset)
    }

    /// How many messages of the destination are here.
    pub(super) fn len(&self, slot: SlotId) -> usize {
        self.slots[slot.0].kept.len()
    }

    /// The offset just before the last `count` messages of the destination that are here.
    pub(super) fn before_last(&self, slot: SlotId, count: usize) -> Option<u64> {
        let kept = &self.slots[slot.0].kept;
        let at = kept.len().saturating_sub(count);
        kept.get(at).map(|(offset, _)| offset.saturating_sub(1))
    }

    /// At most `max` messages of the destination behind `after`, in order.
    pub(super) fn read(&self, slot: SlotId, after: u64, max: usize) -> Vec<(u64, Stored)> {
        let kept = &self.slots[slot.0].kept;
        let from = kept.partition_point(|(offset, _)| *offset <= after);
        kept.range(from..).take(max).cloned().collect()
    }

    /// At most `max` messages of all destinations that came behind `after`, in order.
    pub(super) fn read_all(&self, after: u64, max: usize) -> impl Iterator<Item = &Kept> {
        let from = self.order.partition_point(|kept| kept.arrival <= after);
        self.order.range(from..).take(max)
    }
}

#[cfg(test)]
mod tests {
    use stomp_core::SharedMessage;

    use super::*;
    use crate::broker::MessageId;

    fn logged(route: &str) -> Stored {
        let body = vec![b'x'; 1000 - OVERHEAD - 2 * route.len()];
        Stored::Whole(Arc::new(Logged {
            route: route.into(),
            id: MessageId::Volatile(0),
            position: None,
            message: SharedMessage::new(route, [("", ""); 0], body),
            dedupe: None,
            wire: Default::default(),
        }))
    }

    fn offsets(read: Vec<(u64, Stored)>) -> Vec<u64> {
        read.into_iter().map(|(offset, _)| offset).collect()
    }

    /// Offsets 1 to 6 alternate between two destinations; there is room for four.
    fn ring() -> (Ring, SlotId, SlotId) {
        let mut ring = Ring::new(4000);
        let (a, b) = (ring.open_slot(0), ring.open_slot(0));
        for offset in 1..=6 {
            let (slot, route) = if offset % 2 == 1 { (a, "/topic/a") } else { (b, "/topic/b") };
            drop(ring.push(slot, Place::only(offset), 0, logged(route), u64::MAX));
        }
        (ring, a, b)
    }

    #[test]
    fn the_oldest_go_first_and_their_destination_knows() {
        let (ring, a, b) = ring();
        assert_eq!(offsets(ring.read(a, 0, 10)), [3, 5]);
        assert_eq!(offsets(ring.read(b, 4, 10)), [6]);
        assert_eq!(ring.evicted(), 2);
        assert!(ring.covers(a, 1) && !ring.covers(a, 0));
        assert!(ring.covers(b, 2) && !ring.covers(b, 1));
    }

    #[test]
    fn the_last_few_are_found_from_the_end() {
        let (ring, a, _) = ring();
        assert_eq!(ring.before_last(a, 1), Some(4));
        assert_eq!(ring.before_last(a, 9), Some(2));
        assert_eq!(ring.newest(a), Some(5));
        assert_eq!(ring.len(a), 2);
    }

    #[test]
    fn nothing_goes_that_somebody_has_to_read() {
        let mut ring = Ring::new(1000);
        let slot = ring.open_slot(0);
        for offset in 1..=4 {
            drop(ring.push(slot, Place::only(offset), 0, logged("/topic/a"), 2));
        }
        assert_eq!(offsets(ring.read(slot, 0, 10)), [2, 3, 4]);
        assert!(ring.is_overfull());
        assert_eq!(ring.shrink(u64::MAX).len(), 2);
        assert_eq!(ring.read_all(0, 10).map(|kept| kept.offset).collect::<Vec<_>>(), [4]);
    }

    #[test]
    fn a_new_destination_is_not_known_to_be_whole() {
        let (mut ring, ..) = ring();
        let late = ring.open_slot(0);
        assert!(!ring.covers(late, 1));
        assert!(ring.covers(late, 2));
        ring.close_slot(late);
        assert_eq!(ring.open_slot(0), late);
    }
}
