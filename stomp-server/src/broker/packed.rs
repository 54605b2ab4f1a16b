//! A message as one stretch of octets: how the tail of the log keeps it.
//!
//! Most messages of the tail are never read again, and an instance of a shared log reads many
//! that nobody here wants at all. Each is copied once, into a block that it shares with its
//! neighbours, and is made a message again only when a replay asks for it. So the tail takes what
//! its messages say and little more, and giving up the oldest touches no memory but their block's.

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
pub(super) const LARGE: usize = BLOCK / 8;

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

    #[cfg(any(feature = "kafka", test))]
    fn said(&self) -> Said<'_, impl Iterator<Item = (&str, &str)> + Clone> {
        let (sender, id) = self.dedupe.unzip();
        Said {
            words: [Some(self.route), self.shown, self.id, sender, id],
            headers: self.headers.iter().copied(),
            body: self.body,
        }
    }
}

/// What is packed, wherever it is read from.
struct Said<'a, H> {
    words: [Option<&'a str>; 5],
    headers: H,
    body: &'a [u8],
}

impl Packer {
    /// Packs a record.
    #[cfg(any(feature = "kafka", test))]
    pub(super) fn pack(&mut self, parts: &Parts<'_>) -> Packed {
        self.keep(&parts.said())
    }

    /// Packs a message.
    pub(super) fn pack_message(&mut self, logged: &Logged) -> Packed {
        let Logged { route, id, message, dedupe, .. } = logged;
        let shown = message.destination();
        let given = match id {
            MessageId::Given(id) => Some(&**id),
            MessageId::Position(_) | MessageId::Volatile(_) => None,
        };
        let dedupe = dedupe.as_ref().map(|key| (&*key.sender, &*key.id)).unzip();
        self.keep(&Said {
            words: [Some(route), (shown != route).then_some(shown), given, dedupe.0, dedupe.1],
            headers: message.headers(),
            body: message.body(),
        })
    }

    fn keep<N, V>(&mut self, said: &Said<'_, impl Iterator<Item = (N, V)> + Clone>) -> Packed
    where
        N: AsRef<str>,
        V: AsRef<str>,
    {
        let len = said.len();
        if len >= LARGE {
            let mut own = BytesMut::with_capacity(len);
            said.write(&mut own);
            return Packed(own.freeze());
        }
        if self.0.capacity() < len {
            self.0 = BytesMut::with_capacity(BLOCK);
        }
        said.write(&mut self.0);
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

impl<N: AsRef<str>, V: AsRef<str>, H: Iterator<Item = (N, V)> + Clone> Said<'_, H> {
    /// The octets that it takes when it is packed.
    fn len(&self) -> usize {
        const WORD: usize = size_of::<u32>();
        let word = |word: &str| WORD + word.len();
        let words: usize = self.words.iter().map(|it| word(it.unwrap_or_default())).sum();
        let pair = |(name, value): (N, V)| word(name.as_ref()) + word(value.as_ref());
        words + WORD + self.headers.clone().map(pair).sum::<usize>() + self.body.len()
    }

    fn write(&self, into: &mut BytesMut) {
        for word in self.words {
            match word {
                Some(word) => put(into, word),
                None => into.put_u32(NONE),
            }
        }
        into.put_u32(self.headers.clone().count() as u32);
        for (name, value) in self.headers.clone() {
            put(into, name.as_ref());
            put(into, value.as_ref());
        }
        into.put_slice(self.body);
    }
}

fn put(into: &mut BytesMut, word: &str) {
    into.put_u32(word.len() as u32);
    into.put_slice(word.as_bytes());
}

/// Reads what [`Said::write`] wrote.
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
            assert_eq!(
                packed.size(),
                parts.said().len(),
                "the room that was made is the room it takes"
            );
            assert_eq!(packed.route(), "/topic/a");
            let (again, direct) =
                (packed.logged(AT), parts.logged(AT, Bytes::copy_from_slice(&body)));
            assert_eq!(again.message, direct.message);
            assert_eq!(packer.pack_message(&direct).0, packed.0, "read from a message or a record");
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
