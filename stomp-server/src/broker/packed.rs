//! A message as one stretch of octets: how the tail keeps what nobody here wants.
//!
//! An instance of a shared log reads every record, and most are for nobody who is connected to
//! it. Such a record is copied once, into a block that it shares with its neighbours, and is
//! made a message only when a replay asks for it.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use compact_str::CompactString;
use smallvec::SmallVec;
use stomp_core::SharedMessage;

use super::{DedupeKey, Logged, MessageId, Position};

/// How much one block holds: many small messages, and few enough that a block which is still
/// needed for one of them costs little.
const BLOCK: usize = 256 << 10;

/// A message of this size has octets of its own, so that its body need not be copied again.
const LARGE: usize = BLOCK / 8;

/// Stands for a word that is not there.
const NONE: u32 = u32::MAX;

/// What a record says, as words of the record itself.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    pub(super) route: &'a str,
    /// The destination that the message shows, where it is not the route.
    pub(super) shown: Option<&'a str>,
    /// An id that the application gave.
    pub(super) id: Option<&'a str>,
    /// Who published it under which id.
    pub(super) dedupe: Option<(&'a str, &'a str)>,
    pub(super) headers: SmallVec<[(&'a str, &'a str); 12]>,
    pub(super) body: &'a [u8],
}

/// One message, packed.
#[derive(Clone, Debug)]
pub(super) struct Packed(Bytes);

/// Packs messages behind each other.
#[derive(Debug, Default)]
pub(super) struct Packer(BytesMut);

impl Parts<'_> {
    pub(super) fn dedupe_key(&self) -> Option<DedupeKey> {
        let (sender, id) = self.dedupe?;
        Some(DedupeKey { sender: sender.into(), id: id.into() })
    }

    pub(super) fn message_id(&self) -> Option<Arc<str>> {
        self.id.map(Arc::from)
    }

    /// The message, with a body that has been cut out of wherever this comes from.
    pub(super) fn message(&self, body: Bytes) -> SharedMessage {
        SharedMessage::new(self.shown.unwrap_or(self.route), self.headers.iter().copied(), body)
    }

    /// The message at its place.
    pub(super) fn logged(&self, position: Position, body: Bytes) -> Logged {
        let given = self.message_id();
        Logged {
            route: CompactString::from(self.route),
            id: given.map_or(MessageId::Position(position), MessageId::Given),
            position: Some(position),
            message: self.message(body),
            dedupe: self.dedupe_key(),
            wire: Default::default(),
        }
    }

    /// The octets that it takes when it is packed.
    fn len(&self) -> usize {
        const WORD: usize = size_of::<u32>();
        let (sender, id) = self.dedupe.unwrap_or_default();
        let words = [self.route, self.shown.unwrap_or(""), self.id.unwrap_or(""), sender, id];
        let head: usize = words.iter().map(|word| WORD + word.len()).sum();
        let pair = |(name, value): &(&str, &str)| 2 * WORD + name.len() + value.len();
        head + WORD + self.headers.iter().map(pair).sum::<usize>() + self.body.len()
    }
}

impl Packer {
    pub(super) fn pack(&mut self, parts: &Parts<'_>) -> Packed {
        let len = parts.len();
        if len >= LARGE {
            let mut own = BytesMut::with_capacity(len);
            write(&mut own, parts);
            return Packed(own.freeze());
        }
        if self.0.capacity() < len {
            self.0 = BytesMut::with_capacity(BLOCK);
        }
        write(&mut self.0, parts);
        Packed(self.0.split().freeze())
    }
}

impl Packed {
    /// Along which route it came.
    pub(super) fn route(&self) -> &str {
        Cut(&self.0).word().unwrap_or_default()
    }

    pub(super) fn size(&self) -> usize {
        self.0.len()
    }

    /// The message again. A large body shares the octets; a small one leaves the block to the
    /// ring, so that a slow subscriber cannot hold all of it.
    pub(super) fn logged(&self, position: Position) -> Logged {
        let parts = self.parts();
        let body = if self.0.len() >= LARGE {
            self.0.slice(self.0.len() - parts.body.len()..)
        } else {
            Bytes::copy_from_slice(parts.body)
        };
        parts.logged(position, body)
    }

    fn parts(&self) -> Parts<'_> {
        let mut cut = Cut(&self.0);
        let route = cut.word().unwrap_or_default();
        let (shown, id) = (cut.word(), cut.word());
        let dedupe = cut.word().zip(cut.word());
        let count = cut.number();
        let pair = |_| (cut.word().unwrap_or_default(), cut.word().unwrap_or_default());
        let headers = (0..count).map(pair).collect();
        Parts { route, shown, id, dedupe, headers, body: cut.0 }
    }
}

fn write(into: &mut BytesMut, parts: &Parts<'_>) {
    let mut word = |word: Option<&str>| {
        into.put_u32(word.map_or(NONE, |word| word.len() as u32));
        into.put_slice(word.unwrap_or_default().as_bytes());
    };
    word(Some(parts.route));
    word(parts.shown);
    word(parts.id);
    word(parts.dedupe.map(|(sender, _)| sender));
    word(parts.dedupe.map(|(_, id)| id));
    into.put_u32(parts.headers.len() as u32);
    for (name, value) in &parts.headers {
        for word in [name, value] {
            into.put_u32(word.len() as u32);
            into.put_slice(word.as_bytes());
        }
    }
    into.put_slice(parts.body);
}

/// Reads what [`write`] wrote.
struct Cut<'a>(&'a [u8]);

impl<'a> Cut<'a> {
    fn number(&mut self) -> u32 {
        let Some((number, rest)) = self.0.split_first_chunk() else { return 0 };
        self.0 = rest;
        u32::from_be_bytes(*number)
    }

    fn word(&mut self) -> Option<&'a str> {
        let len = self.number();
        if len == NONE {
            return None;
        }
        let (word, rest) = self.0.split_at_checked(len as usize)?;
        self.0 = rest;
        std::str::from_utf8(word).ok()
    }
}

#[cfg(test)]
mod tests {
    use smallvec::smallvec;

    use super::*;
    use crate::broker::Epoch;

    const AT: Position = Position { epoch: Epoch(1), offset: 7 };

    fn parts(body: &[u8]) -> Parts<'_> {
        Parts {
            route: "/topic/a",
            shown: Some("/topic/shown"),
            id: None,
            dedupe: Some(("ann", "1")),
            headers: smallvec![("k", "first"), ("k", ""), ("ü", "a\nb")],
            body,
        }
    }

    #[test]
    fn what_was_packed_comes_out_as_it_was() {
        let mut packer = Packer::default();
        for size in [0, 10, LARGE, BLOCK + 1] {
            let body = vec![b'x'; size];
            let parts = parts(&body);
            let packed = packer.pack(&parts);
            assert_eq!(packed.size(), parts.len(), "the room that was made is the room it takes");
            assert_eq!(packed.route(), "/topic/a");
            let (again, direct) =
                (packed.logged(AT), parts.logged(AT, Bytes::copy_from_slice(&body)));
            assert_eq!(again.message, direct.message);
            assert_eq!((again.id, again.dedupe), (direct.id, direct.dedupe));
        }
    }

    #[test]
    fn many_lie_in_one_block_and_stay_apart() {
        let mut packer = Packer::default();
        let packed: Vec<_> =
            (0..5_000).map(|n: u32| packer.pack(&parts(n.to_string().as_bytes()))).collect();
        for (n, packed) in packed.iter().enumerate() {
            assert_eq!(packed.logged(AT).message.body(), n.to_string().as_bytes());
        }
    }
}
