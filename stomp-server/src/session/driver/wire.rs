//! Bytes in and out, and the end of both.

use std::{future::poll_fn, task::Poll, time::Duration};

use bytes::BytesMut;

use super::{super::action::Close, Driver, Event, timers::now};
use crate::transport::Transport;

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

    /// Lets go of buffers that an idle connection does not need.
    pub(super) fn rest(&mut self) {
        if self.input.is_empty() {
            self.input = BytesMut::new();
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

/// Writes what waits, and reads if that is wanted; whichever comes first.
pub(super) async fn io_event(
    transport: &mut impl Transport,
    input: &mut BytesMut,
    reads: bool,
) -> Event {
    poll_fn(|cx| {
        if transport.unsent() > 0
            && let Poll::Ready(flushed) = transport.poll_flush(cx)
        {
            return Poll::Ready(Event::Flushed(flushed));
        }
        if reads {
            return transport.poll_read(cx, input).map(Event::Read);
        }
        Poll::Pending
    })
    .await
}
