//! Rooms.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    body::{Body, Paging, Params, next, no_cursor},
    identity::Caller,
    path::InRoom,
    problem::{Answer, Failure, Refusals},
};
use crate::{
    domain::{Actor, Room, RoomId, RoomName},
    ports::RoomsCursor,
    service::{Chat, RoomRequest},
};

const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Make a room
///
/// A direct room is one for its pair: asked for again, it is the same. The same
/// `Idempotency-Key` of the same user makes a room once in 24 hours.
#[utoipa::path(operation_id = "createRoom", post, path = "/rooms", tag = "rooms", request_body = RoomRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 128 visible characters")),
    responses((status = 200, description = "As it is", body = Room), (status = 201, description = "It is made", body = Room), Refusals))]
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
    let (room, fresh) = chat.create_room(caller.actor(), &request, key).await?;
    Ok((made(fresh), Json(room)))
}

/// Which rooms.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Public rooms instead of one's own.
    #[param(value_type = Option<bool>)]
    public: Option<String>,
    /// A part of the name of public rooms.
    #[serde(default)]
    #[param(required = false)]
    query: String,
}

/// Some rooms.
#[derive(Serialize, ToSchema)]
pub(super) struct Rooms {
    rooms: Vec<Room>,
    /// To pass on for more; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// List rooms
///
/// One's own by newest activity, or public ones by a part of their name.
#[utoipa::path(operation_id = "listRooms", get, path = "/rooms", tag = "rooms", params(Which, Paging),
    responses((status = 200, description = "As it is", body = Rooms), Refusals))]
pub(super) async fn list(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    Params(which): Params<Which>,
    Params(paging): Params<Paging>,
) -> Answer<Json<Rooms>> {
    match which.public.as_deref() {
        Some("true") => public(&chat, caller.actor(), &which.query, &paging).await,
        None | Some("false") => own(&chat, caller.actor(), &paging).await,
        Some(_) => Err(Failure::invalid("public is true or false.")),
    }
}

async fn own(chat: &Chat, actor: &Actor, paging: &Paging) -> Answer<Json<Rooms>> {
    let count = paging.count()?;
    let from = paging.cursor.as_deref().map(|text| RoomsCursor::parse(text).ok_or_else(no_cursor));
    let (rooms, next) = chat.list_rooms(&actor.user, from.transpose()?.as_ref(), count).await?;
    Ok(Json(Rooms { rooms, cursor: next.map(|next| next.to_string()) }))
}

async fn public(chat: &Chat, actor: &Actor, query: &str, paging: &Paging) -> Answer<Json<Rooms>> {
    let count = paging.count()?;
    let from = paging.cursor.as_deref().map(|text| RoomId::parse(text).ok_or_else(no_cursor));
    let rooms = chat.public_rooms(&actor.user, query, from.transpose()?.as_ref(), count).await?;
    let cursor = next(&rooms, count, |room| room.id.to_string());
    Ok(Json(Rooms { rooms, cursor }))
}

/// See a room
///
/// A public one also from outside, without role, counters, members and messages.
#[utoipa::path(operation_id = "getRoom", get, path = "/rooms/{room}", tag = "rooms", params(InRoom),
    responses((status = 200, description = "As it is", body = Room), Refusals))]
pub(super) async fn show(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    InRoom { room }: InRoom,
) -> Answer<Json<Room>> {
    Ok(Json(chat.room(caller.actor(), &room).await?))
}

/// What a room is to be called.
#[derive(Deserialize, ToSchema)]
pub(super) struct Rename {
    /// 1 to 128 characters.
    name: String,
}

/// Rename a room
#[utoipa::path(operation_id = "renameRoom", patch, path = "/rooms/{room}", tag = "rooms", params(InRoom), request_body = Rename,
    responses((status = 200, description = "As it is", body = Room), Refusals))]
pub(super) async fn rename(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    InRoom { room }: InRoom,
    Body(Rename { name }): Body<Rename>,
) -> Answer<Json<Room>> {
    // Whoever is not in it learns nothing from a name that could not be.
    chat.room(caller.actor(), &room).await?;
    Ok(Json(chat.rename(caller.actor(), &room, &RoomName::parse(&name)?).await?))
}

/// Delete a room
///
/// With everything in it, by an owner.
#[utoipa::path(operation_id = "deleteRoom", delete, path = "/rooms/{room}", tag = "rooms", params(InRoom),
    responses((status = 204, description = "It is done"), Refusals))]
pub(super) async fn delete(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    InRoom { room }: InRoom,
) -> Answer<StatusCode> {
    chat.delete_room(caller.actor(), &room).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) fn made(fresh: bool) -> StatusCode {
    if fresh { StatusCode::CREATED } else { StatusCode::OK }
}
