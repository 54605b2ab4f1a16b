//! A message as octets: what the journal's `record` column holds.
//!
//! One octet of format, then route, given id, sender and dedupe id, each as four octets of
//! length (little end first; all ones where absent) and its octets, then the message.

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes};
use compact_str::CompactString;
use stomp_core::SharedMessage;

use super::{Entry, JournalError};
use crate::broker::{DedupeKey, Epoch, Logged, MessageId, Position};

const FORMAT: u8 = 1;
const ABSENT: u32 = u32::MAX;

/// The octets of a message.
pub(super) fn write(logged: &Logged) -> Vec<u8> {
    let message = logged.message.to_stored();
    let given = match &logged.id {
        MessageId::Given(id) => Some(&**id),
        MessageId::Position(_) | MessageId::Volatile(_) => None,
    };
    let dedupe = logged.dedupe.as_ref();
    let words = [
        Some(logged.route.as_str()),
        given,
        dedupe.map(|key| key.sender.as_str()),
        dedupe.map(|key| key.id.as_str()),
    ];
    let size: usize = words.iter().map(|word| 4 + word.map_or(0, str::len)).sum();
    let mut out = Vec::with_capacity(1 + size + message.len());
    out.put_u8(FORMAT);
    for word in words {
        out.put_u32_le(word.map_or(ABSENT, |word| word.len() as u32));
        out.put_slice(word.unwrap_or_default().as_bytes());
    }
    out.put_slice(&message);
    out
}

/// The message that octets stand for, at its place.
pub(super) fn read(
    octets: Vec<u8>,
    epoch: Epoch,
    offset: u64,
    at_ms: u64,
) -> Result<Entry, JournalError> {
    let damaged =
        || JournalError::Unreadable(format!("the record at offset {offset} is damaged").into());
    let mut rest = Bytes::from(octets);
    if rest.try_get_u8().ok() != Some(FORMAT) {
        return Err(damaged());
    }
    let mut word = || word(&mut rest).ok_or_else(damaged);
    let (route, given, sender, id) = (word()?, word()?, word()?, word()?);
    let message = SharedMessage::from_stored(rest).map_err(|_| damaged())?;
    let position = Position { epoch, offset };
    let logged = Logged {
        route: route.ok_or_else(damaged)?,
        id: given.map_or(MessageId::Position(position), |id| MessageId::Given(id.as_str().into())),
        position: Some(position),
        message,
        dedupe: sender.zip(id).map(|(sender, id)| DedupeKey { sender, id }),
        wire: Default::default(),
    };
    Ok(Entry { offset, at_ms, logged: Arc::new(logged) })
}

/// A word that may be absent; nothing where the octets make no sense.
fn word(rest: &mut Bytes) -> Option<Option<CompactString>> {
    let length = rest.try_get_u32_le().ok()?;
    if length == ABSENT {
        return Some(None);
    }
    if rest.len() < length as usize {
        return None;
    }
    let octets = rest.split_to(length as usize);
    Some(Some(CompactString::from_utf8(&octets[..]).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_reads_back_as_it_was() {
        let message = SharedMessage::new("/topic/a", [("x", "y")], "hello");
        for (id, dedupe) in
            [(None, None), (Some("m"), Some(DedupeKey { sender: "ann".into(), id: "1".into() }))]
        {
            let position = Position { epoch: Epoch(3), offset: 9 };
            let id = id.map_or(MessageId::Position(position), |id| MessageId::Given(id.into()));
            let logged = Logged {
                route: "/topic/a".into(),
                id,
                position: Some(position),
                message: message.clone(),
                dedupe,
                wire: Default::default(),
            };
            let entry = read(write(&logged), Epoch(3), 9, 5).unwrap();
            assert_eq!(entry.logged.route, logged.route);
            assert_eq!(entry.logged.id, logged.id);
            assert_eq!(entry.logged.position, logged.position);
            assert_eq!(entry.logged.message, logged.message);
            assert_eq!(entry.logged.dedupe, logged.dedupe);
        }
    }

    #[test]
    fn damaged_octets_are_an_error_wherever_they_are_cut() {
        let logged = Logged {
            route: "/topic/a".into(),
            id: MessageId::Given("m".into()),
            position: None,
            message: SharedMessage::new("/topic/a", [("x", "y")], ""),
            dedupe: None,
            wire: Default::default(),
        };
        let whole = write(&logged);
        for length in 0..whole.len() {
            assert!(read(whole[..length].to_vec(), Epoch(1), 1, 1).is_err(), "{length}");
        }
    }
}
