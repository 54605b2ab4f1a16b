//! Bytes in, bytes out: what a session needs of a connection.

pub(crate) mod spare;
mod stream;
#[cfg(feature = "tls")]
pub(crate) mod tls;
#[cfg(feature = "websocket")]
pub(crate) mod websocket;

use std::{
    io,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};

pub(crate) use self::stream::StreamTransport;
use crate::session::Close;

/// One connection, owned by one task: no locks, no halves.
///
/// All polls are cancel-safe: what was not done stays to be done.
pub(crate) trait Transport: Send + Unpin + 'static {
    /// Reads some bytes to the end of `into`; 0 at the end of the stream.
    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut BytesMut) -> Poll<io::Result<usize>>;

    /// Takes one whole frame to be written: `head`, then `tail`.
    fn queue(&mut self, head: &[u8], tail: &Bytes);

    /// Says how many octets are about to be taken, so that room for them is made once.
    fn expect(&mut self, octets: usize);

    /// Takes a heart-beat to be written, unless something is waiting to be written anyway.
    fn queue_beat(&mut self);

    /// Writes all that waits.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Bytes that wait to be written.
    fn unsent(&self) -> usize;

    /// Says goodbye in the transport's way. Everything has been flushed before.
    fn poll_goodbye(&mut self, cx: &mut Context<'_>, how: Close) -> Poll<io::Result<()>>;
}
