//! Accounts and sessions.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    body::Body,
    identity::{Caller, From},
    problem::{Answer, Refusals},
};
use crate::{
    domain::User,
    service::{Chat, Session},
};

/// A name and its password.
#[derive(Deserialize, ToSchema)]
pub(super) struct Credentials {
    /// 1 to 64 letters, digits, hyphens or underscores; unique without case.
    name: String,
    /// 8 to 1,024 bytes.
    password: String,
}

/// Sign up
///
/// The id is the name in lower case and never changes. Not where another service keeps the
/// accounts.
#[utoipa::path(operation_id = "signUp", post, path = "/accounts", tag = "accounts", security(()), request_body = Credentials,
    responses((status = 201, description = "It is made", body = User), Refusals))]
pub(super) async fn create(
    State(chat): State<Arc<Chat>>,
    From(address): From,
    Body(Credentials { name, password }): Body<Credentials>,
) -> Answer<impl IntoResponse> {
    let user = chat.sign_up(&name, password, address).await?;
    Ok((StatusCode::CREATED, Json(user)))
}

/// Log in
///
/// The token goes into `Authorization: Bearer`, and into the passcode of a STOMP CONNECT.
#[utoipa::path(operation_id = "logIn", post, path = "/sessions", tag = "accounts", security(()), request_body = Credentials,
    responses((status = 201, description = "It is made", body = Session), Refusals))]
pub(super) async fn log_in(
    State(chat): State<Arc<Chat>>,
    From(address): From,
    Body(Credentials { name, password }): Body<Credentials>,
) -> Answer<impl IntoResponse> {
    let session = chat.log_in(&name, password, address).await?;
    Ok((StatusCode::CREATED, Json(session)))
}

/// Log out
///
/// The token of this request is given up; live connections that use it end within 25 seconds.
#[utoipa::path(operation_id = "logOut", delete, path = "/sessions/current", tag = "accounts",
    responses((status = 204, description = "It is done"), Refusals))]
pub(super) async fn log_out(State(chat): State<Arc<Chat>>, caller: Caller) -> Answer<StatusCode> {
    chat.log_out(&caller.identity).await?;
    Ok(StatusCode::NO_CONTENT)
}
