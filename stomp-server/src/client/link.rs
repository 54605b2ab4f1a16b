//! One connection: octets, frames and heart-beats, from CONNECTED to the end.

use std::{future::poll_fn, io, task::Poll, time::Instant};

use bytes::{Bytes, BytesMut};
use stomp_core::{
    Command, Decoded, Decoder, Frame, HeartBeat, Limits, Role, ServerFrame, Version, heartbeat,
};

use super::{ClientError, builder::Settings, problem};
use crate::{
    session::{Close, Due, HeartBeats},
    transport::Transport,
};

/// An open session.
pub(super) struct Link {
    transport: Box<dyn Transport>,
    decoder: Decoder,
    input: BytesMut,
    beats: HeartBeats,
    scratch: BytesMut,
    /// What the server said when it opened.
    pub(super) connected: Frame,
}

/// What a connection brings.
pub(super) enum Arrived {
    /// Octets; there may be frames now.
    Octets,
    /// What was waiting is written.
    Written,
    /// It has ended.
    End,
}

impl Link {
    /// Connects and logs in.
    pub(super) async fn open(settings: &Settings) -> Result<Self, ClientError> {
        let patience = settings.connect_timeout;
        tokio::time::timeout(patience, Self::try_open(settings)).await.unwrap_or_else(|_| {
            Err(io::Error::new(io::ErrorKind::TimedOut, "no answer came in time").into())
        })
    }

    async fn try_open(settings: &Settings) -> Result<Self, ClientError> {
        let limits = Limits { body: settings.max_body, ..Limits::default() };
        let mut decoder = Decoder::new(Role::Server, limits);
        decoder.set_version(Version::V1_2);
        // Asked before there is a connection, so that the server's patience is not used up by it.
        let connect = settings.connect_frame().await?;
        let mut link = Self {
            transport: settings.reach.connect().await?,
            decoder,
            input: BytesMut::new(),
            beats: HeartBeats::new(0, 0, now()),
            scratch: BytesMut::new(),
            connected: Frame::builder(Command::Connected).build(),
        };
        link.try_write(&connect)?;
        let answer = link.answer().await?;
        let opened = match ServerFrame::parse(answer, Version::V1_2) {
            Ok(ServerFrame::Connected(connected)) => connected,
            Ok(ServerFrame::Error(error)) => return Err(problem::of_error(error.frame()).into()),
            other => {
                return Err(ClientError::Protocol(format!("no CONNECTED came, but {other:?}")));
            }
        };
        if opened.version() != Version::V1_2 {
            return Err(ClientError::Protocol("the server does not speak STOMP 1.2".to_owned()));
        }
        let beats: HeartBeat = heartbeat::negotiate(opened.heart_beat(), settings.heart_beat);
        link.beats = HeartBeats::new(beats.send_ms, beats.want_ms, now());
        link.connected = opened.into();
        Ok(link)
    }

    async fn answer(&mut self) -> Result<Frame, ClientError> {
        loop {
            if let Some(frame) = self.frame()? {
                return Ok(frame);
            }
            if matches!(self.arrive().await, Arrived::End) {
                let end = io::Error::new(io::ErrorKind::UnexpectedEof, "the server hung up");
                return Err(end.into());
            }
        }
    }

    /// The next frame of what has been read.
    pub(super) fn frame(&mut self) -> Result<Option<Frame>, ClientError> {
        loop {
            match self.decoder.decode(&mut self.input) {
                Ok(Some(Decoded::Frame(frame))) => return Ok(Some(frame)),
                Ok(Some(Decoded::HeartBeat)) => {}
                Ok(None) => return Ok(None),
                Err(error) => return Err(ClientError::Protocol(error.to_string())),
            }
        }
    }

    /// Takes a frame to be written.
    pub(super) fn write(&mut self, frame: &Frame) {
        if let Err(error) = self.try_write(frame) {
            tracing::error!(%error, "a frame could not be written"); // only CONNECT can fail
        }
    }

    fn try_write(&mut self, frame: &Frame) -> Result<(), ClientError> {
        self.scratch.clear();
        frame
            .encode(Version::V1_2, &mut self.scratch)
            .map_err(|error| ClientError::invalid(error.to_string()))?;
        self.transport.queue(&self.scratch, &Bytes::new());
        Ok(())
    }

    /// Writes what waits and reads what comes. Cancel-safe.
    pub(super) async fn arrive(&mut self) -> Arrived {
        let (transport, input) = (&mut self.transport, &mut self.input);
        let arrived = poll_fn(|cx| {
            if transport.unsent() > 0
                && let Poll::Ready(written) = transport.poll_flush(cx)
            {
                return Poll::Ready(written.map_or(Arrived::End, |()| Arrived::Written));
            }
            transport.poll_read(cx, input).map(|read| match read {
                Ok(1..) => Arrived::Octets,
                Ok(0) | Err(_) => Arrived::End,
            })
        })
        .await;
        match arrived {
            Arrived::Octets => self.beats.received(now()),
            Arrived::Written => self.beats.sent(now()),
            Arrived::End => {}
        }
        arrived
    }

    /// When [`beat`](Self::beat) has something to do.
    pub(super) fn next_beat(&self) -> Option<Instant> {
        self.beats.next()
    }

    /// Sends a heart-beat if one is due. False if the server has been silent for too long.
    pub(super) fn beat(&mut self) -> bool {
        let now = now();
        match self.beats.due(now) {
            Due::Nothing => {}
            Due::Beat => {
                self.transport.queue_beat();
                self.beats.sent(now);
            }
            Due::GiveUp => return false,
        }
        true
    }

    /// Ends the connection in the transport's way.
    pub(super) async fn hang_up(mut self) {
        let transport = &mut self.transport;
        let farewell = async {
            poll_fn(|cx| transport.poll_flush(cx)).await?;
            poll_fn(|cx| transport.poll_goodbye(cx, Close::Bye)).await
        };
        let _ = tokio::time::timeout(super::LAST_WORDS, farewell).await;
    }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
