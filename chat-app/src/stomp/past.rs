//! Rooms as they are now, for those who come back after a long time: out of SQL instead of the
//! log, so that nobody is sent what has been deleted or replaced since.

use std::{collections::HashSet, fmt, sync::Arc};

use async_trait::async_trait;
use stomp_server::broker::{
    Chapter, History as Past, JournalError, Logged, MessageId as LoggedId, Position,
};

use super::Withdrawn;
use crate::{
    domain::{Content, Event, LogRoute, Message, MessageId, RoomId, Timestamp, UserId, room_topic},
    ports::{Changes, History},
    service::json_message,
};

/// More changes than this are better read as a page.
const MOST: u32 = 10_000;

/// Tells of the rooms' past.
pub(crate) struct RoomsPast {
    pub(crate) history: Arc<dyn History>,
    pub(crate) withdrawn: Withdrawn,
}

impl fmt::Debug for RoomsPast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RoomsPast")
    }
}

#[async_trait]
impl Past for RoomsPast {
    async fn reaches(&self, route: &str, partition: u32, after: Position) -> bool {
        let Some(LogRoute::Room(room)) = LogRoute::parse(route) else { return false };
        match self.history.count_changes(&room, partition, after, MOST + 1).await {
            Ok(count) => count.is_some_and(|count| count <= MOST),
            Err(error) => {
                tracing::warn!(%error, "a room's past could not be counted");
                false
            }
        }
    }

    async fn behind(
        &self,
        route: &str,
        partition: u32,
        after: Position,
        max: usize,
    ) -> Result<Chapter, JournalError> {
        let Some(LogRoute::Room(room)) = LogRoute::parse(route) else {
            return Err(JournalError::Unreadable("only rooms have a past here".into()));
        };
        let limit = u32::try_from(max).unwrap_or(MOST);
        let changes = self.history.changes(&room, partition, after, limit).await;
        let Changes { messages, upto } =
            changes.map_err(|error| JournalError::Unreadable(error.to_string().into()))?;
        let tell = |(at, message, by)| logged(&room, after, at, message, by);
        Ok(Chapter { messages: messages.into_iter().map(tell).collect(), upto })
    }

    async fn retold(
        &self,
        route: &str,
        partition: u32,
        messages: Vec<Arc<Logged>>,
    ) -> Result<Vec<Arc<Logged>>, JournalError> {
        let Some(LogRoute::Room(room)) = LogRoute::parse(route) else { return Ok(messages) };
        let mut gone = self.withdrawn.of(&room);
        let is_old =
            |logged: &Arc<Logged>| self.withdrawn.may_have_missed(partition, logged.position);
        if messages.iter().any(is_old) {
            let ids: Vec<_> = messages.iter().filter_map(said_in).collect();
            let deleted = self.history.deleted(&room, &ids).await;
            gone.extend(
                deleted.map_err(|error| JournalError::Unreadable(error.to_string().into()))?,
            );
        }
        if gone.is_empty() {
            return Ok(messages);
        }
        Ok(messages.into_iter().map(|logged| without_text(logged, &gone)).collect())
    }
}

fn event_of(logged: &Logged) -> Option<Event> {
    serde_json::from_slice(logged.message.body()).ok()
}

/// The message whose text stands here.
fn said_in(logged: &Arc<Logged>) -> Option<MessageId> {
    match event_of(logged)? {
        Event::Message { message, .. } | Event::Edited { message, .. } => Some(message.id),
        _ => None,
    }
}

/// The same, but for the text of what was taken back.
fn without_text(logged: Arc<Logged>, gone: &HashSet<MessageId>) -> Arc<Logged> {
    let Some(mut event) = event_of(&logged) else { return logged };
    match &mut event {
        Event::Message { message, .. } | Event::Edited { message, .. }
            if gone.contains(&message.id) =>
        {
            message.content = Content::default();
            message.deleted = true;
        }
        _ => return logged,
    }
    // Strings, numbers and JSON always serialise.
    let json = serde_json::to_string(&event).unwrap_or_default();
    let message = json_message(logged.message.destination(), json);
    Arc::new(Logged { message, wire: Default::default(), ..Logged::clone(&logged) })
}

/// A message as it is now, as the event that brings it to somebody who knows the room up to
/// `after`.
fn logged(
    room: &RoomId,
    after: Position,
    at: Position,
    message: Message,
    by: Option<UserId>,
) -> Logged {
    let is_new = message.position.as_deref().is_some_and(|sent| sent > &*after.to_string());
    let message_id = message.id.shared();
    let time = message.edited_at.unwrap_or(message.created_at);
    let message = Message { ordinal: None, ..message };
    let by = by.unwrap_or_else(|| message.sender.clone());
    let event = event(room, time, is_new, message, by);
    // Strings, numbers and JSON always serialise.
    let json = serde_json::to_string(&event).unwrap_or_default();
    let topic = room_topic(room);
    let id = if is_new { LoggedId::Given(message_id) } else { LoggedId::Position(at) };
    Logged {
        message: json_message(&topic, json),
        route: topic.into(),
        id,
        position: Some(at),
        dedupe: None,
        wire: Default::default(),
    }
}

fn event(room: &RoomId, at: Timestamp, is_new: bool, message: Message, by: UserId) -> Event {
    let room = room.clone();
    match (is_new, message.deleted) {
        (true, _) => Event::Message { room, at, message },
        (false, true) => Event::Deleted { room, at, by, id: message.id },
        (false, false) => Event::Edited { room, at, message },
    }
}
