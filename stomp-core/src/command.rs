//! The verbs, and who may say them.

use std::fmt;

/// Who sends the frames that are decoded or encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The frames come from a client, as a broker sees them.
    Client,
    /// The frames come from a server, as a client library sees them.
    Server,
}

/// The command of a frame: every verb of STOMP 1.0, 1.1 and 1.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Command {
    /// Opens a session (*Connecting*).
    Connect,
    /// Opens a session, like CONNECT (STOMP 1.1 and 1.2, *CONNECT or STOMP Frame*).
    Stomp,
    /// Sends a message to a destination (*SEND*).
    Send,
    /// Registers to a destination (*SUBSCRIBE*).
    Subscribe,
    /// Ends a subscription (*UNSUBSCRIBE*).
    Unsubscribe,
    /// Acknowledges consumption of a message (*ACK*).
    Ack,
    /// Tells that a message was not consumed (STOMP 1.1 and 1.2, *NACK*).
    Nack,
    /// Starts a transaction (*BEGIN*).
    Begin,
    /// Commits a transaction (*COMMIT*).
    Commit,
    /// Rolls a transaction back (*ABORT*).
    Abort,
    /// Announces a graceful end (*DISCONNECT*).
    Disconnect,
    /// The server's answer to CONNECT (*CONNECTED Frame*).
    Connected,
    /// Conveys a message to a subscriber (*MESSAGE*).
    Message,
    /// Confirms that a frame was processed (*RECEIPT*).
    Receipt,
    /// Tells that something went wrong (*ERROR*).
    Error,
}

impl Command {
    /// Every command, clients' first.
    pub const ALL: [Self; 15] = [
        Self::Connect,
        Self::Stomp,
        Self::Send,
        Self::Subscribe,
        Self::Unsubscribe,
        Self::Ack,
        Self::Nack,
        Self::Begin,
        Self::Commit,
        Self::Abort,
        Self::Disconnect,
        Self::Connected,
        Self::Message,
        Self::Receipt,
        Self::Error,
    ];

    /// The command as it stands on the wire. Commands are case sensitive.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "CONNECT",
            Self::Stomp => "STOMP",
            Self::Send => "SEND",
            Self::Subscribe => "SUBSCRIBE",
            Self::Unsubscribe => "UNSUBSCRIBE",
            Self::Ack => "ACK",
            Self::Nack => "NACK",
            Self::Begin => "BEGIN",
            Self::Commit => "COMMIT",
            Self::Abort => "ABORT",
            Self::Disconnect => "DISCONNECT",
            Self::Connected => "CONNECTED",
            Self::Message => "MESSAGE",
            Self::Receipt => "RECEIPT",
            Self::Error => "ERROR",
        }
    }

    /// Who may send it.
    pub const fn sender(self) -> Role {
        match self {
            Self::Connected | Self::Message | Self::Receipt | Self::Error => Role::Server,
            _ => Role::Client,
        }
    }

    /// Whether a frame of this command may have a body: SEND, MESSAGE and ERROR only
    /// (STOMP 1.2, *Body*).
    pub const fn may_have_body(self) -> bool {
        matches!(self, Self::Send | Self::Message | Self::Error)
    }

    /// Whether its headers are escaped: all but CONNECT, STOMP and CONNECTED, which stay readable
    /// for STOMP 1.0 (STOMP 1.2, *Value Encoding*).
    pub const fn escapes_headers(self) -> bool {
        !matches!(self, Self::Connect | Self::Stomp | Self::Connected)
    }

    pub(crate) fn from_octets(octets: &[u8]) -> Option<Self> {
        Some(match octets {
            b"SEND" => Self::Send,
            b"MESSAGE" => Self::Message,
            b"ACK" => Self::Ack,
            b"NACK" => Self::Nack,
            b"BEGIN" => Self::Begin,
            b"COMMIT" => Self::Commit,
            b"ABORT" => Self::Abort,
            b"RECEIPT" => Self::Receipt,
            b"SUBSCRIBE" => Self::Subscribe,
            b"UNSUBSCRIBE" => Self::Unsubscribe,
            b"CONNECT" => Self::Connect,
            b"STOMP" => Self::Stomp,
            b"CONNECTED" => Self::Connected,
            b"DISCONNECT" => Self::Disconnect,
            b"ERROR" => Self::Error,
            _ => return None,
        })
    }
}

impl fmt::Display for Command {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_reads_back_from_its_word() {
        for command in Command::ALL {
            assert_eq!(Command::from_octets(command.as_str().as_bytes()), Some(command));
        }
    }

    #[test]
    fn commands_are_case_sensitive_and_exact() {
        for word in ["send", "Send", "SEND ", " SEND", "", "SENDX", "SEN"] {
            assert_eq!(Command::from_octets(word.as_bytes()), None, "{word:?}");
        }
    }

    #[test]
    fn four_commands_are_a_servers() {
        let servers = Command::ALL.iter().filter(|command| command.sender() == Role::Server);
        assert_eq!(servers.count(), 4);
    }
}
