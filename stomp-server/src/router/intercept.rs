//! Looking in at three moments of a message's life.

use stomp_core::{Frame, SharedMessage};

use crate::{
    auth::Principal,
    broker::{Accepted, Logged},
    problem::Problem,
};

/// Sees what passes through sessions: before it is authorised, after it was accepted, before it
/// is delivered. For audit logs, tags, filters; who may do what is better asked of
/// [`Authorize`](crate::auth::Authorize).
///
/// Called in the session's own task, several in the order in which they were added: keep it
/// short, and never block. One that panics refuses the frame, or hides the delivery.
///
/// ```
/// use std::sync::Arc;
/// use stomp_core::Frame;
/// use stomp_server::{Server, auth::Principal, problem::{Code, Problem}, router::Intercept};
///
/// /// Nobody shouts.
/// struct Quiet;
///
/// impl Intercept for Quiet {
///     fn incoming(&self, _who: &Principal, frame: Frame) -> Result<Frame, Problem> {
///         if frame.body().ends_with(b"!!!") {
///             return Err(Problem::new(Code::Invalid, "Please do not shout."));
///         }
///         Ok(frame)
///     }
/// }
///
/// let server = Server::builder().intercept(Arc::new(Quiet)).build();
/// ```
pub trait Intercept: Send + Sync + 'static {
    /// A SEND or SUBSCRIBE has come and nothing has been asked about it yet. What is returned
    /// goes on in its place.
    ///
    /// # Errors
    /// The problem that refuses it: under `/app` it costs the frame, elsewhere it is an ERROR and
    /// the end of the session, as for [`Authorize`](crate::auth::Authorize).
    fn incoming(&self, _who: &Principal, frame: Frame) -> Result<Frame, Problem> {
        Ok(frame)
    }

    /// The log has a message of this session; its receipt is about to go out.
    fn accepted(&self, _who: &Principal, _message: &SharedMessage, _accepted: &Accepted) {}

    /// Whether a message may reach this session. One that may not counts as acknowledged.
    fn outgoing(&self, _who: &Principal, _message: &Logged) -> bool {
        true
    }
}
