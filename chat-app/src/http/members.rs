//! Who is in a room, and who comes and goes.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::IntoResponse,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Scheme,
    body::{OptionalBody, Paging, Params, next, user_cursor},
    identity::Caller,
    path::{InRoom, OfInvite, OfMember},
    problem::{Answer, Refusals},
    rooms::made,
};
use crate::{
    domain::{Member, Role, Room, RoomId, Timestamp},
    service::{Chat, Invite},
};

/// Some members.
#[derive(Serialize, ToSchema)]
pub(super) struct Members {
    members: Vec<Member>,
    /// To pass on for more; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// List the members of a room
#[utoipa::path(operation_id = "listMembers", get, path = "/rooms/{room}/members", tag = "members", params(InRoom, Paging),
    responses((status = 200, description = "As it is", body = Members), Refusals))]
pub(super) async fn list(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    InRoom { room }: InRoom,
    Params(paging): Params<Paging>,
) -> Answer<Json<Members>> {
    let count = paging.count()?;
    let from = user_cursor(&paging)?;
    let members = chat.members(caller.actor(), &room, from.as_ref(), count).await?;
    let cursor = next(&members, count, |member| member.user.to_string());
    Ok(Json(Members { members, cursor }))
}

/// What a member is to be.
#[derive(Default, Deserialize, ToSchema)]
pub(super) struct PutMember {
    /// Without it, a member keeps its role and a newcomer is a member.
    role: Option<Role>,
}

/// Add a member or change its role
#[utoipa::path(operation_id = "putMember", put, path = "/rooms/{room}/members/{user}", tag = "members", params(OfMember),
    request_body = Option<PutMember>,
    responses((status = 200, description = "As it is", body = Member), (status = 201, description = "It is made", body = Member), Refusals))]
pub(super) async fn put(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    OfMember { room, user }: OfMember,
    OptionalBody(PutMember { role }): OptionalBody<PutMember>,
) -> Answer<impl IntoResponse> {
    let came = chat.put_member(caller.actor(), &room, &user, role).await?;
    let member = chat.member(&room, &user).await?;
    Ok((made(came), Json(member)))
}

/// Remove a member
///
/// Of oneself it is leaving.
#[utoipa::path(operation_id = "removeMember", delete, path = "/rooms/{room}/members/{user}", tag = "members", params(OfMember),
    responses((status = 204, description = "It is done"), Refusals))]
pub(super) async fn remove(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    OfMember { room, user }: OfMember,
) -> Answer<StatusCode> {
    chat.remove_member(caller.actor(), &room, &user).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ban a user
///
/// Out of the room, if it is in, and not in again until the ban is lifted.
#[utoipa::path(operation_id = "banUser", put, path = "/rooms/{room}/bans/{user}", tag = "members", params(OfMember),
    responses((status = 204, description = "It is done"), Refusals))]
pub(super) async fn ban(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    OfMember { room, user }: OfMember,
) -> Answer<StatusCode> {
    chat.ban(caller.actor(), &room, &user).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lift a ban
#[utoipa::path(operation_id = "unbanUser", delete, path = "/rooms/{room}/bans/{user}", tag = "members", params(OfMember),
    responses((status = 204, description = "It is done"), Refusals))]
pub(super) async fn unban(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    OfMember { room, user }: OfMember,
) -> Answer<StatusCode> {
    chat.unban(caller.actor(), &room, &user).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How somebody comes in.
#[derive(Default, Deserialize, ToSchema)]
pub(super) struct Join {
    /// The code of an invitation; public rooms need none.
    invite: Option<String>,
}

/// Join a room
#[utoipa::path(operation_id = "joinRoom", post, path = "/rooms/{room}/join", tag = "members", params(InRoom),
    request_body = Option<Join>, responses((status = 200, description = "As it is", body = Room), Refusals))]
pub(super) async fn join(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    InRoom { room }: InRoom,
    OptionalBody(Join { invite }): OptionalBody<Join>,
) -> Answer<Json<Room>> {
    Ok(Json(chat.join(caller.actor(), &room, invite.as_deref()).await?))
}

/// Leave a room
///
/// A direct room is only hidden until its next message. The last owner stays while others do;
/// the last one out ends the room.
#[utoipa::path(operation_id = "leaveRoom", post, path = "/rooms/{room}/leave", tag = "members", params(InRoom),
    responses((status = 204, description = "It is done"), Refusals))]
pub(super) async fn leave(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    InRoom { room }: InRoom,
) -> Answer<StatusCode> {
    chat.leave(caller.actor(), &room).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Invite to a room
///
/// Whoever has the code may join within seven days.
#[utoipa::path(operation_id = "createInvite", post, path = "/rooms/{room}/invites", tag = "members", params(InRoom),
    responses((status = 201, description = "It is made", body = Invite), Refusals))]
pub(super) async fn invite(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    InRoom { room }: InRoom,
    Extension(scheme): Extension<Scheme>,
    headers: HeaderMap,
) -> Answer<impl IntoResponse> {
    let url = |code: &str| page_address(&headers, scheme, &room, code);
    let invite = chat.invite(caller.actor(), &room, url).await?;
    Ok((StatusCode::CREATED, Json(invite)))
}

/// Take an invitation back
#[utoipa::path(operation_id = "dropInvite", delete, path = "/rooms/{room}/invites/{code}", tag = "members", params(OfInvite),
    responses((status = 204, description = "It is done"), Refusals))]
pub(super) async fn drop_invite(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    OfInvite { room, code }: OfInvite,
) -> Answer<StatusCode> {
    chat.drop_invite(caller.actor(), &room, &code).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Until when a room is quiet.
#[derive(Default, Deserialize, ToSchema)]
pub(super) struct Mute {
    /// For ever, where it is left out.
    until: Option<Timestamp>,
}

/// Mute a room
///
/// A time that has passed ends it.
#[utoipa::path(operation_id = "muteRoom", put, path = "/rooms/{room}/mute", tag = "members", params(InRoom),
    request_body = Option<Mute>, responses((status = 204, description = "It is done"), Refusals))]
pub(super) async fn mute(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    InRoom { room }: InRoom,
    OptionalBody(Mute { until }): OptionalBody<Mute>,
) -> Answer<StatusCode> {
    chat.mute(caller.actor(), &room, until).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Where the page joins by invitation, at the address that the caller itself used. The code
/// stands behind the `#`, so no server and no log on the way sees it.
fn page_address(headers: &HeaderMap, Scheme(own): Scheme, room: &RoomId, code: &str) -> String {
    let of = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let scheme = match of("x-forwarded-proto") {
        Some("https") => "https",
        _ => own,
    };
    let host = of(header::HOST.as_str()).unwrap_or("localhost");
    format!("{scheme}://{host}/#/rooms/{room}/join/{code}")
}
