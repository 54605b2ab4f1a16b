//! What a piece of the log comes to: decided from the records alone.

use stomp_server::broker::{Epoch, Position, Record};

use crate::{
    domain::{Event, LogRoute, Marker},
    ports::{ChangedMessage, DeadRecord, LogBatch, LogCursor, MessageChange, MessageRow},
};

/// The batch that takes these records over, beginning where the cursors stand.
pub(super) fn plan(cursors: &[LogCursor], records: &[(u32, Record)]) -> LogBatch {
    let mut batch = LogBatch::default();
    for (partition, record) in records {
        let Some(cursor) = cursors.iter().find(|cursor| cursor.partition == *partition) else {
            continue;
        };
        batch.moves_past(cursor, record.offset);
        let position = Position { epoch: Epoch(cursor.epoch), offset: record.offset };
        if let Err(reason) = batch.take(*partition, position, record) {
            batch.dead.push(dead(*partition, position, record, reason));
        }
    }
    batch
}

impl LogBatch {
    /// The same record, set aside instead of taken over.
    pub(super) fn given_up(mut self, (partition, record): &(u32, Record)) -> Self {
        let epoch = self.from.first().map_or(0, |cursor| cursor.epoch);
        let position = Position { epoch: Epoch(epoch), offset: record.offset };
        self.messages.clear();
        self.changed.clear();
        self.markers.clear();
        self.delivered.clear();
        self.dead.push(dead(*partition, position, record, "the database refuses it"));
        self
    }

    fn moves_past(&mut self, from: &LogCursor, offset: u64) {
        let to = LogCursor { next: offset + 1, ..*from };
        match self.to.iter_mut().find(|cursor| cursor.partition == from.partition) {
            Some(cursor) => *cursor = to,
            None => {
                self.from.push(*from);
                self.to.push(to);
            }
        }
    }

    fn take(
        &mut self,
        partition: u32,
        position: Position,
        record: &Record,
    ) -> Result<(), &'static str> {
        let route = LogRoute::parse(&record.logged.route).ok_or("not a destination of the chat")?;
        let event: Event = serde_json::from_slice(record.logged.message.body())
            .map_err(|_| "not an event of the chat")?;
        match (route, event) {
            (LogRoute::Room(room), Event::Message { message, .. }) if message.room == room => {
                let at_ms = record.at_ms as i64;
                self.messages.push(MessageRow { message, position, at_ms, partition });
            }
            (LogRoute::Room(room), Event::Edited { at, message, .. }) if message.room == room => {
                let (id, change) = (message.id, MessageChange::Edited(message.content));
                self.changed.push(ChangedMessage { room, id, position, at, change });
            }
            (LogRoute::Room(room), Event::Deleted { at, id, by, .. }) => {
                let change = MessageChange::Deleted(by);
                self.changed.push(ChangedMessage { room, id, position, at, change });
            }
            (LogRoute::Markers(room), Event::Read { markers, .. }) => {
                let newest = position.to_string();
                let markers = markers.into_iter().map(|marker| clamped(marker, &newest));
                self.markers.extend(markers.map(|marker| (room.clone(), marker)));
            }
            (LogRoute::Markers(room), Event::Delivered { markers, .. }) => {
                let newest = position.to_string();
                let markers = markers.into_iter().map(|marker| clamped(marker, &newest));
                self.delivered.extend(markers.map(|marker| (room.clone(), marker)));
            }
            (LogRoute::Markers(_), Event::Changed { .. }) => {}
            // SQL had these first.
            (LogRoute::Room(_), Event::Member { .. } | Event::Room { .. }) => {}
            _ => return Err("an event that does not belong there"),
        }
        Ok(())
    }
}

/// Nobody has read what was said after the marker.
fn clamped(mut marker: Marker, newest: &str) -> Marker {
    if marker.position.as_deref().is_some_and(|position| position > newest) {
        marker.position = Some(newest.to_owned());
    }
    marker
}

fn dead(partition: u32, position: Position, record: &Record, reason: &'static str) -> DeadRecord {
    DeadRecord {
        partition,
        position,
        route: record.logged.route.to_string(),
        reason,
        body: String::from_utf8_lossy(record.logged.message.body()).into_owned(),
    }
}
