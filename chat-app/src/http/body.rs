//! Bodies and queries, read with the contract's answers for what cannot be read.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Query, Request},
    http::{StatusCode, header, request::Parts},
};
use serde::{Deserialize, de::DeserializeOwned};
use stomp_server::problem::{Code, Problem};
use utoipa::IntoParams;

use super::problem::{Answer, Failure};
use crate::domain::UserId;

/// A JSON body, as bytes.
#[derive(Debug)]
pub(super) struct Json(pub(super) Bytes);

impl<S: Send + Sync> FromRequest<S> for Json {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        if !is_json(&request) {
            let problem = Problem::new(Code::Invalid, "The body must be application/json.");
            return Err(Failure::with_status(problem, StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(unreadable)?;
        Ok(Self(bytes))
    }
}

/// A JSON body of this shape; unknown fields are ignored.
#[derive(Debug)]
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let Json(bytes) = Json::from_request(request, state).await?;
        parse(&bytes).map(Self)
    }
}

/// A JSON body that may also be missing altogether.
#[derive(Debug)]
pub(super) struct OptionalBody<T>(pub(super) T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for OptionalBody<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        if is_json(&request) {
            return Body::from_request(request, state).await.map(|Body(body)| Self(body));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(unreadable)?;
        match bytes.is_empty() {
            true => Ok(Self(T::default())),
            false => Err(Failure::with_status(
                Problem::new(Code::Invalid, "The body must be application/json."),
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
            )),
        }
    }
}

/// The query of the URL; unknown parameters are ignored.
#[derive(Debug)]
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(query)) => Ok(Self(query)),
            Err(_) => Err(Failure::invalid("The query of the address cannot be read.")),
        }
    }
}

/// A piece of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Paging {
    /// Where to go on, as the piece before said.
    pub(super) cursor: Option<String>,
    /// How many: 1 to 200, and 50 where nothing is said.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 50)]
    pub(super) limit: Option<String>,
}

impl Paging {
    /// How many.
    pub(super) fn count(&self) -> Answer<u32> {
        limit(self.limit.as_deref())
    }
}

/// How many of a list: 1 to 200, and 50 where nothing is said.
pub(super) fn limit(given: Option<&str>) -> Answer<u32> {
    let Some(text) = given else { return Ok(50) };
    match text.parse() {
        Ok(limit @ 1..=200) => Ok(limit),
        _ => Err(Failure::invalid("A limit is a number from 1 to 200.")),
    }
}

/// The cursor of a list of users: the last one of the piece before.
pub(super) fn user_cursor(paging: &Paging) -> Answer<Option<UserId>> {
    let cursor = paging.cursor.as_deref();
    cursor.map(|text| UserId::parse(text).ok_or_else(no_cursor)).transpose()
}

/// A full piece may have another one behind it.
pub(super) fn next<T>(shown: &[T], count: u32, name: impl Fn(&T) -> String) -> Option<String> {
    (shown.len() == count as usize).then(|| shown.last().map(name)).flatten()
}

pub(super) fn no_cursor() -> Failure {
    Failure::invalid("This cursor is not one that was given out.")
}

fn is_json(request: &Request) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(bytes).map_err(|error| {
        Failure::invalid(format!("The body does not have the right shape: {error}."))
    })
}

fn unreadable(rejection: axum::extract::rejection::BytesRejection) -> Failure {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::new(Code::TooLarge, "The body is larger than this server takes.").into()
        }
        _ => Failure::invalid("The body could not be read."),
    }
}
