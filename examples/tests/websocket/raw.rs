//! A client whose octets the test writes, and which holds the server to the rules of its own.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

pub(crate) const GOES_ON: u8 = 0x0;
pub(crate) const TEXT: u8 = 0x1;
pub(crate) const BINARY: u8 = 0x2;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xa;
/// The last frame of a message.
pub(crate) const FIN: u8 = 0x80;

/// What has not come after so long does not come, however slow the machine.
const BOUND: Duration = Duration::from_secs(60);
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// What the server says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Text(String),
    Binary(Vec<u8>),
    Pong(Vec<u8>),
    /// A close frame, with its code if it has one, and then the end of the stream.
    Close(Option<u16>),
}

pub(crate) fn text(text: &str) -> Said {
    Said::Text(text.to_owned())
}

/// A frame as a client must write it: masked, its length in the fewest octets.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let octets = match payload.len() {
        0..126 => 0,
        126..65_536 => 2,
        _ => 8,
    };
    frame_of(first, octets, payload)
}

/// A frame whose length is written in so many octets behind the first.
pub(crate) fn frame_of(first: u8, octets: usize, payload: &[u8]) -> Vec<u8> {
    let length = payload.len();
    let mut all = vec![first];
    match octets {
        0 => all.push(0x80 | length as u8),
        2 => {
            all.push(0x80 | 126);
            all.extend((length as u16).to_be_bytes());
        }
        _ => {
            all.push(0x80 | 127);
            all.extend((length as u64).to_be_bytes());
        }
    }
    all.extend(MASK);
    all.extend(payload.iter().zip(MASK.iter().cycle()).map(|(octet, mask)| octet ^ mask));
    all
}

/// A close frame with a code and a reason.
pub(crate) fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(FIN | CLOSE, &[&code.to_be_bytes(), reason].concat())
}

/// The echo, and as many clients as a test wants.
pub(crate) struct Echo(SocketAddr);

impl Echo {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, crate::ws_echo::routes()).await });
        Self(address)
    }

    /// A connection of its own for these octets, and what must be said to them.
    pub(crate) async fn answers(&self, what: &str, octets: &[u8], expected: &[Said]) {
        let mut client = self.client().await;
        client.write(octets).await;
        for (n, expected) in expected.iter().enumerate() {
            assert_eq!(client.next().await, *expected, "{what}: answer {n}");
        }
    }

    pub(crate) async fn client(&self) -> Client {
        let mut stream = TcpStream::connect(self.0).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let request = "GET / HTTP/1.1\r\nhost: echo\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                       sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 101"), "{head}");
        // The answer to this key that the RFC itself computes.
        assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
        Client(stream)
    }
}

pub(crate) struct Client(TcpStream);

impl Client {
    pub(crate) async fn write(&mut self, octets: &[u8]) {
        // A server that has closed already is noticed when its answer is read.
        let _ = self.0.write_all(octets).await;
    }

    /// What is said next. It must be as a server has to say it.
    pub(crate) async fn next(&mut self) -> Said {
        tokio::time::timeout(BOUND, self.read()).await.expect("it says something")
    }

    async fn read(&mut self) -> Said {
        let first = self.0.read_u8().await.unwrap();
        assert_eq!(first & 0xf0, FIN, "one frame a message, no reserved bit");
        let length = match self.0.read_u8().await.unwrap() {
            short @ 0..126 => usize::from(short),
            126 => {
                let length = self.0.read_u16().await.unwrap();
                assert!(length > 125, "the fewest octets");
                usize::from(length)
            }
            127 => {
                let length = self.0.read_u64().await.unwrap();
                assert!(length > 65_535, "the fewest octets");
                length as usize
            }
            _ => panic!("a server does not mask"),
        };
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).await.unwrap();
        match first & 0x0f {
            TEXT => Said::Text(String::from_utf8(payload).unwrap()),
            BINARY => Said::Binary(payload),
            PONG => Said::Pong(payload),
            CLOSE => {
                let mut rest = Vec::new();
                // What a client had still under way may turn the end into a reset.
                let _ = self.0.read_to_end(&mut rest).await;
                assert!(rest.is_empty(), "nothing comes behind a close frame: {rest:?}");
                Said::Close(payload.first_chunk().copied().map(u16::from_be_bytes))
            }
            other => panic!("an opcode that a server has no reason to use: {other}"),
        }
    }
}
