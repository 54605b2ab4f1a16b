//! An answer that is there already, or comes later.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::sync::oneshot;

use super::BrokerError;

/// The answer to one call of a [`Broker`](super::Broker).
///
/// The call itself took its place in the order of things; this only tells how it
/// went. Dropping a reply undoes nothing.
#[derive(Debug)]
#[must_use = "the call has been made, but its outcome is only known from the reply"]
pub struct Reply<T>(State<T>);

#[derive(Debug)]
enum State<T> {
    Now(Option<Result<T, BrokerError>>),
    Later(oneshot::Receiver<Result<T, BrokerError>>),
}

/// The other end of a [`Reply`] that comes later. Dropped without a word, the outcome is unknown.
#[derive(Debug)]
pub struct Replier<T>(oneshot::Sender<Result<T, BrokerError>>);

impl<T> Reply<T> {
    /// An outcome that is known at once.
    pub fn now(outcome: Result<T, BrokerError>) -> Self {
        Self(State::Now(Some(outcome)))
    }

    /// An outcome that somebody else will tell.
    pub fn later() -> (Replier<T>, Self) {
        let (sender, receiver) = oneshot::channel();
        (Replier(sender), Self(State::Later(receiver)))
    }
}

impl<T> Replier<T> {
    /// Tells the outcome; nobody may be listening any more.
    pub fn send(self, outcome: Result<T, BrokerError>) {
        let _ = self.0.send(outcome);
    }
}

impl<T: Unpin> Future for Reply<T> {
    type Output = Result<T, BrokerError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Now(outcome) => match outcome.take() {
                Some(outcome) => Poll::Ready(outcome),
                None => Poll::Pending, // polled again after it was ready: nothing more to tell
            },
            State::Later(receiver) => Pin::new(receiver).poll(cx).map(|outcome| {
                outcome.unwrap_or_else(|_| Err(BrokerError::unknown("the broker went away")))
            }),
        }
    }
}
