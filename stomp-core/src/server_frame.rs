//! The four server frames, typed. Who holds one holds a valid one.

use std::borrow::Cow;

use bytes::Bytes;

use crate::{Command, Frame, FrameError, Version, heartbeat::HeartBeat, names, typed};

/// A server frame whose required headers were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerFrame {
    /// The session is open (STOMP 1.2, *CONNECTED Frame*).
    Connected(Connected),
    /// A message for a subscription (*MESSAGE*).
    Message(Message),
    /// A frame was processed (*RECEIPT*).
    Receipt(Receipt),
    /// Something went wrong; the server closes (*ERROR*).
    Error(Error),
}

impl ServerFrame {
    /// Reads `frame` by the rules of `version`.
    ///
    /// # Errors
    /// [`FrameError`] if a required header is missing or empty, or if the command is a client's.
    pub fn parse(frame: Frame, version: Version) -> Result<Self, FrameError> {
        Ok(match frame.command() {
            Command::Connected => Self::Connected(Connected::parse(frame)?),
            Command::Message => Self::Message(Message::parse(frame, version)?),
            Command::Receipt => Self::Receipt(Receipt::parse(frame)?),
            Command::Error => Self::Error(Error { frame }),
            other => return Err(FrameError::UnexpectedCommand(other)),
        })
    }

    /// The generic frame, with every header.
    pub fn frame(&self) -> &Frame {
        match self {
            Self::Connected(connected) => connected.frame(),
            Self::Message(message) => message.frame(),
            Self::Receipt(receipt) => receipt.frame(),
            Self::Error(error) => error.frame(),
        }
    }

    /// The command.
    pub fn command(&self) -> Command {
        self.frame().command()
    }
}

impl TryFrom<Frame> for ServerFrame {
    type Error = FrameError;

    /// Reads the frame by the version that it was decoded by.
    fn try_from(frame: Frame) -> Result<Self, FrameError> {
        let version = frame.version();
        Self::parse(frame, version)
    }
}

impl From<ServerFrame> for Frame {
    fn from(typed: ServerFrame) -> Self {
        match typed {
            ServerFrame::Connected(connected) => connected.into(),
            ServerFrame::Message(message) => message.into(),
            ServerFrame::Receipt(receipt) => receipt.into(),
            ServerFrame::Error(error) => error.into(),
        }
    }
}

typed::frame! {
    /// CONNECTED: the session is open (STOMP 1.2, *CONNECTED Frame*).
    pub struct Connected {
        version: Version,
        heart_beat: HeartBeat,
    }
}

impl Connected {
    fn parse(frame: Frame) -> Result<Self, FrameError> {
        let version = match frame.header(names::VERSION) {
            None => Version::V1_0,
            Some(version) => version.parse()?,
        };
        let heart_beat = typed::heart_beat(&frame)?;
        Ok(Self { frame, version, heart_beat })
    }

    /// The version that the server chose; without the header 1.0.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The server's heart-beat; without the header none.
    pub fn heart_beat(&self) -> HeartBeat {
        self.heart_beat
    }

    /// The id of the session, if there is one.
    pub fn session(&self) -> Option<Cow<'_, str>> {
        self.frame.header(names::SESSION)
    }

    /// The name and version of the server, if it tells.
    pub fn server(&self) -> Option<Cow<'_, str>> {
        self.frame.header(names::SERVER)
    }
}

typed::frame! {
    /// MESSAGE: a message for a subscription (STOMP 1.2, *MESSAGE*).
    pub struct Message {}
}

impl Message {
    fn parse(frame: Frame, version: Version) -> Result<Self, FrameError> {
        typed::require(&frame, names::DESTINATION)?;
        typed::require(&frame, names::MESSAGE_ID)?;
        if version > Version::V1_0 {
            typed::require(&frame, names::SUBSCRIPTION)?;
        }
        Ok(Self { frame })
    }

    /// Where the message was sent.
    pub fn destination(&self) -> Cow<'_, str> {
        typed::required(&self.frame, names::DESTINATION)
    }

    /// The message's id.
    pub fn message_id(&self) -> Cow<'_, str> {
        typed::required(&self.frame, names::MESSAGE_ID)
    }

    /// The subscription that gets it; a STOMP 1.0 server may leave it out.
    pub fn subscription(&self) -> Option<Cow<'_, str>> {
        self.frame.header(names::SUBSCRIPTION)
    }

    /// What to send back as the id of ACK or NACK, in 1.2 and if the subscription asks for it.
    pub fn ack(&self) -> Option<Cow<'_, str>> {
        self.frame.header(names::ACK)
    }

    /// The body.
    pub fn body(&self) -> &Bytes {
        self.frame.body()
    }
}

typed::frame! {
    /// RECEIPT: a frame was processed (STOMP 1.2, *RECEIPT*).
    pub struct Receipt {}
}

impl Receipt {
    fn parse(frame: Frame) -> Result<Self, FrameError> {
        typed::require(&frame, names::RECEIPT_ID)?;
        Ok(Self { frame })
    }

    /// The receipt header of the frame meant.
    pub fn receipt_id(&self) -> Cow<'_, str> {
        typed::required(&self.frame, names::RECEIPT_ID)
    }
}

typed::frame! {
    /// ERROR: something went wrong and the server closes (STOMP 1.2, *ERROR*).
    pub struct Error {}
}

impl Error {
    /// A short description, if there is one.
    pub fn message(&self) -> Option<Cow<'_, str>> {
        self.frame.header(names::MESSAGE)
    }

    /// The receipt header of the frame at fault, if it had one.
    pub fn receipt_id(&self) -> Option<Cow<'_, str>> {
        self.frame.header(names::RECEIPT_ID)
    }

    /// The body: details for people.
    pub fn body(&self) -> &Bytes {
        self.frame.body()
    }
}

/// An ERROR frame: a sentence, the clause it rests on, and whose receipt it answers.
pub(crate) fn error_frame(message: &str, clause: &str, receipt_id: Option<&str>) -> Frame {
    Frame::builder(Command::Error)
        .header(names::MESSAGE, message)
        .header_if(names::RECEIPT_ID, receipt_id)
        .header(names::CONTENT_TYPE, "text/plain")
        .body(format!("{message} ({clause})\n"))
        .build()
}
