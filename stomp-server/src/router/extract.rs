//! What handlers take: parts of the frame, the session and the program.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use serde::de::DeserializeOwned;
use stomp_core::Frame;

use super::{Handle, template::Params};
use crate::{
    auth::Principal,
    broker::ConnectionId,
    problem::{Code, Problem},
};

/// A SEND or SUBSCRIBE on its way to a handler.
#[derive(Debug)]
pub struct Request {
    who: Arc<Principal>,
    connection: ConnectionId,
    frame: Frame,
    params: Params,
    handle: Option<Handle>,
}

impl Request {
    pub(super) fn new(
        who: Arc<Principal>,
        connection: ConnectionId,
        frame: Frame,
        params: Params,
        handle: Option<Handle>,
    ) -> Self {
        Self { who, connection, frame, params, handle }
    }

    /// Who sends or asks.
    pub fn who(&self) -> &Arc<Principal> {
        &self.who
    }

    /// By which connection.
    pub fn connection(&self) -> ConnectionId {
        self.connection
    }

    /// The frame.
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// The destination as the client wrote it.
    pub fn destination(&self) -> Cow<'_, str> {
        self.frame.header("destination").unwrap_or_default()
    }

    pub(super) fn params(&self) -> &Params {
        &self.params
    }
}

/// Something that a handler can take as an argument.
///
/// ```
/// use stomp_server::{problem::{Code, Problem}, router::{FromRequest, Request}};
///
/// struct Language(String);
///
/// impl<S> FromRequest<S> for Language {
///     fn from_request(request: &Request, _state: &S) -> Result<Self, Problem> {
///         let language = request.frame().header("lang");
///         let language = language.ok_or(Problem::new(Code::Invalid, "lang is missing."))?;
///         Ok(Self(language.into_owned()))
///     }
/// }
/// ```
pub trait FromRequest<S>: Sized {
    /// Takes it from the request, or refuses the frame.
    ///
    /// # Errors
    /// The problem that the client is told; the handler is not called.
    fn from_request(request: &Request, state: &S) -> Result<Self, Problem>;
}

/// The body as JSON; as an answer, a value that becomes JSON.
#[derive(Clone, Debug)]
pub struct Json<T>(pub T);

impl<S, T: DeserializeOwned> FromRequest<S> for Json<T> {
    fn from_request(request: &Request, _state: &S) -> Result<Self, Problem> {
        serde_json::from_slice(request.frame.body()).map(Self).map_err(|error| {
            Problem::new(Code::Invalid, format!("The body is not what is taken here: {error}."))
        })
    }
}

/// The body as it came.
#[derive(Clone, Debug)]
pub struct Body(pub Bytes);

impl<S> FromRequest<S> for Body {
    fn from_request(request: &Request, _state: &S) -> Result<Self, Problem> {
        Ok(Self(request.frame.body().clone()))
    }
}

/// The body as text.
impl<S> FromRequest<S> for String {
    fn from_request(request: &Request, _state: &S) -> Result<Self, Problem> {
        String::from_utf8(request.frame.body().to_vec())
            .map_err(|_| Problem::new(Code::Invalid, "The body is not UTF-8."))
    }
}

/// The frame's headers. Of repeated ones the first counts.
#[derive(Clone, Debug)]
pub struct Headers(Frame);

impl Headers {
    /// The value of this header.
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.0.header(name)
    }

    /// The value of a header that must be there.
    ///
    /// # Errors
    /// `invalid`, naming the header.
    pub fn require(&self, name: &str) -> Result<Cow<'_, str>, Problem> {
        self.get(name)
            .ok_or_else(|| Problem::new(Code::Invalid, format!("The header {name} is missing.")))
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        self.0.headers().map(|header| (header.name(), header.value()))
    }
}

impl<S> FromRequest<S> for Headers {
    fn from_request(request: &Request, _state: &S) -> Result<Self, Problem> {
        Ok(Self(request.frame.clone()))
    }
}

/// What the program gave to [`Routes::with_state`](super::Routes::with_state).
#[derive(Clone, Debug)]
pub struct State<S>(pub S);

impl<S: Clone> FromRequest<S> for State<S> {
    fn from_request(_request: &Request, state: &S) -> Result<Self, Problem> {
        Ok(Self(state.clone()))
    }
}

impl<S> FromRequest<S> for Principal {
    fn from_request(request: &Request, _state: &S) -> Result<Self, Problem> {
        Ok(Self::clone(&request.who))
    }
}

impl<S> FromRequest<S> for ConnectionId {
    fn from_request(request: &Request, _state: &S) -> Result<Self, Problem> {
        Ok(request.connection)
    }
}

/// To send from within a handler, beside what it returns.
impl<S> FromRequest<S> for Handle {
    fn from_request(request: &Request, _state: &S) -> Result<Self, Problem> {
        request
            .handle
            .clone()
            .ok_or_else(|| Problem::new(Code::Unavailable, "These routes belong to no server yet."))
    }
}

/// The value, or nothing where it cannot be had.
impl<S, T: FromRequest<S>> FromRequest<S> for Option<T> {
    fn from_request(request: &Request, state: &S) -> Result<Self, Problem> {
        Ok(T::from_request(request, state).ok())
    }
}
