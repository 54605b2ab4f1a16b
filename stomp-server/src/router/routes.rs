//! Handlers by destination.

use std::{
    fmt,
    future::Future,
    sync::{Arc, OnceLock},
};

use async_trait::async_trait;
use compact_str::format_compact;
use futures::{FutureExt, future::BoxFuture};
use stomp_core::{Frame, SharedMessage};

use super::{
    Answer, AppSend, AppSubscribe, Handle, Handler, IntoOutcome, IntoReply, Request,
    function::HandlerFn,
    respond::Outcome,
    template::{Params, Template},
};
use crate::{
    auth::Principal,
    broker::{BrokerError, Class, ConnectionId, DedupeKey, Publish},
    problem::{Code, Problem},
};

/// Serves `/app/**` by functions, each behind its destination.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use stomp_server::{Server, auth::Principal, router::{Emit, Json, Path, Routes}};
///
/// #[derive(Deserialize)]
/// struct Say { text: String }
///
/// #[derive(Serialize)]
/// struct Said { by: String, text: String }
///
/// async fn say(who: Principal, Path(room): Path<String>, Json(say): Json<Say>) -> Emit {
///     let said = Said { by: who.name().to_owned(), text: say.text };
///     Emit::to(format!("/topic/rooms.{room}")).json(&said)
/// }
///
/// async fn rooms() -> Json<[&'static str; 2]> {
///     Json(["kitchen", "garden"])
/// }
///
/// let routes = Routes::new().send("/app/rooms.{room}.say", say).subscribe("/app/rooms", rooms);
/// let server = Server::builder().handler(std::sync::Arc::new(routes)).build();
/// ```
///
/// Open places take one word each; words end at `/` and `.` (see [`separator`](Self::separator)).
/// Where several routes fit, the one with the fewest open places is taken. A handler that fails,
/// panics or takes longer than 30 s costs its frame, and the sender is told.
pub struct Routes<S = ()> {
    state: Arc<S>,
    separator: char,
    sends: Vec<Route<Outcome>>,
    subscribes: Vec<Route<SharedMessage>>,
    handle: OnceLock<Handle>,
}

/// A handler behind its destination; `T` is what it comes to.
struct Route<T> {
    template: Template,
    call: Box<Call<T>>,
}

type Call<T> = dyn Fn(Request) -> BoxFuture<'static, Result<T, Problem>> + Send + Sync;

impl Routes {
    /// Routes without shared state.
    pub fn new() -> Self {
        Self::with_state(())
    }
}

impl Default for Routes {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Send + Sync + 'static> Routes<S> {
    /// Routes whose handlers can take [`State<S>`](super::State).
    pub fn with_state(state: S) -> Self {
        Self {
            state: Arc::new(state),
            separator: '.',
            sends: Vec::new(),
            subscribes: Vec::new(),
            handle: OnceLock::new(),
        }
    }

    /// What ends a word beside `/`. `.` by default. Counts for the routes added after it.
    #[must_use]
    pub fn separator(mut self, separator: char) -> Self {
        self.separator = separator;
        self
    }

    /// Serves SENDs to this destination. What it may return: [`IntoOutcome`].
    ///
    /// # Panics
    /// If the destination does not begin with `/app/`, an open place is no whole word, or there
    /// is such a route already: mistakes in the program, found when it starts.
    #[must_use]
    pub fn send<F, Args>(mut self, destination: &str, handler: F) -> Self
    where
        F: HandlerFn<S, Args>,
        <F::Future as Future>::Output: IntoOutcome,
    {
        let state = self.state.clone();
        let call = move |request: Request| {
            let called = handler.call(&request, &state);
            async move {
                let output = called?.await;
                let mut outcome = output.into_outcome(&request)?;
                deduplicate(&mut outcome, &request);
                Ok(outcome)
            }
            .boxed()
        };
        add(&mut self.sends, destination, self.separator, Box::new(call));
        self
    }

    /// Answers SUBSCRIBEs to this destination, each with one message. What it may return:
    /// [`IntoReply`].
    ///
    /// # Panics
    /// As for [`send`](Self::send).
    #[must_use]
    pub fn subscribe<F, Args>(mut self, destination: &str, handler: F) -> Self
    where
        F: HandlerFn<S, Args>,
        <F::Future as Future>::Output: IntoReply,
    {
        let state = self.state.clone();
        let call = move |request: Request| {
            let called = handler.call(&request, &state);
            async move { called?.await.into_reply(&request.destination()) }.boxed()
        };
        add(&mut self.subscribes, destination, self.separator, Box::new(call));
        self
    }

    fn request(
        &self,
        who: Arc<Principal>,
        connection: ConnectionId,
        frame: Frame,
        params: Params,
    ) -> Request {
        Request::new(who, connection, frame, params, self.handle.get().cloned())
    }

    /// Sends all but the last of what a handler returned, which the session does.
    async fn finish(&self, mut outcome: Outcome) -> Result<Answer, Problem> {
        let Some(last) = outcome.publish.pop() else { return Ok(Answer::Done(outcome.receipt)) };
        if !outcome.publish.is_empty() {
            let unavailable = "These routes belong to no server yet.";
            let handle = self.handle.get();
            let handle = handle.ok_or_else(|| Problem::new(Code::Unavailable, unavailable))?;
            for publish in outcome.publish {
                handle.publish(publish).await.map_err(refused)?;
            }
        }
        Ok(Answer::Publish { publish: Box::new(last), receipt: outcome.receipt })
    }
}

#[async_trait]
impl<S: Send + Sync + 'static> Handler for Routes<S> {
    fn attach(&self, handle: &Handle) {
        // The first server that these routes are given to is the one they send by.
        let _ = self.handle.set(handle.clone());
    }

    async fn send(&self, request: AppSend) -> Result<Answer, Problem> {
        let AppSend { who, connection, frame, .. } = request;
        let (route, params) = find(&self.sends, &frame.destination(), self.separator)
            .ok_or_else(|| nothing(&self.subscribes, &frame.destination(), self.separator))?;
        let request = self.request(who, connection, frame.into(), params);
        let outcome = (route.call)(request).await?;
        self.finish(outcome).await
    }

    async fn subscribe(&self, request: AppSubscribe) -> Result<SharedMessage, Problem> {
        let AppSubscribe { who, connection, frame } = request;
        let (route, params) = find(&self.subscribes, &frame.destination(), self.separator)
            .ok_or_else(|| nothing(&self.sends, &frame.destination(), self.separator))?;
        (route.call)(self.request(who, connection, frame.into(), params)).await
    }
}

/// Keeps routes with fewer open places in front.
fn add<T>(routes: &mut Vec<Route<T>>, destination: &str, separator: char, call: Box<Call<T>>) {
    assert!(destination.starts_with("/app/"), "{destination} does not begin with /app/");
    let template = match Template::parse(destination, separator) {
        Ok(template) => template,
        Err(sentence) => panic!("{sentence}"),
    };
    let is_there = routes.iter().any(|route| route.template.is_same_as(&template));
    assert!(!is_there, "{destination} is served already");
    let at = routes.partition_point(|other| other.template.openness() <= template.openness());
    routes.insert(at, Route { template, call });
}

fn find<'a, T>(
    routes: &'a [Route<T>],
    destination: &str,
    separator: char,
) -> Option<(&'a Route<T>, Params)> {
    routes.iter().find_map(|route| Some((route, route.template.matches(destination, separator)?)))
}

/// Why no route fits; `others` serve the other verb.
fn nothing<T>(others: &[Route<T>], destination: &str, separator: char) -> Problem {
    let sentence = match find(others, destination, separator) {
        Some(_) => format!("{destination} is served, but not for this command."),
        None => format!("Nothing is served at {destination}."),
    };
    Problem::new(Code::NotFound, sentence)
}

/// A retry of the frame by its sender shall not become a second message. Several messages of one
/// frame have ids of their own.
fn deduplicate(outcome: &mut Outcome, request: &Request) {
    let Some(id) = request.frame().header("message-dedup-id") else { return };
    let takes = |publish: &&mut Publish| publish.class == Class::Kept && publish.dedupe.is_none();
    for (count, publish) in outcome.publish.iter_mut().filter(takes).enumerate() {
        let id = match count {
            0 => id.as_ref().into(),
            _ => format_compact!("{id}.{count}"), // no client can choose an id with a dot
        };
        publish.dedupe = Some(DedupeKey { sender: request.who().name().into(), id });
    }
}

fn refused(error: BrokerError) -> Problem {
    match error {
        BrokerError::Refused(problem) => problem,
        BrokerError::Unknown(cause) => {
            tracing::warn!(%cause, "a handler's message has an unknown outcome");
            Problem::new(Code::Unavailable, "This may have been done or not; try it again.")
        }
    }
}

impl<S> fmt::Debug for Routes<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Routes")
            .field("sends", &self.sends.len())
            .field("subscribes", &self.subscribes.len())
            .finish_non_exhaustive()
    }
}
