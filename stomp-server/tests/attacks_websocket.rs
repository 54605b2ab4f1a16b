//! What can be tried on a WebSocket below STOMP, octet by octet, with TLS and without. After each
//! attempt the server serves a newcomer at once.
#![cfg(all(feature = "tls", feature = "websocket", feature = "testing"))]
#![allow(clippy::unwrap_used, reason = "what cannot be had fails the test")]

mod doors;

use std::time::Duration;

use stomp_server::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::doors::{Door, House, Stream};

const DOORS: [Door; 2] = [Door::WebSocket, Door::SecureWebSocket];

/// A WebSocket whose octets we write ourselves.
struct Raw(Stream);

impl Raw {
    /// The upgrade, with more headers; the head of the answer.
    async fn ask(house: &House, door: Door, headers: &str) -> (Self, String) {
        let mut stream = house.below(door).await;
        let request = format!(
            "GET /ws HTTP/1.1\r\nhost: {}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n",
            house.http
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        (Self(stream), String::from_utf8(head).unwrap())
    }

    async fn open(house: &House, door: Door) -> Self {
        let (raw, head) = Self::ask(house, door, "").await;
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        raw
    }

    async fn write(&mut self, octets: &[u8]) {
        let _ = self.0.write_all(octets).await;
        let _ = self.0.flush().await;
    }

    /// A frame as a client must write it; the mask is zero, so the payload stays readable.
    async fn frame(&mut self, first: u8, payload: &[u8]) {
        let mut octets = vec![first];
        match payload.len() {
            short @ 0..126 => octets.push(0x80 | short as u8),
            long => {
                octets.push(0x80 | 127);
                octets.extend((long as u64).to_be_bytes());
            }
        }
        octets.extend([0; 4]);
        octets.extend(payload);
        self.write(&octets).await;
    }

    /// The code of the close frame that comes; what comes before it is passed over.
    async fn close_code(&mut self) -> u16 {
        let read = async {
            loop {
                let first = self.0.read_u8().await.ok()?;
                let length = match self.0.read_u8().await.ok()? {
                    126 => usize::from(self.0.read_u16().await.ok()?),
                    127 => self.0.read_u64().await.ok()? as usize,
                    short => usize::from(short),
                };
                let mut payload = vec![0; length];
                self.0.read_exact(&mut payload).await.ok()?;
                if first & 0x0f == 8 {
                    return Some(u16::from_be_bytes([payload[0], payload[1]]));
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(60), read).await.unwrap().unwrap_or(1006)
    }
}

const TEXT: u8 = 0x81;
const BINARY_BEGINS: u8 = 0x02;
const GOES_ON: u8 = 0x00;
const PING: u8 = 0x89;
const LOGIN: &[u8] = b"CONNECT\naccept-version:1.2\nlogin:ann\n\n\0";

async fn house() -> House {
    House::of(Server::builder().build()).await
}

#[tokio::test]
async fn broken_frames_end_the_connection_with_the_code_that_says_why() {
    let house = house().await;
    for door in DOORS {
        let mut long_ping = b"\x89\xfe\x00\x7e\0\0\0\0".to_vec();
        long_ping.extend([b'p'; 126]);
        let cases: [(&str, &[u8], u16); 7] = [
            ("no mask", b"\x81\x05hello", 1002),
            ("a reserved bit, as compression would set it", b"\xc1\x80\0\0\0\0", 1002),
            ("an unknown opcode", b"\x83\x80\0\0\0\0", 1002),
            ("a ping in pieces", b"\x09\x80\0\0\0\0", 1002),
            ("a long ping", &long_ping, 1002),
            ("a continuation of nothing", b"\x80\x80\0\0\0\0", 1002),
            ("text that is not UTF-8", b"\x81\x82\0\0\0\0\xff\xfe", 1007),
        ];
        for (what, octets, code) in cases {
            let mut raw = Raw::open(&house, door).await;
            raw.write(octets).await;
            assert_eq!(raw.close_code().await, code, "{what} {door:?}");
        }
    }
    house.serves_newcomers().await;
}

#[tokio::test]
async fn a_length_of_exabytes_is_refused_before_it_is_read() {
    let house = house().await;
    for door in DOORS {
        for length in [u64::MAX >> 1, 1 << 40, 5 << 20] {
            let mut raw = Raw::open(&house, door).await;
            let mut octets = vec![0x82, 0xff];
            octets.extend(length.to_be_bytes());
            octets.extend([0; 4]);
            raw.write(&octets).await;
            assert_eq!(raw.close_code().await, 1009, "{length}");
        }
    }
    house.serves_newcomers().await;
}

#[tokio::test]
async fn a_message_of_endless_fragments_is_refused_at_the_limit() {
    let house = house().await;
    for door in DOORS {
        let mut raw = Raw::open(&house, door).await;
        let piece = vec![b'\n'; 64 * 1024];
        raw.frame(BINARY_BEGINS, &piece).await;
        for _ in 0..128 {
            raw.frame(GOES_ON, &piece).await;
        }
        assert_eq!(raw.close_code().await, 1009);
    }
    house.serves_newcomers().await;
}

#[tokio::test]
async fn fragments_of_nothing_by_the_thousand_are_one_message() {
    let house = house().await;
    for door in DOORS {
        let mut raw = Raw::open(&house, door).await;
        raw.frame(0x01, b"").await;
        for _ in 0..10_000 {
            raw.frame(GOES_ON, b"").await;
        }
        raw.frame(0x80, LOGIN).await;
        let mut first = [0; 12];
        raw.0.read_exact(&mut first).await.unwrap();
        assert!(first.ends_with(b"CONNECTE") || first.windows(9).any(|part| part == b"CONNECTED"));
    }
    house.serves_newcomers().await;
}

#[tokio::test]
async fn compression_is_not_negotiated() {
    let house = house().await;
    for door in DOORS {
        let offer = "sec-websocket-extensions: permessage-deflate; client_max_window_bits\r\n";
        let (_, head) = Raw::ask(&house, door, offer).await;
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        assert!(!head.to_ascii_lowercase().contains("sec-websocket-extensions"), "{head}");
    }
    house.serves_newcomers().await;
}

#[tokio::test]
async fn decision_30_a_foreign_origin_is_refused() {
    let house = house().await;
    for door in DOORS {
        for origin in
            ["http://evil.example", "null", "file://", &format!("http://{}.evil", house.http)]
        {
            let (_, head) = Raw::ask(&house, door, &format!("origin: {origin}\r\n")).await;
            assert!(head.starts_with("HTTP/1.1 403"), "{origin} {head}");
        }
        let (_, head) = Raw::ask(&house, door, &format!("origin: http://{}\r\n", house.http)).await;
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    }
    house.serves_newcomers().await;
}

#[tokio::test]
async fn a_flood_of_pings_neither_grows_the_server_nor_holds_others_up() {
    let house = house().await;
    for door in DOORS {
        let mut raw = Raw::open(&house, door).await;
        raw.frame(TEXT, LOGIN).await;
        let flood = async {
            for _ in 0..100_000 {
                raw.frame(PING, &[b'p'; 125]).await; // and no pong is ever read
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(2), flood).await;
    }
    house.serves_newcomers().await;
}

#[tokio::test]
async fn heads_of_requests_are_bounded() {
    let house = house().await;
    for door in DOORS {
        let mut stream = house.below(door).await;
        let header = format!("x: {}\r\n", "y".repeat(1_000));
        stream.write_all(b"GET /ws HTTP/1.1\r\n").await.unwrap();
        for _ in 0..1_000 {
            if stream.write_all(header.as_bytes()).await.is_err() {
                break;
            }
        }
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        let _ = tokio::time::timeout(Duration::from_secs(60), read).await.expect("it is closed");
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    house.serves_newcomers().await;
}
