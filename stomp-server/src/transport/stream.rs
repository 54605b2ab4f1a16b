//! STOMP over a byte stream: TCP, TLS, or anything that reads and writes.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Transport;
use crate::session::Close;

/// One read takes at most this much: two pages, so that it can live on the stack and an
/// idle connection holds no buffer at all.
const READ: usize = 8 * 1024;
/// A tail up to this size is copied behind its head, so that many frames become one
/// buffer and one write; a longer one is cheaper to pass by reference.
const COPY: usize = 2 * 1024;
/// Slices in one vectored write; kernels take 1,024, but few gain beyond some dozens.
const SLICES: usize = 64;

/// A transport over a byte stream.
#[derive(Debug)]
pub(crate) struct StreamTransport<IO> {
    io: IO,
    /// Whole frames, copied together; becomes part of `waiting` at the next flush.
    fresh: BytesMut,
    waiting: VecDeque<Bytes>,
    unsent: usize,
}

impl<IO> StreamTransport<IO> {
    pub(crate) fn new(io: IO) -> Self {
        Self { io, fresh: BytesMut::new(), waiting: VecDeque::new(), unsent: 0 }
    }

    fn seal(&mut self) {
        if !self.fresh.is_empty() {
            self.waiting.push_back(self.fresh.split().freeze());
        }
    }

    fn advance(&mut self, mut written: usize) {
        self.unsent -= written;
        while written > 0 {
            let Some(front) = self.waiting.front_mut() else { return };
            let step = written.min(front.len());
            front.advance(step);
            written -= step;
            if front.is_empty() {
                self.waiting.pop_front();
            }
        }
    }

    fn release(&mut self) {
        self.fresh = BytesMut::new();
        self.waiting = VecDeque::new();
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static> Transport for StreamTransport<IO> {
    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut BytesMut) -> Poll<io::Result<usize>> {
        let mut space = [std::mem::MaybeUninit::uninit(); READ];
        let mut read = ReadBuf::uninit(&mut space);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut read))?;
        into.extend_from_slice(read.filled());
        Poll::Ready(Ok(read.filled().len()))
    }

    fn queue(&mut self, head: &[u8], tail: Bytes) {
        self.unsent += head.len() + tail.len();
        self.fresh.extend_from_slice(head);
        if tail.len() <= COPY {
            self.fresh.extend_from_slice(&tail);
        } else {
            self.seal();
            self.waiting.push_back(tail);
        }
    }

    fn queue_beat(&mut self) {
        if self.unsent == 0 {
            self.queue(b"\n", Bytes::new());
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.seal();
        while !self.waiting.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let mut used = 0;
            for (slice, bytes) in slices.iter_mut().zip(&self.waiting) {
                *slice = IoSlice::new(bytes);
                used += 1;
            }
            let written = ready!(Pin::new(&mut self.io).poll_write_vectored(cx, &slices[..used]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(written);
        }
        self.release();
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn unsent(&self) -> usize {
        self.unsent
    }

    fn poll_goodbye(&mut self, cx: &mut Context<'_>, _how: Close) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
