//! Bytes in and out, and the end of both.

use std::{
    future::poll_fn,
    task::{Context, Poll},
    time::Duration,
};

use bytes::BytesMut;

use super::{super::action::Close, Driver, Event, timers::now};
use crate::transport::{Transport, spare};

/// Bytes read ahead of the frame that is being dealt with. A frame may be longer: the decoder
/// holds it against the limits while it arrives.
const READ_AHEAD: usize = 64 * 1024;
/// How long the last words may take to be written, and then the peer to hang up.
const LAST_WORDS: Duration = Duration::from_secs(5);
const LINGER: Duration = Duration::from_secs(1);

impl<T: Transport> Driver<T> {
    pub(super) fn wants_bytes(&self) -> bool {
        !self.input_ended
            && !self.machine.is_closing()
            && self.wants_frames()
            && (self.starved || self.input.len() < READ_AHEAD)
    }

    /// Writes what waits, and reads if that is wanted.
    pub(super) fn poll_io(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        if self.transport.unsent() > 0 {
            match self.transport.poll_flush(cx) {
                Poll::Ready(Ok(())) => self.flushed(),
                Poll::Ready(Err(_)) => return Poll::Ready(Event::Broken),
                Poll::Pending => {}
            }
        }
        if !self.wants_bytes() {
            return Poll::Pending;
        }
        let read = self.transport.poll_read(cx, &mut self.input);
        if self.unwritten > 0 && self.transport.unsent() == 0 {
            self.flushed(); // a transport may write as it reads: an answer, and all before it
        }
        read.map(Event::Read)
    }

    /// Lets go of buffers that an idle connection does not need.
    pub(super) fn rest(&mut self) {
        if self.input.is_empty() {
            spare::give_back(std::mem::take(&mut self.input));
        }
        if self.transport.unsent() == 0 {
            self.encoder.release();
        }
        if self.actions.is_empty() {
            self.actions = Vec::new();
        }
    }

    pub(super) fn flushed(&mut self) {
        let now = now();
        self.count_sent(now);
        self.encoder.release();
        self.queue.written(std::mem::take(&mut self.unwritten));
        if let Some(beats) = &mut self.beats {
            beats.sent(now);
        }
    }

    /// Writes the last words, says goodbye, and lets the peer hang up first, so that a reset
    /// does not eat what it was told (decision 13).
    pub(super) async fn goodbye(&mut self, close: Close) {
        if close == Close::Abort {
            return;
        }
        let transport = &mut self.transport;
        let farewell = async {
            poll_fn(|cx| transport.poll_flush(cx)).await?;
            poll_fn(|cx| transport.poll_goodbye(cx, close)).await
        };
        if !matches!(tokio::time::timeout(LAST_WORDS, farewell).await, Ok(Ok(()))) {
            return;
        }
        let hang_up = async {
            let mut ignored = BytesMut::new();
            while let Ok(1..) = poll_fn(|cx| transport.poll_read(cx, &mut ignored)).await {
                ignored.clear();
            }
        };
        let _ = tokio::time::timeout(LINGER, hang_up).await;
    }
}
