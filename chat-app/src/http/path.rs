//! Ids in the path. A text that is no id names nothing, so it is not found.

use std::collections::HashMap;

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use stomp_server::problem::{Code, Problem};
use utoipa::IntoParams;

use super::problem::Failure;
use crate::domain::{MessageId, RoomId, UserId, no_such_message, no_such_room};

/// `/rooms/{room}`
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct InRoom {
    /// Which room.
    #[param(value_type = String)]
    pub(super) room: RoomId,
}

/// `/users/{user}`
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OfUser {
    /// Who.
    #[param(value_type = String)]
    pub(super) user: UserId,
}

/// `/rooms/{room}/members/{user}`
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OfMember {
    /// Which room.
    #[param(value_type = String)]
    pub(super) room: RoomId,
    /// Who in it.
    #[param(value_type = String)]
    pub(super) user: UserId,
}

/// `/rooms/{room}/messages/{message}`
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OfMessage {
    /// Which room.
    #[param(value_type = String)]
    pub(super) room: RoomId,
    /// Which message of it.
    #[param(value_type = String)]
    pub(super) message: MessageId,
}

/// `/rooms/{room}/invites/{code}`
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OfInvite {
    /// Which room.
    #[param(value_type = String)]
    pub(super) room: RoomId,
    /// The invitation's code.
    pub(super) code: String,
}

type Words = HashMap<String, String>;

async fn words(parts: &mut Parts) -> Words {
    match Path::<Words>::from_request_parts(parts, &()).await {
        Ok(Path(words)) => words,
        Err(_) => Words::new(),
    }
}

fn room(words: &Words) -> Result<RoomId, Problem> {
    words.get("room").and_then(|id| RoomId::parse(id)).ok_or_else(no_such_room)
}

fn user(words: &Words) -> Result<UserId, Problem> {
    let nobody = || Problem::new(Code::NotFound, "There is no such user.");
    words.get("user").and_then(|id| UserId::parse(id)).ok_or_else(nobody)
}

impl<S: Send + Sync> FromRequestParts<S> for InRoom {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        Ok(Self { room: room(&words(parts).await)? })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OfUser {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        Ok(Self { user: user(&words(parts).await)? })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OfMember {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let words = words(parts).await;
        Ok(Self { room: room(&words)?, user: user(&words)? })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OfMessage {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let words = words(parts).await;
        let message = words.get("message").and_then(|id| MessageId::parse(id));
        Ok(Self { room: room(&words)?, message: message.ok_or_else(no_such_message)? })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OfInvite {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let mut words = words(parts).await;
        Ok(Self { room: room(&words)?, code: words.remove("code").unwrap_or_default() })
    }
}
