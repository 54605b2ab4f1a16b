//! What stands behind `/app`.

use std::{borrow::Cow, sync::Arc};

use async_trait::async_trait;
use serde::Serialize;
use stomp_core::SharedMessage;
use stomp_server::{
    auth::Principal,
    broker::ConnectionId,
    problem::{Code, Problem},
    router::{Answer, AppSend, AppSubscribe, Handler},
};

use super::{Online, authenticate::actor};
use crate::{
    domain::{Actor, Page, ROOMS_APP, Room, RoomId, no_such_room, parse_app, room_topic},
    service::{Chat, Outgoing, PageQuery, json_message},
};

/// Rooms in one reply; REST has the rest.
const ROOMS_IN_REPLY: u32 = 200;
/// The header that makes a retry harmless.
const CLIENT_MESSAGE_ID: &str = "client-message-id";

/// Hands intentions to the use cases.
pub(crate) struct Rooms {
    pub(crate) chat: Arc<Chat>,
    pub(crate) online: Online,
}

#[async_trait]
impl Handler for Rooms {
    async fn send(&self, request: AppSend) -> Result<Answer, Problem> {
        let actor = actor(&request.who)?;
        let destination = request.frame.destination();
        let (room, verb) = parse_app(&destination).ok_or_else(no_such_room)?;
        let body = request.frame.body();
        let client_id = request.frame.frame().header(CLIENT_MESSAGE_ID);
        match verb {
            Some("send") => {
                publish(self.chat.compose(&actor, &room, client_id.as_deref(), body).await?)
            }
            Some("edit") => {
                publish(self.chat.compose_edit(&actor, &room, client_id.as_deref(), body).await?)
            }
            Some("delete") => {
                publish(self.chat.compose_delete(&actor, &room, client_id.as_deref(), body).await?)
            }
            Some("typing") => {
                self.chat.typing(&actor, &room, body).await?;
                Ok(Answer::Done(Vec::new()))
            }
            Some("delivered") => {
                let topic = room_topic(&room);
                let follows = request.subscriptions.contains(&topic);
                self.chat.mark_delivered(&actor, &room, follows, body).await?;
                Ok(Answer::Done(Vec::new()))
            }
            Some("read") => {
                self.chat.mark_read(&actor, &room, body).await?;
                Ok(Answer::Done(Vec::new()))
            }
            _ => Err(nothing_there(&destination)),
        }
    }

    async fn subscribe(&self, request: AppSubscribe) -> Result<SharedMessage, Problem> {
        let actor = actor(&request.who)?;
        let destination = request.frame.destination();
        if destination == ROOMS_APP {
            return self.rooms(&actor).await;
        }
        match parse_app(&destination) {
            Some((room, None)) => self.entry(&actor, &room, &destination).await,
            _ => Err(no_such_room()),
        }
    }

    async fn connected(&self, who: &Arc<Principal>, _connection: ConnectionId) {
        if let Ok(actor) = actor(who) {
            self.online.came(actor.user);
        }
    }

    async fn disconnected(&self, who: &Arc<Principal>, _connection: ConnectionId) {
        if let Ok(actor) = actor(who) {
            self.online.went(&actor.user);
        }
    }
}

#[derive(Serialize)]
struct RoomsReply {
    rooms: Vec<Room>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// A room, as it is entered: what it is, and its newest page.
#[derive(Serialize)]
struct Entry<'a> {
    room: Room,
    page: &'a Page,
}

impl Rooms {
    async fn rooms(&self, actor: &Actor) -> Result<SharedMessage, Problem> {
        let (rooms, cursor) = self.chat.list_rooms(&actor.user, None, ROOMS_IN_REPLY).await?;
        let cursor = cursor.map(|cursor| cursor.to_string());
        reply(ROOMS_APP, &RoomsReply { rooms, cursor })
    }

    async fn entry(
        &self,
        actor: &Actor,
        room: &RoomId,
        destination: &str,
    ) -> Result<SharedMessage, Problem> {
        let page = self.chat.page(actor, room, &PageQuery::default()).await?;
        let room = self.chat.room(actor, room).await?;
        reply(destination, &Entry { room, page: &page })
    }
}

/// It becomes a message; the receipt comes when the log has it.
fn publish(outgoing: Outgoing) -> Result<Answer, Problem> {
    Ok(Answer::Publish {
        publish: Box::new(outgoing.publish),
        receipt: vec![(Cow::Borrowed("message-id"), outgoing.message_id.to_string())],
    })
}

fn reply(destination: &str, answer: &impl Serialize) -> Result<SharedMessage, Problem> {
    let json = serde_json::to_string(answer).map_err(|error| {
        tracing::error!(%error, "an answer could not be written");
        Problem::new(Code::Unavailable, "The answer could not be written.")
    })?;
    Ok(json_message(destination, json))
}

fn nothing_there(destination: &str) -> Problem {
    Problem::new(Code::NotFound, format!("This server has nothing at {destination}."))
}
