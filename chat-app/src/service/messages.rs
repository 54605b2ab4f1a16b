//! Saying something: checked, given its id, and handed to the log.

use std::time::Duration;

use serde::Serialize;
use stomp_server::{
    broker::{Position, Publish},
    problem::{Code, Problem},
};

use super::{Chat, changes::Use, log::json_message};
use crate::domain::{
    ClientMessageId, Content, Event, Message, MessageId, RoomId, Timestamp, UserId,
    no_such_message, room_topic,
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
#[derive(Debug, Serialize)]
pub(crate) struct Sent {
    pub(crate) message_id: MessageId,
    pub(crate) position: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) duplicate: bool,
}

impl Chat {
    /// Checks what somebody wants to say and makes it ready for the log.
    pub(crate) async fn compose(
        &self,
        sender: &UserId,
        room: &RoomId,
        client_id: Option<&str>,
        body: &[u8],
    ) -> Result<Outgoing, Problem> {
        let membership = self.memberships.of(room).await?;
        if !membership.members.contains_key(sender) {
            return Err(crate::domain::no_such_room());
        }
        let client_id = client_message_id(client_id)?;
        self.uses.check(room, sender, &client_id, Use::Send).await?;
        let mut content = Content::parse(body)?;
        content.keep_mentions(|user| membership.members.contains_key(user));
        if let Some(id) = &content.reply_to {
            self.check_exists(room, id).await?;
        }
        Ok(outgoing(sender, room, client_id, content))
    }

    /// Says it, and returns when the log has it.
    pub(crate) async fn send(
        &self,
        sender: &UserId,
        room: &RoomId,
        client_id: Option<&str>,
        body: &[u8],
    ) -> Result<Sent, Problem> {
        let outgoing = self.compose(sender, room, client_id, body).await?;
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

pub(super) fn client_message_id(given: Option<&str>) -> Result<ClientMessageId, Problem> {
    let Some(text) = given else { return Ok(ClientMessageId::fresh()) };
    ClientMessageId::parse(text).ok_or_else(|| {
        Problem::new(Code::Invalid, "A client-message-id has 1 to 64 of A-Z, a-z, 0-9, - and _.")
    })
}

fn outgoing(
    sender: &UserId,
    room: &RoomId,
    client_id: ClientMessageId,
    content: Content,
) -> Outgoing {
    let message_id = MessageId::of(room, sender, &client_id);
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
