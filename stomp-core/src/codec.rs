//! The decoder and the encoder for tokio's `Framed`. They delegate and decide nothing.

use std::io;

use bytes::BytesMut;
use tokio_util::codec;

use crate::{DecodeError, Decoded, Decoder, EncodeError, Frame, Limits, Role, Version};

/// Reads the frames that one side sends and writes those of the other.
///
/// ```
/// use stomp_core::{Command, Decoded, Frame, Limits, Role, codec::StompCodec};
/// use tokio_util::codec::{Decoder, Encoder};
///
/// let mut broker = StompCodec::new(Role::Client, Limits::default());
/// let mut buffer = bytes::BytesMut::from("DISCONNECT\nreceipt:1\n\n\0");
/// let Some(Decoded::Frame(frame)) = broker.decode(&mut buffer)? else { panic!("a frame") };
///
/// let receipt = frame.header("receipt").unwrap_or_default();
/// let answer = Frame::builder(Command::Receipt).header("receipt-id", &receipt).build();
/// broker.encode(answer, &mut buffer)?;
/// assert_eq!(&buffer[..], b"RECEIPT\nreceipt-id:1\n\n\0");
/// # Ok::<(), stomp_core::codec::CodecError>(())
/// ```
#[derive(Debug)]
pub struct StompCodec {
    decoder: Decoder,
}

impl StompCodec {
    /// A codec that reads the frames that `sender` sends: [`Role::Client`] for a broker,
    /// [`Role::Server`] for a client. It speaks 1.2 until told otherwise.
    pub fn new(sender: Role, limits: Limits) -> Self {
        Self { decoder: Decoder::new(sender, limits) }
    }

    /// Speaks `version` from the next frame on, both ways.
    pub fn set_version(&mut self, version: Version) {
        self.decoder.set_version(version);
    }

    /// The decoder, to ask for the receipt of a faulty frame or to change limits.
    pub fn decoder(&mut self) -> &mut Decoder {
        &mut self.decoder
    }
}

impl codec::Decoder for StompCodec {
    type Item = Decoded;
    type Error = CodecError;

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Decoded>, CodecError> {
        Ok(self.decoder.decode(buffer)?)
    }

    /// A stream that ends within a frame is cut off, which is not the peer's fault.
    fn decode_eof(&mut self, buffer: &mut BytesMut) -> Result<Option<Decoded>, CodecError> {
        match self.decoder.decode(buffer)? {
            None if !self.decoder.is_between_frames() => {
                Err(io::Error::from(io::ErrorKind::UnexpectedEof).into())
            }
            found => Ok(found),
        }
    }
}

impl codec::Encoder<&Frame> for StompCodec {
    type Error = CodecError;

    fn encode(&mut self, frame: &Frame, out: &mut BytesMut) -> Result<(), CodecError> {
        Ok(frame.encode(self.decoder.version(), out)?)
    }
}

impl codec::Encoder<Frame> for StompCodec {
    type Error = CodecError;

    fn encode(&mut self, frame: Frame, out: &mut BytesMut) -> Result<(), CodecError> {
        self.encode(&frame, out)
    }
}

impl codec::Encoder<Decoded> for StompCodec {
    type Error = CodecError;

    fn encode(&mut self, item: Decoded, out: &mut BytesMut) -> Result<(), CodecError> {
        match item {
            Decoded::Frame(frame) => self.encode(&frame, out),
            Decoded::HeartBeat => {
                out.extend_from_slice(b"\n");
                Ok(())
            }
        }
    }
}

/// What ends a stream of frames.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The octets are not frames: the peer's to mend.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A frame cannot be written: the caller's to mend.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The transport failed, or ended within a frame.
    #[error(transparent)]
    Io(#[from] io::Error),
}
