//! Tests that read as conversations.
//!
//! ```text
//! C: SUBSCRIBE⏎id:0⏎destination:/topic/a⏎⏎^@
//! S: MESSAGE⏎subscription:0⏎message-id:*⏎destination:/topic/a⏎⏎hello^@
//! ```
//!
//! `C:` is written as it stands (`⏎` is LF, `␍` CR, `^@` NUL, a missing `^@` is left out).
//! `S:` is the next frame: same command, these headers among its headers, and this body
//! (no body given: none is looked at). A header value may be `*` (anything), `$name`
//! (anything, remembered; `$name` is replaced in what follows), or `!` (the header is absent).
//! `S: (closed)` is the end of the stream, `S: (silence)` half a second without a frame.

use std::{collections::HashMap, time::Duration};

use bytes::BytesMut;
use stomp_core::{Decoded, Decoder, Frame, Limits, Role, Version};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A frame that does not come within this time does not come.
const PATIENCE: Duration = Duration::from_secs(60);
const SILENCE: Duration = Duration::from_millis(500);

/// The client's end of a connection, byte by byte.
#[derive(Debug)]
pub struct Talk<IO> {
    io: IO,
    decoder: Decoder,
    input: BytesMut,
    remembered: HashMap<String, String>,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Talk<IO> {
    /// Talks over this stream.
    pub fn over(io: IO) -> Self {
        let limits = Limits { body: 64 << 20, ..Limits::default() };
        let mut decoder = Decoder::new(Role::Server, limits);
        decoder.set_version(Version::V1_2);
        Self { io, decoder, input: BytesMut::new(), remembered: HashMap::new() }
    }

    /// Reads frames as this version writes them.
    pub fn set_version(&mut self, version: Version) {
        self.decoder.set_version(version);
    }

    /// Logs in with STOMP 1.2 and no heart-beats.
    pub async fn login(&mut self, user: &str) -> Frame {
        self.write(format!("CONNECT\naccept-version:1.2\nlogin:{user}\n\n\0").as_bytes()).await;
        let frame = self.frame().await;
        assert_eq!(frame.command().as_str(), "CONNECTED", "{frame:?}");
        frame
    }

    /// Plays a script, line by line; blank lines are passed over.
    ///
    /// # Panics
    /// Where the server says something else.
    pub async fn play(&mut self, script: &str) {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if let Some(text) = line.strip_prefix("C: ") {
                let bytes = self.replaced(text);
                self.write(&bytes).await;
            } else if let Some(text) = line.strip_prefix("S: ") {
                self.expect(text).await;
            } else {
                panic!("a line starts with C: or S:, not {line}");
            }
        }
    }

    /// What a `$name` of an earlier line stood for.
    pub fn remembered(&self, name: &str) -> &str {
        self.remembered.get(name).map_or("", String::as_str)
    }

    /// Writes bytes as they are.
    pub async fn write(&mut self, bytes: &[u8]) {
        // A server that has closed already is noticed when its answer is read.
        let _ = self.io.write_all(bytes).await;
        let _ = self.io.flush().await;
    }

    /// The next frame.
    ///
    /// # Panics
    /// If the stream ends first or nothing comes in time.
    pub async fn frame(&mut self) -> Frame {
        match tokio::time::timeout(PATIENCE, self.next()).await {
            Ok(Some(frame)) => frame,
            Ok(None) => panic!("the server closed the connection"),
            Err(_) => panic!("no frame came"),
        }
    }

    /// The next frame, or none at the end of the stream.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            match self.decoder.decode(&mut self.input).expect("the server writes valid frames") {
                Some(Decoded::Frame(frame)) => return Some(frame),
                Some(Decoded::HeartBeat) => continue,
                None => {}
            }
            match self.io.read_buf(&mut self.input).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// The stream itself, for what a script cannot say.
    pub fn io(&mut self) -> &mut IO {
        &mut self.io
    }

    async fn expect(&mut self, text: &str) {
        match text {
            "(closed)" => {
                let end = tokio::time::timeout(PATIENCE, self.next()).await;
                assert!(matches!(end, Ok(None)), "the end of the stream, not {end:?}");
            }
            "(silence)" => {
                let frame = tokio::time::timeout(SILENCE, self.next()).await;
                assert!(frame.is_err(), "silence, not {frame:?}");
            }
            _ => {
                let frame = self.frame().await;
                self.compare(text, &frame);
            }
        }
    }

    fn compare(&mut self, text: &str, frame: &Frame) {
        let text = String::from_utf8(self.replaced(text)).expect("text");
        let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
        let mut lines = head.lines();
        let command = lines.next().unwrap_or_default().trim_end_matches('\0');
        assert_eq!(frame.command().as_str(), command, "{frame:?}");
        for line in lines {
            let (name, wanted) = line.split_once(':').expect("a header has a colon");
            let found = frame.header(name);
            match (wanted, found) {
                ("!", None) => {}
                ("*", Some(_)) => {}
                (wanted, Some(found)) if wanted.starts_with('$') => {
                    self.remembered.insert(wanted[1..].to_owned(), found.into_owned());
                }
                (wanted, found) => assert_eq!(found.as_deref(), Some(wanted), "{name} {frame:?}"),
            }
        }
        let body = body.trim_end_matches('\0');
        if !body.is_empty() {
            assert_eq!(String::from_utf8_lossy(frame.body()), body, "{frame:?}");
        }
    }

    fn replaced(&self, text: &str) -> Vec<u8> {
        let mut text = text.replace('⏎', "\n").replace('␍', "\r").replace("^@", "\0");
        for (name, value) in &self.remembered {
            text = text.replace(&format!("${name}"), value);
        }
        text.into_bytes()
    }
}
