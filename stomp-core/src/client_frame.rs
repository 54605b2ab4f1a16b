//! The eleven client verbs, typed. Who holds a [`Subscribe`] holds a valid one.

use std::{borrow::Cow, fmt, str::FromStr};

use bytes::Bytes;

use crate::{
    Command, Frame, FrameError, Version,
    heartbeat::HeartBeat,
    names, typed,
    version::{self, VersionError},
};

/// A client frame whose required headers were checked for the version of the session.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientFrame {
    /// CONNECT or STOMP opens a session.
    Connect(Connect),
    /// SEND.
    Send(Send),
    /// SUBSCRIBE.
    Subscribe(Subscribe),
    /// UNSUBSCRIBE.
    Unsubscribe(Unsubscribe),
    /// ACK.
    Ack(Ack),
    /// NACK.
    Nack(Nack),
    /// BEGIN.
    Begin(Begin),
    /// COMMIT.
    Commit(Commit),
    /// ABORT.
    Abort(Abort),
    /// DISCONNECT.
    Disconnect(Disconnect),
}

impl ClientFrame {
    /// Reads `frame` by the rules of `version`, the one of the session. For CONNECT and STOMP it
    /// does not matter.
    ///
    /// # Errors
    /// [`FrameError`] if a required header is missing or empty or its value unusable, if the
    /// version has no such command, or if the command is a server's.
    pub fn parse(frame: Frame, version: Version) -> Result<Self, FrameError> {
        Ok(match frame.command() {
            Command::Connect | Command::Stomp => Self::Connect(Connect::parse(frame)?),
            Command::Send => Self::Send(Send::parse(frame)?),
            Command::Subscribe => Self::Subscribe(Subscribe::parse(frame, version)?),
            Command::Unsubscribe => Self::Unsubscribe(Unsubscribe::parse(frame, version)?),
            Command::Ack => Self::Ack(Ack::parse(frame, version)?),
            Command::Nack => Self::Nack(Nack::parse(frame, version)?),
            Command::Begin => Self::Begin(Begin::parse(frame)?),
            Command::Commit => Self::Commit(Commit::parse(frame)?),
            Command::Abort => Self::Abort(Abort::parse(frame)?),
            Command::Disconnect => Self::Disconnect(Disconnect { frame }),
            other => return Err(FrameError::UnexpectedCommand(other)),
        })
    }

    /// The receipt that the client asks for (STOMP 1.2, *Header receipt*).
    pub fn receipt(&self) -> Option<Cow<'_, str>> {
        self.frame().header(names::RECEIPT)
    }

    /// The command.
    pub fn command(&self) -> Command {
        self.frame().command()
    }

    /// The generic frame, with every header.
    pub fn frame(&self) -> &Frame {
        match self {
            Self::Connect(typed) => typed.frame(),
            Self::Send(typed) => typed.frame(),
            Self::Subscribe(typed) => typed.frame(),
            Self::Unsubscribe(typed) => typed.frame(),
            Self::Ack(typed) => typed.frame(),
            Self::Nack(typed) => typed.frame(),
            Self::Begin(typed) => typed.frame(),
            Self::Commit(typed) => typed.frame(),
            Self::Abort(typed) => typed.frame(),
            Self::Disconnect(typed) => typed.frame(),
        }
    }
}

impl TryFrom<Frame> for ClientFrame {
    type Error = FrameError;

    /// Reads the frame by the version that it was decoded by.
    fn try_from(frame: Frame) -> Result<Self, FrameError> {
        let version = frame.version();
        Self::parse(frame, version)
    }
}

impl From<ClientFrame> for Frame {
    fn from(typed: ClientFrame) -> Self {
        match typed {
            ClientFrame::Connect(typed) => typed.into(),
            ClientFrame::Send(typed) => typed.into(),
            ClientFrame::Subscribe(typed) => typed.into(),
            ClientFrame::Unsubscribe(typed) => typed.into(),
            ClientFrame::Ack(typed) => typed.into(),
            ClientFrame::Nack(typed) => typed.into(),
            ClientFrame::Begin(typed) => typed.into(),
            ClientFrame::Commit(typed) => typed.into(),
            ClientFrame::Abort(typed) => typed.into(),
            ClientFrame::Disconnect(typed) => typed.into(),
        }
    }
}

typed::frame! {
    /// CONNECT or STOMP opens a session (STOMP 1.2, *CONNECT or STOMP Frame*).
    pub struct Connect {
        heart_beat: HeartBeat,
    }
}

impl Connect {
    fn parse(frame: Frame) -> Result<Self, FrameError> {
        let heart_beat = typed::heart_beat(&frame)?;
        Ok(Self { frame, heart_beat })
    }

    /// The accept-version header, for [`version::negotiate`]; a STOMP 1.0 client has none.
    pub fn accept_versions(&self) -> Option<Cow<'_, str>> {
        self.frame.header(names::ACCEPT_VERSION)
    }

    /// The highest version that the client and we speak.
    ///
    /// # Errors
    /// [`VersionError::NoCommonVersion`].
    pub fn negotiate(&self) -> Result<Version, VersionError> {
        version::negotiate(self.accept_versions().as_deref())
    }

    /// The client's heart-beat; without the header none.
    pub fn heart_beat(&self) -> HeartBeat {
        self.heart_beat
    }

    /// The virtual host. The specification requires one, clients leave it out.
    pub fn host(&self) -> Option<Cow<'_, str>> {
        self.header(names::HOST)
    }

    /// The user, if given.
    pub fn login(&self) -> Option<Cow<'_, str>> {
        self.header(names::LOGIN)
    }

    /// The password, if given.
    pub fn passcode(&self) -> Option<Cow<'_, str>> {
        self.header(names::PASSCODE)
    }

    /// The first header of this name. Of a client that speaks 1.0 only it comes without spaces at
    /// its ends, as in the examples of that text.
    pub fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        let value = self.frame.header(name)?;
        let is_old = self.accept_versions().is_none();
        Some(if is_old { typed::trimmed(value) } else { value })
    }
}

typed::frame! {
    /// SEND: a message for a destination (STOMP 1.2, *SEND*).
    pub struct Send {}
}

impl Send {
    fn parse(frame: Frame) -> Result<Self, FrameError> {
        typed::require(&frame, names::DESTINATION)?;
        Ok(Self { frame })
    }

    /// Where to send it; not empty.
    pub fn destination(&self) -> Cow<'_, str> {
        typed::required(&self.frame, names::DESTINATION)
    }

    /// The body.
    pub fn body(&self) -> &Bytes {
        self.frame.body()
    }
}

typed::frame! {
    /// SUBSCRIBE: registers to a destination (STOMP 1.2, *SUBSCRIBE*).
    pub struct Subscribe {
        ack: AckMode,
    }
}

impl Subscribe {
    fn parse(frame: Frame, version: Version) -> Result<Self, FrameError> {
        typed::require(&frame, names::DESTINATION)?;
        if version > Version::V1_0 {
            typed::require(&frame, names::ID)?;
        }
        let ack = match frame.header(names::ACK) {
            None => AckMode::Auto,
            Some(mode) => mode.parse()?,
        };
        Ok(Self { frame, ack })
    }

    /// The id of the subscription; always there from 1.1 on.
    pub fn id(&self) -> Option<Cow<'_, str>> {
        self.frame.header(names::ID)
    }

    /// What to subscribe to; not empty.
    pub fn destination(&self) -> Cow<'_, str> {
        typed::required(&self.frame, names::DESTINATION)
    }

    /// How messages are acknowledged; without the header [`AckMode::Auto`].
    pub fn ack(&self) -> AckMode {
        self.ack
    }
}

/// How the messages of a subscription are acknowledged (STOMP 1.2, *SUBSCRIBE ack Header*).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AckMode {
    /// By being sent.
    #[default]
    Auto,
    /// By an ACK, for all messages of the subscription up to the one named.
    Client,
    /// By an ACK each. Named in 1.1 first, understood in 1.0 too.
    ClientIndividual,
}

impl AckMode {
    /// The mode as it stands in the ack header.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Client => "client",
            Self::ClientIndividual => "client-individual",
        }
    }
}

impl fmt::Display for AckMode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for AckMode {
    type Err = FrameError;

    fn from_str(text: &str) -> Result<Self, FrameError> {
        [Self::Auto, Self::Client, Self::ClientIndividual]
            .into_iter()
            .find(|mode| mode.as_str() == text)
            .ok_or(FrameError::UnknownAckMode)
    }
}

typed::frame! {
    /// UNSUBSCRIBE: ends a subscription (STOMP 1.2, *UNSUBSCRIBE*).
    pub struct Unsubscribe {}
}

impl Unsubscribe {
    fn parse(frame: Frame, version: Version) -> Result<Self, FrameError> {
        let by_id = typed::require(&frame, names::ID);
        match by_id {
            Err(_) if version == Version::V1_0 => typed::require(&frame, names::DESTINATION)?,
            found => found?,
        }
        Ok(Self { frame })
    }

    /// The subscription's id; always there from 1.1 on.
    pub fn id(&self) -> Option<Cow<'_, str>> {
        self.frame.header(names::ID)
    }

    /// The subscription's destination, by which 1.0 may name it.
    pub fn destination(&self) -> Option<Cow<'_, str>> {
        self.frame.header(names::DESTINATION)
    }
}

typed::frame! {
    /// ACK: a message was consumed (STOMP 1.2, *ACK*).
    pub struct Ack {}
}

typed::frame! {
    /// NACK: a message was not consumed (STOMP 1.1 and 1.2, *NACK*).
    pub struct Nack {}
}

impl Ack {
    fn parse(frame: Frame, version: Version) -> Result<Self, FrameError> {
        require_message(&frame, version)?;
        Ok(Self { frame })
    }
}

impl Nack {
    fn parse(frame: Frame, version: Version) -> Result<Self, FrameError> {
        if version == Version::V1_0 {
            return Err(FrameError::NotInVersion { command: Command::Nack, version });
        }
        require_message(&frame, version)?;
        Ok(Self { frame })
    }
}

/// Each version has its own way to name a message.
fn require_message(frame: &Frame, version: Version) -> Result<(), FrameError> {
    match version {
        Version::V1_0 => typed::require(frame, names::MESSAGE_ID),
        Version::V1_1 => {
            typed::require(frame, names::MESSAGE_ID)?;
            typed::require(frame, names::SUBSCRIPTION)
        }
        Version::V1_2 => typed::require(frame, names::ID),
    }
}

macro_rules! names_a_message {
    ($name:ident) => {
        impl $name {
            /// 1.2: the ack header of the MESSAGE meant; always there.
            pub fn id(&self) -> Option<Cow<'_, str>> {
                self.frame.header(names::ID)
            }

            /// 1.1 and 1.0: the message-id of the MESSAGE meant; always there.
            pub fn message_id(&self) -> Option<Cow<'_, str>> {
                self.frame.header(names::MESSAGE_ID)
            }

            /// 1.1: the subscription that got it; always there.
            pub fn subscription(&self) -> Option<Cow<'_, str>> {
                self.frame.header(names::SUBSCRIPTION)
            }
        }
    };
}
names_a_message!(Ack);
names_a_message!(Nack);

typed::frame! {
    /// BEGIN: starts a transaction (STOMP 1.2, *BEGIN*).
    pub struct Begin {}
}

typed::frame! {
    /// COMMIT: commits a transaction (STOMP 1.2, *COMMIT*).
    pub struct Commit {}
}

typed::frame! {
    /// ABORT: rolls a transaction back (STOMP 1.2, *ABORT*).
    pub struct Abort {}
}

macro_rules! names_its_transaction {
    ($name:ident) => {
        impl $name {
            fn parse(frame: Frame) -> Result<Self, FrameError> {
                typed::require(&frame, names::TRANSACTION)?;
                Ok(Self { frame })
            }

            /// The id of the transaction; not empty.
            pub fn transaction(&self) -> Cow<'_, str> {
                typed::required(&self.frame, names::TRANSACTION)
            }
        }
    };
}
names_its_transaction!(Begin);
names_its_transaction!(Commit);
names_its_transaction!(Abort);

macro_rules! may_be_in_a_transaction {
    ($name:ident) => {
        impl $name {
            /// The transaction that it is part of, if any.
            pub fn transaction(&self) -> Option<Cow<'_, str>> {
                self.frame.header(names::TRANSACTION)
            }
        }
    };
}
may_be_in_a_transaction!(Send);
may_be_in_a_transaction!(Ack);
may_be_in_a_transaction!(Nack);

typed::frame! {
    /// DISCONNECT: announces a graceful end (STOMP 1.2, *DISCONNECT*).
    pub struct Disconnect {}
}

macro_rules! may_ask_for_a_receipt {
    ($($name:ident),*) => {$(
        impl $name {
            /// The receipt that the client asks for (STOMP 1.2, *Header receipt*).
            pub fn receipt(&self) -> Option<Cow<'_, str>> {
                self.frame.header(names::RECEIPT)
            }
        }
    )*};
}
may_ask_for_a_receipt!(Send, Subscribe, Unsubscribe, Ack, Nack, Begin, Commit, Abort, Disconnect);
