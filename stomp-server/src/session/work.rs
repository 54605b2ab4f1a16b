//! The questions that a session asks before it goes on, each bounded in time.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use stomp_core::{DecodeError, SharedMessage};

use super::{action::Asked, machine::sentence};
use crate::{
    auth::{Credentials, Decision, Principal},
    broker::ConnectionId,
    gate::UserPlace,
    metrics,
    problem::{Code, Problem},
    router::{Answer, AppSend, AppSubscribe},
    server::Shared,
};

/// A login, a decision or a handler that takes longer has failed: somebody waits for it.
const PATIENCE: Duration = Duration::from_secs(30);
/// Clients of an instance that goes away come back spread over this time.
const COME_BACK_WITHIN_MS: u64 = 5_000;

/// An answer.
#[derive(Debug)]
pub(super) enum Work {
    Login(Result<Login, Problem>),
    Decision(Decision),
    Answer(Result<Answer, Problem>),
    Reply(Result<SharedMessage, Problem>),
    Valid(Result<(), Problem>),
}

/// Somebody, with a place among the connections of that user.
#[derive(Debug)]
pub(super) struct Login {
    pub(super) who: Principal,
    pub(super) place: Option<UserPlace>,
}

pub(super) fn login(
    server: &Arc<Shared>,
    credentials: Credentials,
    connection: ConnectionId,
) -> BoxFuture<'static, Work> {
    let server = server.clone();
    let login = async move {
        let who = server.authenticate.authenticate(credentials).await?;
        let place = server.gate.user(who.user.as_ref())?;
        let shared = Arc::new(who);
        server.handler.connected(&shared, connection).await;
        Ok(Login { who: Arc::unwrap_or_clone(shared), place })
    };
    guarded("login", login).map(Work::Login).boxed()
}

pub(super) fn recheck(server: &Arc<Shared>, who: Arc<Principal>) -> BoxFuture<'static, Work> {
    let server = server.clone();
    let recheck = async move { server.authenticate.still_valid(&who).await };
    guarded("recheck", recheck).map(Work::Valid).boxed()
}

/// What the authorizer knows at once. It may panic; that costs the frame, not the server.
pub(super) fn decide(server: &Shared, who: &Principal, asked: &Asked) -> Option<Decision> {
    let decide = || server.authorize.decide(who, asked.intent());
    catch_unwind(AssertUnwindSafe(decide))
        .unwrap_or_else(|_panic| Some(Decision::Deny(panicked("authorize"))))
}

pub(super) fn authorize(
    server: &Arc<Shared>,
    who: Arc<Principal>,
    asked: Asked,
) -> BoxFuture<'static, Work> {
    let server = server.clone();
    let decide = async move { Ok(server.authorize.authorize(&who, asked.intent()).await) };
    let decided = guarded("authorize", decide);
    decided.map(|decided| Work::Decision(decided.unwrap_or_else(Decision::Deny))).boxed()
}

pub(super) fn handle(server: &Arc<Shared>, request: Box<AppSend>) -> BoxFuture<'static, Work> {
    let server = server.clone();
    let answer = async move { server.handler.send(*request).await };
    guarded("send", answer).map(Work::Answer).boxed()
}

pub(super) fn ask(server: &Arc<Shared>, request: Box<AppSubscribe>) -> BoxFuture<'static, Work> {
    let server = server.clone();
    let reply = async move { server.handler.subscribe(*request).await };
    guarded("subscribe", reply).map(Work::Reply).boxed()
}

/// Code that is not ours may hang or panic; that costs the frame, not the server.
async fn guarded<T>(
    what: &'static str,
    work: impl Future<Output = Result<T, Problem>> + Send,
) -> Result<T, Problem> {
    match tokio::time::timeout(PATIENCE, AssertUnwindSafe(work).catch_unwind()).await {
        Ok(Ok(result)) => result,
        Ok(Err(_panic)) => Err(panicked(what)),
        Err(_elapsed) => {
            tracing::error!(what, "code of the application took too long");
            metrics::application_failed(what, "timeout");
            Err(Problem::new(Code::Unavailable, "This took too long; try again later."))
        }
    }
}

fn panicked(what: &'static str) -> Problem {
    tracing::error!(what, "code of the application panicked");
    metrics::application_failed(what, "panic");
    Problem::new(Code::Unavailable, "The server failed at this; it has been noted.")
}

/// What a peer is told about bytes that are no frame.
pub(super) fn fault(error: &DecodeError) -> Problem {
    let detail = sentence(error);
    let Some(limit) = error.limit() else { return Problem::new(Code::Protocol, detail) };
    let (code, name) = match limit.name {
        "body" => (Code::TooLarge, "max-body"),
        "header_line" => (Code::Limit, "max-header-line"),
        "headers" => (Code::Limit, "max-headers"),
        "head" => (Code::Limit, "max-head"),
        other => (Code::Limit, other),
    };
    Problem::new(code, detail).with_limit(name, limit.value as u64)
}

/// What everybody is told when this instance goes away.
pub(super) fn shutdown() -> Problem {
    let wait = Duration::from_millis(rand::random_range(0..COME_BACK_WITHIN_MS));
    Problem::new(Code::Shutdown, "This server goes away; connect again, here or elsewhere.")
        .with_retry_after(wait)
}
