//! Saying it otherwise, and taking it back.

use serde::Deserialize;
use stomp_server::{
    broker::Publish,
    problem::{Code, Problem},
};

use super::{
    Chat, Use,
    log::json_message,
    messages::{Outgoing, Sent},
    uses::used_otherwise,
};
use crate::domain::{
    Actor, ClientMessageId, Content, Event, Kind, Message, MessageId, Role, RoomId, Timestamp,
    UserId, no_such_message, room_topic,
};

#[derive(Deserialize)]
struct Target {
    id: String,
}

impl Chat {
    /// An edit as STOMP says it: the message's id stands in the body.
    pub(crate) async fn compose_edit(
        &self,
        actor: &Actor,
        room: &RoomId,
        client_id: Option<&str>,
        body: &[u8],
    ) -> Result<Outgoing, Problem> {
        self.memberships.role(room, actor).await?;
        let client_id = required(client_id)?;
        self.edit(actor, room, &target(body)?, client_id, body).await
    }

    /// A deletion as STOMP says it.
    pub(crate) async fn compose_delete(
        &self,
        actor: &Actor,
        room: &RoomId,
        client_id: Option<&str>,
        body: &[u8],
    ) -> Result<Outgoing, Problem> {
        self.memberships.role(room, actor).await?;
        let client_id = required(client_id)?;
        self.delete(actor, room, &target(body)?, client_id).await
    }

    /// Edits, and returns when the log has it.
    pub(crate) async fn edit_message(
        &self,
        actor: &Actor,
        room: &RoomId,
        id: &MessageId,
        client_id: Option<&str>,
        body: &[u8],
    ) -> Result<Sent, Problem> {
        self.memberships.role(room, actor).await?;
        let client_id = super::messages::client_message_id(client_id)?;
        let outgoing = self.edit(actor, room, id, client_id, body).await?;
        self.publish(outgoing).await
    }

    /// Deletes, and returns when the log has it.
    pub(crate) async fn delete_message(
        &self,
        actor: &Actor,
        room: &RoomId,
        id: &MessageId,
        client_id: Option<&str>,
    ) -> Result<Sent, Problem> {
        self.memberships.role(room, actor).await?;
        let client_id = super::messages::client_message_id(client_id)?;
        let outgoing = self.delete(actor, room, id, client_id).await?;
        self.publish(outgoing).await
    }

    async fn edit(
        &self,
        actor: &Actor,
        room: &RoomId,
        id: &MessageId,
        client_id: ClientMessageId,
        body: &[u8],
    ) -> Result<Outgoing, Problem> {
        let user = &actor.user;
        let is_retry = self.used_before(room, user, &client_id, Use::Edit).await?;
        let membership = self.memberships.of(room).await?;
        let mut content = Content::parse(body)?;
        content.keep_mentions(|user| membership.members.contains_key(user));
        self.rate.take(user)?;
        let before = self.present(room, id).await?;
        if before.sender != *user {
            return Err(forbidden("Nobody edits what others said."));
        }
        if before.deleted && is_retry {
            // The log knows its key, or else it comes too late to change anything.
            return Ok(change(user, room, id, &client_id, &deletion(user, room, id)));
        }
        if before.deleted {
            return Err(Problem::new(Code::Conflict, "This message has been deleted."));
        }
        // What it answers stays; an edit says something else about the same thing.
        content.reply_to = before.content.reply_to.clone();
        let at = Timestamp::now();
        let message = Message { content, edited_at: Some(at), ordinal: None, ..before };
        let event = Event::Edited { room: room.clone(), at, message };
        self.uses.note(room, user, &client_id, Use::Edit).await;
        Ok(change(user, room, id, &client_id, &event))
    }

    async fn delete(
        &self,
        actor: &Actor,
        room: &RoomId,
        id: &MessageId,
        client_id: ClientMessageId,
    ) -> Result<Outgoing, Problem> {
        let user = &actor.user;
        self.used_before(room, user, &client_id, Use::Delete).await?;
        self.rate.take(user)?;
        let message = self.present(room, id).await?;
        if message.sender != *user && !message.deleted {
            self.check_may_moderate(actor, room).await?;
        }
        let event = deletion(user, room, id);
        self.uses.note(room, user, &client_id, Use::Delete).await;
        Ok(change(user, room, id, &client_id, &event))
    }

    /// In a group, its owners and admins delete what others said.
    async fn check_may_moderate(&self, actor: &Actor, room: &RoomId) -> Result<(), Problem> {
        let role = self.memberships.role(room, actor).await?;
        if role >= Role::Admin && self.memberships.of(room).await?.kind == Kind::Group {
            return Ok(());
        }
        Err(forbidden("Only owners and admins delete what others said."))
    }

    /// The message with everything that was accepted about it until now.
    async fn present(&self, room: &RoomId, id: &MessageId) -> Result<Message, Problem> {
        self.catch_up(room).await?;
        self.history.message(room, id).await?.ok_or_else(no_such_message)
    }

    /// Whether the id was used before for the same kind of thing. Recent uses are in memory;
    /// older sends are rows.
    async fn used_before(
        &self,
        room: &RoomId,
        user: &UserId,
        client_id: &ClientMessageId,
        wanted: Use,
    ) -> Result<bool, Problem> {
        let before = self.uses.before(room, user, client_id, wanted).await?;
        if !before {
            let sent = MessageId::of(room, user, client_id);
            if self.history.message(room, &sent).await?.is_some() {
                return Err(used_otherwise());
            }
        }
        Ok(before)
    }
}

fn deletion(user: &UserId, room: &RoomId, id: &MessageId) -> Event {
    let at = Timestamp::now();
    Event::Deleted { room: room.clone(), at, id: id.clone(), by: user.clone() }
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
