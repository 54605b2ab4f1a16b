//! Accounts, sessions, and who else there is.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use serde::{Deserialize, Serialize};

use super::{
    body::{Body, Params, limit},
    identity::Caller,
    problem::Answer,
};
use crate::{domain::User, service::Chat};

#[derive(Deserialize)]
pub(super) struct Credentials {
    name: String,
    password: String,
}

pub(super) async fn create(
    State(chat): State<Arc<Chat>>,
    Body(Credentials { name, password }): Body<Credentials>,
) -> Answer<impl IntoResponse> {
    let user = chat.sign_up(&name, password).await?;
    Ok((StatusCode::CREATED, Json(user)))
}

pub(super) async fn log_in(
    State(chat): State<Arc<Chat>>,
    Body(Credentials { name, password }): Body<Credentials>,
) -> Answer<impl IntoResponse> {
    let session = chat.log_in(&name, password).await?;
    Ok((StatusCode::CREATED, Json(session)))
}

pub(super) async fn log_out(State(chat): State<Arc<Chat>>, caller: Caller) -> Answer<StatusCode> {
    chat.log_out(&caller.identity).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn me(caller: Caller) -> Json<User> {
    Json(caller.user)
}

#[derive(Deserialize)]
pub(super) struct Search {
    #[serde(default)]
    query: String,
    limit: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Users {
    users: Vec<User>,
}

pub(super) async fn search(
    State(chat): State<Arc<Chat>>,
    _caller: Caller,
    Params(search): Params<Search>,
) -> Answer<Json<Users>> {
    let limit = limit(search.limit.as_deref())?;
    Ok(Json(Users { users: chat.find_users(&search.query, limit).await? }))
}
