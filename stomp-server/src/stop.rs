//! The one signal by which a server goes away, told so that asking costs nothing.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use tokio_util::sync::{
    CancellationToken, WaitForCancellationFuture, WaitForCancellationFutureOwned,
};

/// Given once. Whether it has been given is one load of memory that hardly ever changes; a token
/// alone takes a lock that all connections share, for every question.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<Signal>);

#[derive(Debug, Default)]
struct Signal {
    given: AtomicBool,
    token: CancellationToken,
}

impl Stop {
    /// Gives the signal.
    pub(crate) fn give(&self) {
        self.0.given.store(true, Ordering::Release);
        self.0.token.cancel();
    }

    /// Whether it has been given.
    pub(crate) fn is_given(&self) -> bool {
        self.0.given.load(Ordering::Acquire)
    }

    /// Waits for it. Cancel-safe.
    pub(crate) fn given(&self) -> WaitForCancellationFuture<'_> {
        self.0.token.cancelled()
    }

    /// Waits for it, whoever else is still there. Cancel-safe.
    pub(crate) fn given_owned(&self) -> WaitForCancellationFutureOwned {
        self.0.token.clone().cancelled_owned()
    }

    /// A watch for a task that asks with every step.
    pub(crate) fn watch(&self) -> Watch {
        Watch { stop: self.clone(), told: Box::pin(self.given_owned()), registered: None }
    }
}

/// One task's ear for the signal: it registers once and not with every poll.
pub(crate) struct Watch {
    stop: Stop,
    told: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Whom the signal will wake.
    registered: Option<Waker>,
}

impl Watch {
    /// Ready once the signal has been given.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.stop.is_given() {
            return Poll::Ready(());
        }
        if self.registered.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            return Poll::Pending;
        }
        // Given between the look above and this poll, it is found here.
        let polled = self.told.as_mut().poll(cx);
        self.registered = Some(cx.waker().clone());
        polled
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test]
    async fn a_watch_hears_the_signal_in_whatever_task_it_is_polled() {
        let stop = Stop::default();
        let mut watch = stop.watch();
        let mut cx = Context::from_waker(Waker::noop());
        assert!(watch.poll(&mut cx).is_pending());
        assert!(watch.poll(&mut cx).is_pending());
        let listens = tokio::spawn(async move { poll_fn(|cx| watch.poll(cx)).await });
        tokio::task::yield_now().await;
        assert!(!listens.is_finished());
        stop.give();
        listens.await.unwrap();
        assert!(stop.is_given());
        stop.given().await;
    }
}
