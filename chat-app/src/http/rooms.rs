//! Rooms and who is in them.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
};
use serde::{Deserialize, Serialize};

use super::{
    body::{Body, OptionalBody, Params, limit},
    identity::Caller,
    path::{InRoom, OfMember},
    problem::{Answer, Failure},
};
use crate::{
    domain::{Member, Role, Room, RoomId, RoomName, Timestamp, UserId},
    ports::RoomsCursor,
    service::{Chat, RoomRequest},
};

const IDEMPOTENCY_KEY: &str = "idempotency-key";

pub(super) async fn create(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    headers: HeaderMap,
    Body(request): Body<RoomRequest>,
) -> Answer<impl IntoResponse> {
    let key = match headers.get(IDEMPOTENCY_KEY).map(|key| key.to_str()) {
        Some(Err(_)) => return Err(Failure::invalid("An Idempotency-Key is plain text.")),
        Some(Ok(key)) => Some(key),
        None => None,
    };
    let (room, fresh) = chat.create_room(&caller.user.id, &request, key).await?;
    Ok((made(fresh), Json(room)))
}

#[derive(Deserialize)]
pub(super) struct List {
    public: Option<String>,
    #[serde(default)]
    query: String,
    cursor: Option<String>,
    limit: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Rooms {
    rooms: Vec<Room>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

pub(super) async fn list(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    Params(list): Params<List>,
) -> Answer<Json<Rooms>> {
    let count = limit(list.limit.as_deref())?;
    match list.public.as_deref() {
        Some("true") => public(&chat, &caller.user.id, &list, count).await,
        None | Some("false") => own(&chat, &caller.user.id, &list, count).await,
        Some(_) => Err(Failure::invalid("public is true or false.")),
    }
}

async fn own(chat: &Chat, user: &UserId, list: &List, count: u32) -> Answer<Json<Rooms>> {
    let from = list.cursor.as_deref().map(|text| RoomsCursor::parse(text).ok_or_else(no_cursor));
    let (rooms, next) = chat.list_rooms(user, from.transpose()?.as_ref(), count).await?;
    Ok(Json(Rooms { rooms, cursor: next.map(|next| next.to_string()) }))
}

async fn public(chat: &Chat, user: &UserId, list: &List, count: u32) -> Answer<Json<Rooms>> {
    let from = list.cursor.as_deref().map(|text| RoomId::parse(text).ok_or_else(no_cursor));
    let rooms = chat.public_rooms(user, &list.query, from.transpose()?.as_ref(), count).await?;
    let cursor = next(&rooms, count, |room| room.id.to_string());
    Ok(Json(Rooms { rooms, cursor }))
}

pub(super) async fn show(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    InRoom(room): InRoom,
) -> Answer<Json<Room>> {
    Ok(Json(chat.room(&caller.user.id, &room).await?))
}

#[derive(Deserialize)]
pub(super) struct Rename {
    name: String,
}

pub(super) async fn rename(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    InRoom(room): InRoom,
    Body(Rename { name }): Body<Rename>,
) -> Answer<Json<Room>> {
    Ok(Json(chat.rename(&caller.user.id, &room, &RoomName::parse(&name)?).await?))
}

pub(super) async fn delete(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    InRoom(room): InRoom,
) -> Answer<StatusCode> {
    chat.delete_room(&caller.user.id, &room).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
pub(super) struct Paging {
    cursor: Option<String>,
    limit: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Members {
    members: Vec<Member>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

pub(super) async fn members(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    InRoom(room): InRoom,
    Params(paging): Params<Paging>,
) -> Answer<Json<Members>> {
    let count = limit(paging.limit.as_deref())?;
    let from = paging.cursor.as_deref().map(|text| UserId::parse(text).ok_or_else(no_cursor));
    let from = from.transpose()?;
    let members = chat.members(&caller.user.id, &room, from.as_ref(), count).await?;
    let cursor = next(&members, count, |member| member.user.to_string());
    Ok(Json(Members { members, cursor }))
}

#[derive(Default, Deserialize)]
pub(super) struct PutMember {
    role: Option<Role>,
}

pub(super) async fn put_member(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    OfMember(room, user): OfMember,
    OptionalBody(PutMember { role }): OptionalBody<PutMember>,
) -> Answer<impl IntoResponse> {
    let came = chat.put_member(&caller.user.id, &room, &user, role).await?;
    let member = chat.member(&room, &user).await?;
    Ok((made(came), Json(member)))
}

pub(super) async fn remove_member(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    OfMember(room, user): OfMember,
) -> Answer<StatusCode> {
    chat.remove_member(&caller.user.id, &room, &user).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn join(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    InRoom(room): InRoom,
) -> Answer<Json<Room>> {
    Ok(Json(chat.join(&caller.user.id, &room).await?))
}

pub(super) async fn leave(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    InRoom(room): InRoom,
) -> Answer<StatusCode> {
    chat.leave(&caller.user.id, &room).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Default, Deserialize)]
pub(super) struct Mute {
    until: Option<Timestamp>,
}

pub(super) async fn mute(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    InRoom(room): InRoom,
    OptionalBody(Mute { until }): OptionalBody<Mute>,
) -> Answer<StatusCode> {
    chat.mute(&caller.user.id, &room, until).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) fn made(fresh: bool) -> StatusCode {
    if fresh { StatusCode::CREATED } else { StatusCode::OK }
}

/// A full page may have another one behind it.
fn next<T>(shown: &[T], count: u32, name: impl Fn(&T) -> String) -> Option<String> {
    (shown.len() == count as usize).then(|| shown.last().map(name)).flatten()
}

fn no_cursor() -> Failure {
    Failure::invalid("This cursor is not one that was given out.")
}
