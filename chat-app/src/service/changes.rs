//! Saying it otherwise, and taking it back.

use std::time::Duration;

use moka::future::Cache;
use serde::Deserialize;
use stomp_server::{
    broker::Publish,
    problem::{Code, Problem},
};

use super::{
    Chat,
    log::json_message,
    messages::{Outgoing, Sent},
};
use crate::domain::{
    ClientMessageId, Content, Event, Kind, Message, MessageId, Role, RoomId, Timestamp, UserId,
    no_such_message, room_topic,
};

/// What a client-message-id was used for. One namespace for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Send,
    Edit,
    Delete,
}

/// What recent ids were used for, as long as the log's own dedupe remembers them.
pub(crate) struct Uses(Cache<(RoomId, UserId, ClientMessageId), Use>);

/// As long as the log's window.
const WINDOW: Duration = Duration::from_secs(600);
const CAPACITY: u64 = 100_000;

impl Uses {
    pub(crate) fn new() -> Self {
        Self(Cache::builder().max_capacity(CAPACITY).time_to_live(WINDOW).build())
    }

    /// Refuses an id that was used for something else.
    pub(super) async fn check(
        &self,
        room: &RoomId,
        user: &UserId,
        id: &ClientMessageId,
        wanted: Use,
    ) -> Result<(), Problem> {
        let key = (room.clone(), user.clone(), id.clone());
        let used = self.0.get_with(key, async move { wanted }).await;
        if used == wanted { Ok(()) } else { Err(used_otherwise()) }
    }
}

#[derive(Deserialize)]
struct Target {
    id: String,
}

impl Chat {
    /// An edit as STOMP says it: the message's id stands in the body.
    pub(crate) async fn compose_edit(
        &self,
        user: &UserId,
        room: &RoomId,
        client_id: Option<&str>,
        body: &[u8],
    ) -> Result<Outgoing, Problem> {
        self.memberships.role(room, user).await?;
        let client_id = required(client_id)?;
        self.edit(user, room, &target(body)?, client_id, body).await
    }

    /// A deletion as STOMP says it.
    pub(crate) async fn compose_delete(
        &self,
        user: &UserId,
        room: &RoomId,
        client_id: Option<&str>,
        body: &[u8],
    ) -> Result<Outgoing, Problem> {
        self.memberships.role(room, user).await?;
        let client_id = required(client_id)?;
        self.delete(user, room, &target(body)?, client_id).await
    }

    /// Edits, and returns when the log has it.
    pub(crate) async fn edit_message(
        &self,
        user: &UserId,
        room: &RoomId,
        id: &MessageId,
        client_id: Option<&str>,
        body: &[u8],
    ) -> Result<Sent, Problem> {
        self.memberships.role(room, user).await?;
        let client_id = super::messages::client_message_id(client_id)?;
        let outgoing = self.edit(user, room, id, client_id, body).await?;
        self.publish(outgoing).await
    }

    /// Deletes, and returns when the log has it.
    pub(crate) async fn delete_message(
        &self,
        user: &UserId,
        room: &RoomId,
        id: &MessageId,
        client_id: Option<&str>,
    ) -> Result<Sent, Problem> {
        self.memberships.role(room, user).await?;
        let client_id = super::messages::client_message_id(client_id)?;
        let outgoing = self.delete(user, room, id, client_id).await?;
        self.publish(outgoing).await
    }

    async fn edit(
        &self,
        user: &UserId,
        room: &RoomId,
        id: &MessageId,
        client_id: ClientMessageId,
        body: &[u8],
    ) -> Result<Outgoing, Problem> {
        let membership = self.memberships.of(room).await?;
        let mut content = Content::parse(body)?;
        content.keep_mentions(|user| membership.members.contains_key(user));
        self.check_use(room, user, &client_id, Use::Edit).await?;
        let before = self.present(room, id).await?;
        if before.sender != *user {
            return Err(forbidden("Nobody edits what others said."));
        }
        if before.deleted {
            return Err(Problem::new(Code::Conflict, "This message has been deleted."));
        }
        // What it answers stays; an edit says something else about the same thing.
        content.reply_to = before.content.reply_to.clone();
        let at = Timestamp::now();
        let message = Message { content, edited_at: Some(at), ordinal: None, ..before };
        let event = Event::Edited { room: room.clone(), at, message };
        Ok(change(user, room, id, &client_id, &event))
    }

    async fn delete(
        &self,
        user: &UserId,
        room: &RoomId,
        id: &MessageId,
        client_id: ClientMessageId,
    ) -> Result<Outgoing, Problem> {
        self.check_use(room, user, &client_id, Use::Delete).await?;
        let message = self.present(room, id).await?;
        if message.sender != *user {
            self.check_may_moderate(user, room).await?;
        }
        let at = Timestamp::now();
        let event = Event::Deleted { room: room.clone(), at, id: id.clone(), by: user.clone() };
        Ok(change(user, room, id, &client_id, &event))
    }

    /// In a group, its owners and admins delete what others said.
    async fn check_may_moderate(&self, user: &UserId, room: &RoomId) -> Result<(), Problem> {
        let role = self.memberships.role(room, user).await?;
        let seen = self.room(user, room).await?;
        if role >= Role::Admin && seen.kind == Kind::Group {
            return Ok(());
        }
        Err(forbidden("Only owners and admins delete what others said."))
    }

    /// The message with everything that was accepted about it until now.
    async fn present(&self, room: &RoomId, id: &MessageId) -> Result<Message, Problem> {
        self.catch_up(room).await?;
        self.history.message(room, id).await?.ok_or_else(no_such_message)
    }

    /// Recent uses are in memory; older sends are rows.
    async fn check_use(
        &self,
        room: &RoomId,
        user: &UserId,
        client_id: &ClientMessageId,
        wanted: Use,
    ) -> Result<(), Problem> {
        self.uses.check(room, user, client_id, wanted).await?;
        let sent = MessageId::of(room, user, client_id);
        match self.history.message(room, &sent).await? {
            Some(_) => Err(used_otherwise()),
            None => Ok(()),
        }
    }
}

fn change(
    user: &UserId,
    room: &RoomId,
    id: &MessageId,
    client_id: &ClientMessageId,
    event: &Event,
) -> Outgoing {
    // Strings, numbers and JSON always serialise.
    let json = serde_json::to_string(event).unwrap_or_default();
    let publish = Publish::kept(json_message(&room_topic(room), json))
        .deduplicated(user.as_str(), client_id.as_str());
    Outgoing { publish, message_id: id.clone() }
}

fn target(body: &[u8]) -> Result<MessageId, Problem> {
    let target: Target = serde_json::from_slice(body)
        .map_err(|_| Problem::new(Code::Invalid, "The body is JSON with the message's id."))?;
    MessageId::parse(&target.id).ok_or_else(no_such_message)
}

fn required(client_id: Option<&str>) -> Result<ClientMessageId, Problem> {
    if client_id.is_none() {
        return Err(Problem::new(Code::Invalid, "An edit or deletion needs a client-message-id."));
    }
    super::messages::client_message_id(client_id)
}

fn forbidden(detail: &'static str) -> Problem {
    Problem::new(Code::Forbidden, detail)
}

fn used_otherwise() -> Problem {
    Problem::new(Code::Conflict, "This client-message-id was used for something else.")
}
