//! Saying something: checked, given its id, and handed to the log.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use stomp_server::{
    broker::{Position, Publish},
    problem::{Code, Problem},
};

use super::{Chat, Use, log::json_message};
use crate::{
    domain::{
        Actor, ClientMessageId, Content, Event, Message, MessageId, RoomId, Timestamp, UserId,
        no_such_message, no_such_room, room_topic,
    },
    ports::Membership,
};

/// How long a reply waits for the store to have the message that it answers.
const PATIENCE: Duration = Duration::from_secs(2);

/// A message that may be published.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) publish: Publish,
    pub(crate) message_id: MessageId,
}

/// A message that the log has.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Sent {
    pub(crate) message_id: MessageId,
    pub(crate) position: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) duplicate: bool,
}

/// Whom a service speaks for.
#[derive(Deserialize)]
struct Spoken {
    sender: Option<String>,
}

impl Chat {
    /// Checks what somebody wants to say and makes it ready for the log.
    pub(crate) async fn compose(
        &self,
        actor: &Actor,
        room: &RoomId,
        client_id: Option<&str>,
        body: &[u8],
    ) -> Result<Outgoing, Problem> {
        let membership = self.memberships.of(room).await?;
        if !actor.is_service && !membership.members.contains_key(&actor.user) {
            return Err(no_such_room());
        }
        let client_id = client_message_id(client_id)?;
        let sender = sender(actor, &membership, body)?;
        // A retry is the same message, whatever it says and whatever has changed since.
        let is_retry = self.uses.before(room, &sender, &client_id, Use::Send).await?;
        let mut content = Content::parse(body)?;
        if !is_retry {
            self.check_first_time(&membership, room, &sender, &content).await?;
        }
        content.keep_mentions(|user| membership.members.contains_key(user));
        let outgoing = outgoing(&sender, room, &client_id, content);
        self.uses.note(room, &sender, &client_id, Use::Send).await;
        Ok(outgoing)
    }

    async fn check_first_time(
        &self,
        membership: &Arc<Membership>,
        room: &RoomId,
        sender: &UserId,
        content: &Content,
    ) -> Result<(), Problem> {
        if membership.blocked {
            return Err(Problem::new(Code::Forbidden, "Nothing can be sent to this room."));
        }
        self.rate.take(sender)?;
        match &content.reply_to {
            Some(id) => self.check_exists(room, id).await,
            None => Ok(()),
        }
    }

    /// Says it, and returns when the log has it.
    pub(crate) async fn send(
        &self,
        actor: &Actor,
        room: &RoomId,
        client_id: Option<&str>,
        body: &[u8],
    ) -> Result<Sent, Problem> {
        let outgoing = self.compose(actor, room, client_id, body).await?;
        self.publish(outgoing).await
    }

    pub(super) async fn publish(&self, outgoing: Outgoing) -> Result<Sent, Problem> {
        let Outgoing { publish, message_id } = outgoing;
        let accepted = self.log.append(publish).await?;
        let position = accepted.position.map(|position| position.to_string()).unwrap_or_default();
        Ok(Sent { message_id, position, duplicate: accepted.duplicate })
    }

    /// Looks in SQL, and once more when everything accepted until now has arrived there.
    async fn check_exists(&self, room: &RoomId, id: &MessageId) -> Result<(), Problem> {
        if self.history.message(room, id).await?.is_some() {
            return Ok(());
        }
        self.catch_up(room).await?;
        self.history.message(room, id).await?.map(|_| ()).ok_or_else(no_such_message)
    }

    /// Waits for the store, but not for ever.
    pub(super) async fn catch_up(&self, room: &RoomId) -> Result<(), Problem> {
        let partition = self.log.partition_of(room);
        let log = self.log.broker().log().await.map_err(|error| {
            tracing::warn!(%error, "the log's head is not known");
            Problem::new(Code::Unavailable, "The log does not answer at the moment.")
        })?;
        let head = log.heads.get(partition as usize).copied().unwrap_or(0);
        let newest = Position { epoch: log.epoch, offset: head.saturating_sub(1) };
        self.progress.reached(partition, newest, PATIENCE).await;
        Ok(())
    }
}

/// Who it is from: a service may say so, from everybody else the field is ignored.
fn sender(actor: &Actor, membership: &Membership, body: &[u8]) -> Result<UserId, Problem> {
    if !actor.is_service {
        return Ok(actor.user.clone());
    }
    let invalid = |detail: &'static str| Problem::new(Code::Invalid, detail);
    let spoken: Spoken = serde_json::from_slice(body)
        .map_err(|_| invalid("The body is not a message in JSON, or its sender is no user."))?;
    let Some(sender) = spoken.sender else { return Ok(actor.user.clone()) };
    let sender = UserId::parse(&sender).filter(|user| membership.members.contains_key(user));
    sender.ok_or_else(|| invalid("The sender is not in this room."))
}

pub(super) fn client_message_id(given: Option<&str>) -> Result<ClientMessageId, Problem> {
    let Some(text) = given else { return Ok(ClientMessageId::fresh()) };
    ClientMessageId::parse(text).ok_or_else(|| {
        Problem::new(Code::Invalid, "A client-message-id has 1 to 64 of A-Z, a-z, 0-9, - and _.")
    })
}

fn outgoing(
    sender: &UserId,
    room: &RoomId,
    client_id: &ClientMessageId,
    content: Content,
) -> Outgoing {
    let message_id = MessageId::of(room, sender, client_id);
    let at = Timestamp::now();
    let message = Message {
        id: message_id.clone(),
        room: room.clone(),
        sender: sender.clone(),
        content,
        client_message_id: Some(client_id.clone()),
        position: None,
        ordinal: None,
        created_at: at,
        edited_at: None,
        deleted: false,
    };
    let event = Event::Message { room: room.clone(), at, message };
    // Strings, numbers and JSON always serialise.
    let json = serde_json::to_string(&event).unwrap_or_default();
    let publish = Publish::kept(json_message(&room_topic(room), json))
        .deduplicated(sender.as_str(), client_id.as_str())
        .with_id(message_id.shared());
    Outgoing { publish, message_id }
}
