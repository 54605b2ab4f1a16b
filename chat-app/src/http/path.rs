//! Ids in the path. A text that is no id names nothing, so it is not found.

use std::collections::HashMap;

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use stomp_server::problem::{Code, Problem};

use super::problem::Failure;
use crate::domain::{MessageId, RoomId, UserId, no_such_message, no_such_room};

/// `/rooms/{room}`
#[derive(Debug)]
pub(super) struct InRoom(pub(super) RoomId);

/// `/rooms/{room}/members/{user}`
#[derive(Debug)]
pub(super) struct OfMember(pub(super) RoomId, pub(super) UserId);

/// `/rooms/{room}/messages/{message}`
#[derive(Debug)]
pub(super) struct OfMessage(pub(super) RoomId, pub(super) MessageId);

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

impl<S: Send + Sync> FromRequestParts<S> for InRoom {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        Ok(Self(room(&words(parts).await)?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OfMember {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let words = words(parts).await;
        let user = words.get("user").and_then(|id| UserId::parse(id));
        let nobody = || Problem::new(Code::NotFound, "There is no such user.");
        Ok(Self(room(&words)?, user.ok_or_else(nobody)?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OfMessage {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let words = words(parts).await;
        let message = words.get("message").and_then(|id| MessageId::parse(id));
        Ok(Self(room(&words)?, message.ok_or_else(no_such_message)?))
    }
}
