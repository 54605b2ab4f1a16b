//! What is said in a room, over REST.

use std::sync::Arc;

use axum::{
    Json as JsonAnswer,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    body::{Json, Paging, Params, limit, next, user_cursor},
    identity::Caller,
    path::{InRoom, OfMessage},
    problem::{Answer, Failure, Refusals},
    rooms::made,
};
use crate::{
    domain::{Message, MessageId, Page, RoomId, no_such_message, no_such_room},
    ports::Range,
    service::{Chat, Found, PageQuery, Reader, Sent},
};

/// Which page: the newest, where nothing is said.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PageParams {
    /// Messages before this ordinal.
    #[param(value_type = Option<u64>)]
    before: Option<String>,
    /// Messages after this ordinal.
    #[param(value_type = Option<u64>)]
    after: Option<String>,
    /// The message with this ordinal in the middle.
    #[param(value_type = Option<u64>)]
    around: Option<String>,
    /// This message in the middle.
    around_id: Option<String>,
    /// How many: 1 to 200, and 50 where nothing is said.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 50)]
    limit: Option<String>,
    /// A position whose message should be there already; the answer waits up to a second.
    at_least: Option<String>,
}

/// Read a room's history
///
/// Oldest first; at most one of before, after, around and around_id. SUBSCRIBE `from` the
/// page's position leaves no gap.
#[utoipa::path(operation_id = "getMessages", get, path = "/rooms/{room}/messages", tag = "messages", params(InRoom, PageParams),
    responses((status = 200, description = "As it is", body = Page), Refusals))]
pub(super) async fn page(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    InRoom { room }: InRoom,
    Params(params): Params<PageParams>,
) -> Answer<Response> {
    let query = params.query()?;
    let page = chat.page(caller.actor(), &room, &query).await?;
    Ok(JsonAnswer(&*page).into_response())
}

impl PageParams {
    fn query(&self) -> Answer<PageQuery> {
        let places = [&self.before, &self.after, &self.around, &self.around_id];
        if places.iter().filter(|place| place.is_some()).count() > 1 {
            return Err(Failure::invalid("A page has one of before, after, around and around_id."));
        }
        let range = match (&self.before, &self.after, &self.around) {
            (Some(text), _, _) => Range::Before(ordinal(text)?),
            (_, Some(text), _) => Range::After(ordinal(text)?),
            (_, _, Some(text)) => Range::Around(ordinal(text)?),
            _ => Range::Newest,
        };
        let around_id =
            self.around_id.as_deref().map(|id| MessageId::parse(id).ok_or_else(no_such_message));
        let at_least = self.at_least.as_deref().map(str::parse).transpose();
        Ok(PageQuery {
            range,
            around_id: around_id.transpose()?,
            limit: limit(self.limit.as_deref())?,
            at_least: at_least.map_err(|_| Failure::invalid("at_least is a position."))?,
        })
    }
}

fn ordinal(text: &str) -> Answer<i64> {
    match text.parse() {
        Ok(ordinal @ 0..) => Ok(ordinal),
        _ => Err(Failure::invalid("before, after and around take an ordinal.")),
    }
}

/// What the caller calls this change, so that a retry is harmless.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ClientMessageId {
    /// 1 to 64 of A-Z, a-z, 0-9, - and _.
    client_message_id: Option<String>,
}

/// What is to be said: either text or content.
#[derive(ToSchema)]
#[allow(dead_code, reason = "it describes what `Content::parse` reads")]
pub(super) struct NewMessage {
    /// At least one character.
    text: Option<String>,
    /// Anything else, for clients that understand it.
    #[schema(value_type = Option<Object>)]
    content: Option<serde_json::Value>,
    /// A message of the same room.
    reply_to: Option<String>,
    /// Users; those who are not in the room are dropped.
    #[schema(max_items = 50)]
    mentions: Option<Vec<String>>,
    /// 1 to 64 of A-Z, a-z, 0-9, - and _; makes a retry harmless.
    client_message_id: Option<String>,
    /// Whom a service speaks for; ignored from others.
    sender: Option<String>,
}

/// Send a message
///
/// Answered when the log has it: from then on nothing loses it.
#[utoipa::path(operation_id = "sendMessage", post, path = "/rooms/{room}/messages", tag = "messages", params(InRoom),
    request_body = NewMessage,
    responses((status = 200, description = "As it is", body = Sent), (status = 201, description = "It is made", body = Sent), Refusals))]
pub(super) async fn send(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    InRoom { room }: InRoom,
    Json(body): Json,
) -> Answer<impl IntoResponse> {
    let client_id = client_id(&body)?;
    let sent = chat.send(caller.actor(), &room, client_id.as_deref(), &body).await?;
    Ok((made(!sent.duplicate), JsonAnswer(sent)))
}

/// Edit a message
///
/// Only one's own.
#[utoipa::path(operation_id = "editMessage", patch, path = "/rooms/{room}/messages/{message}", tag = "messages",
    params(OfMessage), request_body = NewMessage,
    responses((status = 200, description = "As it is", body = Sent), Refusals))]
pub(super) async fn edit(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    OfMessage { room, message }: OfMessage,
    Json(body): Json,
) -> Answer<JsonAnswer<Sent>> {
    let client_id = client_id(&body)?;
    let user = caller.actor();
    let sent = chat.edit_message(user, &room, &message, client_id.as_deref(), &body).await?;
    Ok(JsonAnswer(sent))
}

/// Delete a message
///
/// One's own, or as an owner or admin. A tombstone stays.
#[utoipa::path(operation_id = "deleteMessage", delete, path = "/rooms/{room}/messages/{message}", tag = "messages",
    params(OfMessage, ClientMessageId), responses((status = 200, description = "As it is", body = Sent), Refusals))]
pub(super) async fn delete(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    OfMessage { room, message }: OfMessage,
    Params(ClientMessageId { client_message_id }): Params<ClientMessageId>,
) -> Answer<JsonAnswer<Sent>> {
    let user = caller.actor();
    let sent = chat.delete_message(user, &room, &message, client_message_id.as_deref()).await?;
    Ok(JsonAnswer(sent))
}

/// The rest of the body is read where STOMP's bodies are read too.
fn client_id(body: &[u8]) -> Answer<Option<String>> {
    serde_json::from_slice::<ClientMessageId>(body)
        .map(|body| body.client_message_id)
        .map_err(|_| Failure::invalid("The body is not a message in JSON."))
}

/// See a message
#[utoipa::path(operation_id = "getMessage", get, path = "/rooms/{room}/messages/{message}", tag = "messages",
    params(OfMessage), responses((status = 200, description = "As it is", body = Message), Refusals))]
pub(super) async fn show(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    OfMessage { room, message }: OfMessage,
) -> Answer<JsonAnswer<Message>> {
    Ok(JsonAnswer(chat.message(caller.actor(), &room, &message).await?))
}

/// Who has read a message.
#[derive(Serialize, ToSchema)]
pub(super) struct Readers {
    readers: Vec<Reader>,
    /// To pass on for more; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// See who has read a message
///
/// Without its sender, and without those who keep that to themselves.
#[utoipa::path(operation_id = "getReaders", get, path = "/rooms/{room}/messages/{message}/readers", tag = "messages",
    params(OfMessage, Paging), responses((status = 200, description = "As it is", body = Readers), Refusals))]
pub(super) async fn readers(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    OfMessage { room, message }: OfMessage,
    Params(paging): Params<Paging>,
) -> Answer<JsonAnswer<Readers>> {
    let count = paging.count()?;
    let from = user_cursor(&paging)?;
    let readers = chat.readers(caller.actor(), &room, &message, from.as_ref(), count).await?;
    let cursor = next(&readers, count, |reader| reader.user.to_string());
    Ok(JsonAnswer(Readers { readers, cursor }))
}

/// How far somebody has read: a position, or an ordinal.
#[derive(ToSchema)]
#[allow(dead_code, reason = "it describes what the service reads")]
pub(super) struct Marker {
    position: Option<String>,
    ordinal: Option<u64>,
}

/// What to look for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Words {
    /// 1 to 256 characters that stand in the text, in any case.
    query: String,
    /// Only in this room.
    room: Option<String>,
    /// How many: 1 to 200, and 50 where nothing is said.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 50)]
    limit: Option<String>,
}

/// Search messages
///
/// Among the newest 10,000 messages of one's rooms, the newest first; `partial` tells that there
/// are others.
#[utoipa::path(operation_id = "searchMessages", get, path = "/search", tag = "messages", params(Words),
    responses((status = 200, description = "As it is", body = Found), Refusals))]
pub(super) async fn search(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    Params(words): Params<Words>,
) -> Answer<JsonAnswer<Found>> {
    let count = limit(words.limit.as_deref())?;
    let room = words.room.as_deref().map(|id| RoomId::parse(id).ok_or_else(no_such_room));
    let room = room.transpose()?;
    Ok(JsonAnswer(chat.search(caller.actor(), &words.query, room.as_ref(), count).await?))
}

/// Mark a room as read
///
/// Up to a position or an ordinal; never back.
#[utoipa::path(operation_id = "markRead", put, path = "/rooms/{room}/read", tag = "messages", params(InRoom),
    request_body = Marker, responses((status = 204, description = "It is done"), Refusals))]
pub(super) async fn read(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    InRoom { room }: InRoom,
    Json(body): Json,
) -> Answer<StatusCode> {
    chat.set_read(caller.actor(), &room, &body).await?;
    Ok(StatusCode::NO_CONTENT)
}
