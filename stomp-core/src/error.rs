//! What can be wrong, by clause, and who can mend it. No error holds anything that a user wrote.

use crate::{
    Command, Frame, Version, heartbeat::HeartBeatError, server_frame, version::VersionError,
};

/// Who can mend a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mender {
    /// The side that sent the octets. Tell it with an ERROR frame, then close.
    Peer,
    /// The program that called.
    Caller,
}

/// A limit that was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PassedLimit {
    /// The field of [`Limits`](crate::Limits).
    pub name: &'static str,
    /// Its value, in octets (headers: in lines).
    pub value: usize,
}

/// Why octets are not a frame. The stream cannot be read on behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The first line is longer than [`Limits::command`](crate::Limits::command).
    #[error("the command line is longer than {limit} octets")]
    CommandTooLong {
        /// The limit in octets.
        limit: usize,
    },
    /// A header line is longer than [`Limits::header_line`](crate::Limits::header_line).
    #[error("a header line is longer than {limit} octets")]
    HeaderLineTooLong {
        /// The limit in octets.
        limit: usize,
    },
    /// There are more header lines than [`Limits::headers`](crate::Limits::headers).
    #[error("the frame has more than {limit} headers")]
    TooManyHeaders {
        /// The limit in lines.
        limit: usize,
    },
    /// Command and headers are longer than [`Limits::head`](crate::Limits::head).
    #[error("command and headers are longer than {limit} octets")]
    HeadTooLong {
        /// The limit in octets.
        limit: usize,
    },
    /// The body is longer than [`Limits::body`](crate::Limits::body), or says that it will be.
    #[error("the body is longer than {limit} octets")]
    BodyTooLong {
        /// The limit in octets.
        limit: usize,
    },
    /// The first line is not a command.
    #[error("unknown command")]
    UnknownCommand,
    /// The command belongs to the other side.
    #[error("{0} is not sent by this side")]
    UnexpectedCommand(Command),
    /// A NUL stands before the blank line that ends the headers.
    #[error("NUL octet before the end of the headers")]
    NulInHead,
    /// A CR is not followed by LF.
    #[error("carriage return without line feed")]
    LoneCarriageReturn,
    /// A header line has no colon.
    #[error("header line without a colon")]
    MissingColon,
    /// A header line begins with its colon.
    #[error("header without a name")]
    EmptyHeaderName,
    /// The head is not UTF-8.
    #[error("command and headers must be UTF-8")]
    InvalidUtf8,
    /// A backslash begins no escape that the version has.
    #[error("undefined escape sequence in a header")]
    UndefinedEscape,
    /// The content-length is not a number of decimal digits.
    #[error("content-length must be a number of decimal digits")]
    InvalidContentLength,
    /// The octet behind a body of content-length octets is not NUL.
    #[error("no NUL octet behind a body of content-length octets")]
    MissingNul,
    /// Only SEND, MESSAGE and ERROR may have a body.
    #[error("{0} must not have a body")]
    BodyNotAllowed(Command),
}

impl DecodeError {
    /// The section of the specification that the fault is against.
    pub const fn clause(&self) -> &'static str {
        match self {
            Self::CommandTooLong { .. }
            | Self::HeaderLineTooLong { .. }
            | Self::TooManyHeaders { .. }
            | Self::HeadTooLong { .. }
            | Self::BodyTooLong { .. } => "STOMP 1.2, Size Limits",
            Self::UnknownCommand | Self::UnexpectedCommand(_) => {
                "STOMP 1.2, Client Frames and Server Frames"
            }
            Self::NulInHead
            | Self::LoneCarriageReturn
            | Self::MissingColon
            | Self::EmptyHeaderName => "STOMP 1.2, Augmented BNF",
            Self::InvalidUtf8 | Self::UndefinedEscape => "STOMP 1.2, Value Encoding",
            Self::InvalidContentLength | Self::MissingNul => "STOMP 1.2, Header content-length",
            Self::BodyNotAllowed(_) => "STOMP 1.2, Body",
        }
    }

    /// The limit that was passed, if that is the fault.
    pub const fn limit(&self) -> Option<PassedLimit> {
        let (name, value) = match *self {
            Self::CommandTooLong { limit } => ("command", limit),
            Self::HeaderLineTooLong { limit } => ("header_line", limit),
            Self::TooManyHeaders { limit } => ("headers", limit),
            Self::HeadTooLong { limit } => ("head", limit),
            Self::BodyTooLong { limit } => ("body", limit),
            _ => return None,
        };
        Some(PassedLimit { name, value })
    }

    /// Always the peer: it sent the octets.
    pub const fn mender(&self) -> Mender {
        Mender::Peer
    }

    /// The ERROR frame to send before closing; `receipt_id` is the receipt header of the faulty
    /// frame, if it was read ([`Decoder::receipt_id`](crate::Decoder::receipt_id)).
    pub fn to_frame(&self, receipt_id: Option<&str>) -> Frame {
        server_frame::error_frame(&self.to_string(), self.clause(), receipt_id)
    }
}

/// Why a well-formed frame is not one of the frames that its command stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A required header is missing or empty.
    #[error("{command} needs the header {header}")]
    MissingHeader {
        /// The command of the frame.
        command: Command,
        /// The header's name.
        header: &'static str,
    },
    /// The ack header of a SUBSCRIBE is none of the modes.
    #[error("ack must be auto, client or client-individual")]
    UnknownAckMode,
    /// The heart-beat header cannot be used.
    #[error(transparent)]
    HeartBeat(#[from] HeartBeatError),
    /// The version header of a CONNECTED is none that we speak.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// The command does not exist in the version of the session.
    #[error("{command} does not exist in STOMP {version}")]
    NotInVersion {
        /// The command of the frame.
        command: Command,
        /// The version of the session.
        version: Version,
    },
    /// The command belongs to the other side.
    #[error("{0} is not sent by this side")]
    UnexpectedCommand(Command),
}

impl FrameError {
    /// The section of the specification that the fault is against.
    pub const fn clause(&self) -> &'static str {
        match self {
            Self::MissingHeader { command, .. } => required_headers_of(*command),
            Self::UnknownAckMode => "STOMP 1.2, SUBSCRIBE ack Header",
            Self::HeartBeat(error) => error.clause(),
            Self::Version(error) => error.clause(),
            Self::NotInVersion { .. } | Self::UnexpectedCommand(_) => {
                "STOMP 1.2, Client Frames and Server Frames"
            }
        }
    }

    /// Always the peer: it sent the frame.
    pub const fn mender(&self) -> Mender {
        Mender::Peer
    }

    /// The ERROR frame to send before closing; `receipt_id` is the receipt header of the faulty
    /// frame.
    pub fn to_frame(&self, receipt_id: Option<&str>) -> Frame {
        server_frame::error_frame(&self.to_string(), self.clause(), receipt_id)
    }
}

const fn required_headers_of(command: Command) -> &'static str {
    match command {
        Command::Connect | Command::Stomp => "STOMP 1.2, CONNECT or STOMP Frame",
        Command::Send => "STOMP 1.2, SEND",
        Command::Subscribe => "STOMP 1.2, SUBSCRIBE",
        Command::Unsubscribe => "STOMP 1.2, UNSUBSCRIBE",
        Command::Ack => "STOMP 1.2, ACK",
        Command::Nack => "STOMP 1.2, NACK",
        Command::Begin => "STOMP 1.2, BEGIN",
        Command::Commit => "STOMP 1.2, COMMIT",
        Command::Abort => "STOMP 1.2, ABORT",
        Command::Disconnect => "STOMP 1.2, DISCONNECT",
        Command::Connected => "STOMP 1.2, CONNECTED Frame",
        Command::Message => "STOMP 1.2, MESSAGE",
        Command::Receipt => "STOMP 1.2, RECEIPT",
        Command::Error => "STOMP 1.2, ERROR",
    }
}

impl VersionError {
    /// The ERROR frame to send before closing: it lists the versions to choose from.
    pub fn to_frame(&self) -> Frame {
        Frame::builder(Command::Error)
            .header("version", Version::LIST)
            .header("content-type", "text/plain")
            .header("message", &self.to_string())
            .body(format!("{self} ({})\n", self.clause()))
            .build()
    }
}

/// Why a frame cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A header of CONNECT, STOMP or CONNECTED holds CR, LF, NUL or, in its name, a colon: these
    /// frames have no escapes, so it would inject headers.
    #[error("a header of {0} holds a character that cannot be written there")]
    Unwritable(Command),
    /// A header's name is empty.
    #[error("a header of {0} has no name")]
    EmptyHeaderName(Command),
    /// Only SEND, MESSAGE and ERROR may have a body.
    #[error("{0} must not have a body")]
    BodyNotAllowed(Command),
}

impl EncodeError {
    /// The section of the specification that the fault is against.
    pub const fn clause(&self) -> &'static str {
        match self {
            Self::Unwritable(_) => "STOMP 1.2, Value Encoding",
            Self::EmptyHeaderName(_) => "STOMP 1.2, Augmented BNF",
            Self::BodyNotAllowed(_) => "STOMP 1.2, Body",
        }
    }

    /// Always the caller: it made the frame.
    pub const fn mender(&self) -> Mender {
        Mender::Caller
    }
}

/// Why octets are not a stored message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum StoredError {
    /// It was written by a version that this one does not know, or is something else.
    #[error("not a stored message of a known format")]
    UnknownFormat,
    /// It ends too early or its parts do not fit together.
    #[error("the stored message is damaged")]
    Damaged,
}
