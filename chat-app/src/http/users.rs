//! Who else there is.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    body::{Body, Paging, Params, next, user_cursor},
    identity::Caller,
    path::OfUser,
    problem::{Answer, Refusals},
    rooms::made,
};
use crate::{
    domain::{Profile, User},
    service::Chat,
};

/// Whom to look for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Query {
    /// The beginning of an id or name.
    #[serde(default)]
    #[param(required = false)]
    query: String,
}

/// Some users.
#[derive(Serialize, ToSchema)]
pub(super) struct Users {
    users: Vec<User>,
    /// To pass on for more; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

impl Users {
    fn page(users: Vec<User>, count: u32) -> Json<Self> {
        let cursor = next(&users, count, |user| user.id.to_string());
        Json(Self { users, cursor })
    }
}

/// Find users
#[utoipa::path(operation_id = "findUsers", get, path = "/users", tag = "users", params(Query, Paging),
    responses((status = 200, description = "As it is", body = Users), Refusals))]
pub(super) async fn search(
    State(chat): State<Arc<Chat>>,
    _caller: Caller,
    Params(Query { query }): Params<Query>,
    Params(paging): Params<Paging>,
) -> Answer<Json<Users>> {
    let count = paging.count()?;
    let from = user_cursor(&paging)?;
    Ok(Users::page(chat.find_users(&query, from.as_ref(), count).await?, count))
}

/// How a service wants its user to be called.
#[derive(Deserialize, ToSchema)]
pub(super) struct NewUser {
    name: String,
    picture: Option<String>,
}

/// Make or rename a user
///
/// For services. The same again changes nothing.
#[utoipa::path(operation_id = "putUser", put, path = "/users/{user}", tag = "users", params(OfUser), request_body = NewUser,
    responses((status = 200, description = "As it is", body = User), (status = 201, description = "It is made", body = User), Refusals))]
pub(super) async fn put(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    OfUser { user }: OfUser,
    Body(NewUser { name, picture }): Body<NewUser>,
) -> Answer<impl IntoResponse> {
    let profile = Profile::parse(Some(&name), picture.as_deref().map(Some))?;
    let user =
        User { id: user, name: profile.name.unwrap_or(name), picture: profile.picture.flatten() };
    let fresh = chat.put_user(caller.actor(), &user).await?;
    Ok((made(fresh), Json(user)))
}

/// Whom I block
#[utoipa::path(operation_id = "listBlocks", get, path = "/blocks", tag = "users", params(Paging),
    responses((status = 200, description = "As it is", body = Users), Refusals))]
pub(super) async fn blocks(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    Params(paging): Params<Paging>,
) -> Answer<Json<Users>> {
    let count = paging.count()?;
    let from = user_cursor(&paging)?;
    Ok(Users::page(chat.blocks(caller.id(), from.as_ref(), count).await?, count))
}

/// Block a user
///
/// Neither of the two can send to their direct room, nor make one.
#[utoipa::path(operation_id = "blockUser", put, path = "/blocks/{user}", tag = "users", params(OfUser),
    responses((status = 204, description = "It is done"), Refusals))]
pub(super) async fn block(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    OfUser { user }: OfUser,
) -> Answer<StatusCode> {
    chat.set_block(caller.id(), &user, true).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Unblock a user
#[utoipa::path(operation_id = "unblockUser", delete, path = "/blocks/{user}", tag = "users", params(OfUser),
    responses((status = 204, description = "It is done"), Refusals))]
pub(super) async fn unblock(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    OfUser { user }: OfUser,
) -> Answer<StatusCode> {
    chat.set_block(caller.id(), &user, false).await?;
    Ok(StatusCode::NO_CONTENT)
}
