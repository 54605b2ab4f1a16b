//! What is said in a room, over REST.

use std::sync::Arc;

use axum::{Json as JsonAnswer, extract::State, http::StatusCode, response::IntoResponse};
use serde::Deserialize;

use super::{
    body::{Json, Params, limit},
    identity::Caller,
    path::{InRoom, OfMessage},
    problem::{Answer, Failure},
    rooms::made,
};
use crate::{
    domain::{Message, MessageId, Page, no_such_message},
    ports::Range,
    service::{Chat, PageQuery},
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
) -> Answer<JsonAnswer<Page>> {
    let query = params.query()?;
    Ok(JsonAnswer(chat.page(&caller.user.id, &room, &query).await?))
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
struct ClientMessageId {
    client_message_id: Option<String>,
}

pub(super) async fn send(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    InRoom(room): InRoom,
    Json(body): Json,
) -> Answer<impl IntoResponse> {
    // The rest of the body is read where STOMP's bodies are read too.
    let client_id = serde_json::from_slice::<ClientMessageId>(&body)
        .map_err(|_| Failure::invalid("The body is not a message in JSON."))?
        .client_message_id;
    let sent = chat.send(&caller.user.id, &room, client_id.as_deref(), &body).await?;
    Ok((made(!sent.duplicate), JsonAnswer(sent)))
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
