//! A client's connection, with nothing in it of the client that the project ships: what is
//! audited must not vouch for itself.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use stomp_core::{Command, Decoded, Decoder, Frame, Limits, Role, Version};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// How long a connection may take, from the first packet to CONNECTED.
const LOGIN: Duration = Duration::from_secs(5);

/// How often we beat and want the server to.
const BEAT: Duration = Duration::from_secs(1);

/// A server that has been silent for so long is taken for dead: three beats, and some patience
/// with a machine that does many things at once.
const SILENCE: Duration = Duration::from_secs(4);

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It was refused, cut, or closed without a word.
    Gone,
    /// The server fell silent.
    Silent,
    /// ERROR, with its code and its sentence.
    Refused(String, String),
}

/// A connection that is logged in.
pub(crate) struct Link {
    stream: TcpStream,
    decoder: Decoder,
    input: BytesMut,
    output: BytesMut,
    heard: Instant,
    beaten: Instant,
}

impl Link {
    /// Connects and logs in.
    pub(crate) async fn open(address: SocketAddr, login: &str) -> Result<Self, End> {
        timeout(LOGIN, Self::login(address, login)).await.map_err(|_| End::Silent)?
    }

    async fn login(address: SocketAddr, login: &str) -> Result<Self, End> {
        let stream = TcpStream::connect(address).await.map_err(|_| End::Gone)?;
        stream.set_nodelay(true).map_err(|_| End::Gone)?;
        let mut decoder = Decoder::new(Role::Server, Limits::default());
        decoder.set_version(Version::V1_2);
        let now = Instant::now();
        let (input, output) = (BytesMut::new(), BytesMut::new());
        let mut link = Self { stream, decoder, input, output, heard: now, beaten: now };
        let beat = format!("{0},{0}", BEAT.as_millis());
        let connect = Frame::builder(Command::Connect)
            .header("accept-version", "1.2")
            .header("host", "audit")
            .header("login", login)
            .header("heart-beat", &beat);
        link.put(&connect.build());
        link.flush().await?;
        let answer = link.next().await?;
        if answer.command() == Command::Connected { Ok(link) } else { Err(End::Gone) }
    }

    /// Puts a frame behind those that wait for [`flush`](Self::flush).
    pub(crate) fn put(&mut self, frame: &Frame) {
        frame.encode(Version::V1_2, &mut self.output).expect("our frames can be written");
    }

    /// Writes what waits.
    pub(crate) async fn flush(&mut self) -> Result<(), End> {
        if self.output.is_empty() {
            return Ok(());
        }
        let written = timeout(SILENCE, self.stream.write_all(&self.output)).await;
        self.output.clear();
        self.beaten = Instant::now();
        written.map_err(|_| End::Silent)?.map_err(|_| End::Gone)
    }

    /// The next frame; ERROR is an end. Beats meanwhile. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<Frame, End> {
        loop {
            match self.decoder.decode(&mut self.input) {
                Ok(Some(Decoded::Frame(frame))) if frame.command() == Command::Error => {
                    return Err(refused(&frame));
                }
                Ok(Some(Decoded::Frame(frame))) => return Ok(frame),
                Ok(Some(Decoded::HeartBeat)) => continue,
                Ok(None) => {}
                Err(error) => {
                    return Err(End::Refused("undecodable".to_owned(), error.to_string()));
                }
            }
            self.read().await?;
        }
    }

    async fn read(&mut self) -> Result<(), End> {
        if self.heard.elapsed() > SILENCE {
            return Err(End::Silent);
        }
        if self.beaten.elapsed() >= BEAT {
            self.beaten = Instant::now();
            // One octet: it is written, or it is not. What does not fit is a beat that nobody
            // would have read.
            let _ = self.stream.try_write(b"\n");
        }
        match timeout(BEAT / 4, self.stream.read_buf(&mut self.input)).await {
            Err(_) => Ok(()),
            Ok(Ok(0) | Err(_)) => Err(End::Gone),
            Ok(Ok(_)) => {
                self.heard = Instant::now();
                Ok(())
            }
        }
    }
}

fn refused(frame: &Frame) -> End {
    let header = |name| frame.header(name).unwrap_or_default().into_owned();
    End::Refused(header("code"), header("message"))
}
