//! STOMP over a byte stream: TCP, TLS, or anything that reads and writes.

use std::{
    collections::VecDeque,
    future::Future,
    io::{self, IoSlice},
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use super::{Transport, spare};
use crate::session::Close;

/// One read takes at most this much: two pages, so that it can live on the stack and an
/// idle connection holds no buffer at all.
const READ: usize = 8 * 1024;
/// And this much more where that was not all.
const READ_ON: usize = spare::SIZE - READ;
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

    /// What it reads from and writes to.
    #[cfg(feature = "websocket")]
    pub(super) fn io(&mut self) -> &mut IO {
        &mut self.io
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
        spare::give_back(std::mem::take(&mut self.fresh));
        self.waiting = VecDeque::new();
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static> Transport for StreamTransport<IO> {
    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut BytesMut) -> Poll<io::Result<usize>> {
        let mut space = [std::mem::MaybeUninit::uninit(); READ];
        let mut read = ReadBuf::uninit(&mut space);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut read))?;
        let octets = read.filled().len();
        if octets < READ {
            into.extend_from_slice(read.filled());
            return Poll::Ready(Ok(octets));
        }
        // Who sends so much sends more: the rest goes where it stays.
        if into.is_empty() {
            *into = spare::buffer(READ + READ_ON);
        }
        into.reserve(READ + READ_ON);
        into.extend_from_slice(read.filled());
        match pin!(self.io.read_buf(into)).poll(cx) {
            Poll::Ready(Ok(more)) if more > 0 => Poll::Ready(Ok(octets + more)),
            // An end or an error is found again by the next read.
            _ => Poll::Ready(Ok(octets)),
        }
    }

    fn queue(&mut self, head: &[u8], tail: &Bytes) {
        self.unsent += head.len() + tail.len();
        self.fresh.extend_from_slice(head);
        if tail.len() <= COPY {
            self.fresh.extend_from_slice(tail);
        } else {
            self.seal();
            self.waiting.push_back(tail.clone());
        }
    }

    fn expect(&mut self, octets: usize) {
        if self.fresh.is_empty() {
            self.fresh = spare::buffer(octets.min(spare::SIZE));
        }
    }

    fn queue_beat(&mut self) {
        if self.unsent == 0 {
            self.queue(b"\n", &Bytes::new());
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
