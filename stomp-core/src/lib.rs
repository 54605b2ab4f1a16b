//! STOMP 1.0, 1.1 and 1.2: octets to frames and back, for both sides, without I/O.
//!
//! ```
//! use bytes::BytesMut;
//! use stomp_core::{ClientFrame, Command, Decoded, Decoder, Frame, Limits, Role, Version};
//!
//! // A broker reads what a client sends, in whatever pieces it comes.
//! let mut decoder = Decoder::new(Role::Client, Limits::default());
//! let mut buffer = BytesMut::from("SUBSCRIBE\nid:0\ndestination:/topic/a\nreceipt:77\n\n\0");
//! let Some(Decoded::Frame(frame)) = decoder.decode(&mut buffer)? else { panic!("a frame") };
//!
//! // The generic frame becomes one of eleven typed ones, its headers checked.
//! let frame = ClientFrame::parse(frame, Version::V1_2)?;
//! let ClientFrame::Subscribe(subscribe) = &frame else { panic!("a subscription") };
//! assert_eq!(subscribe.destination(), "/topic/a");
//!
//! // Answers are built and encoded for the version of the session.
//! let receipt = frame.receipt().unwrap_or_default();
//! let mut out = BytesMut::new();
//! Frame::builder(Command::Receipt)
//!     .header("receipt-id", &receipt)
//!     .build()
//!     .encode(Version::V1_2, &mut out)?;
//! assert_eq!(&out[..], b"RECEIPT\nreceipt-id:77\n\n\0");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! From octets to intentions and back:
//!
//! * [`Decoder`] takes octets as they come and holds them against [`Limits`]; [`FrameRef`] reads
//!   one frame that is there in whole, without owning anything.
//! * [`Frame`] is generic and loses nothing. [`ClientFrame`] and [`ServerFrame`] say what it means.
//! * [`version`] and [`heartbeat`] are the negotiations as plain functions.
//! * [`Frame::builder`] and [`Frame::encode`] write. [`SharedMessage`] writes one message to many.
//! * Errors name the clause of the specification and who can mend the fault ([`Mender`]).
//! * `codec` (feature `codec`) is all that for tokio's `Framed`.

mod body;
mod client_frame;
#[cfg(feature = "codec")]
pub mod codec;
mod command;
mod decoder;
mod encode;
mod error;
mod escape;
mod frame;
mod header;
pub mod heartbeat;
mod limits;
mod marks;
mod parse;
mod scan;
mod server_frame;
mod shared;
mod typed;
pub mod version;

pub use client_frame::{
    Abort, Ack, AckMode, Begin, ClientFrame, Commit, Connect, Disconnect, Nack, Send, Subscribe,
    Unsubscribe,
};
pub use command::{Command, Role};
pub use decoder::{Decoded, Decoder};
pub use error::{DecodeError, EncodeError, FrameError, Mender, PassedLimit, StoredError};
pub use frame::{Frame, FrameBuilder, FrameRef};
pub use header::{Header, Headers, names};
pub use heartbeat::{HeartBeat, HeartBeatError};
pub use limits::Limits;
pub use server_frame::{Connected, Error, Message, Receipt, ServerFrame};
pub use shared::SharedMessage;
pub use version::{Version, VersionError};
