//! What is said in a room, over REST.

use std::sync::Arc;

use axum::{
    Json as JsonAnswer,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use super::{
    body::{Json, Params, limit},
    identity::Caller,
    path::{InRoom, OfMessage},
    problem::{Answer, Failure},
    rooms::made,
};
use crate::{
    domain::{Message, MessageId, no_such_message},
    ports::Range,
    service::{Chat, PageQuery, Sent},
};

#[derive(Deserialize)]
pub(super) struct PageParams {
    before: Option<String>,
    after: Option<String>,
    around: Option<String>,
    around_id: Option<String>,
    limit: Option<String>,
    at_least: Option<String>,
}

pub(super) async fn page(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    InRoom(room): InRoom,
    Params(params): Params<PageParams>,
) -> Answer<Response> {
    let query = params.query()?;
    let page = chat.page(&caller.user.id, &room, &query).await?;
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

#[derive(Deserialize)]
pub(super) struct ClientMessageId {
    client_message_id: Option<String>,
}

pub(super) async fn send(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    InRoom(room): InRoom,
    Json(body): Json,
) -> Answer<impl IntoResponse> {
    let client_id = client_id(&body)?;
    let sent = chat.send(&caller.user.id, &room, client_id.as_deref(), &body).await?;
    Ok((made(!sent.duplicate), JsonAnswer(sent)))
}

pub(super) async fn edit(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    OfMessage(room, message): OfMessage,
    Json(body): Json,
) -> Answer<JsonAnswer<Sent>> {
    let client_id = client_id(&body)?;
    let user = &caller.user.id;
    let sent = chat.edit_message(user, &room, &message, client_id.as_deref(), &body).await?;
    Ok(JsonAnswer(sent))
}

pub(super) async fn delete(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    OfMessage(room, message): OfMessage,
    Params(ClientMessageId { client_message_id }): Params<ClientMessageId>,
) -> Answer<JsonAnswer<Sent>> {
    let user = &caller.user.id;
    let sent = chat.delete_message(user, &room, &message, client_message_id.as_deref()).await?;
    Ok(JsonAnswer(sent))
}

/// The rest of the body is read where STOMP's bodies are read too.
fn client_id(body: &[u8]) -> Answer<Option<String>> {
    serde_json::from_slice::<ClientMessageId>(body)
        .map(|body| body.client_message_id)
        .map_err(|_| Failure::invalid("The body is not a message in JSON."))
}

pub(super) async fn show(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    OfMessage(room, message): OfMessage,
) -> Answer<JsonAnswer<Message>> {
    Ok(JsonAnswer(chat.message(&caller.user.id, &room, &message).await?))
}

pub(super) async fn read(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    InRoom(room): InRoom,
    Json(body): Json,
) -> Answer<StatusCode> {
    chat.set_read(&caller.user.id, &room, &body).await?;
    Ok(StatusCode::NO_CONTENT)
}
