//! A proxy that hurts connections on purpose: it cuts one, or lets it stand still, behind a
//! chosen octet.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};
use tokio_util::sync::CancellationToken;

/// How much is carried at once.
const PIECE: usize = 16 << 10;

/// Who wrote the octets that are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// Who connected to the proxy.
    Client,
    /// Whom the proxy connects to.
    Server,
}

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing is done to it.
    Pass,
    /// It ends in both directions when so many octets of one side have been carried.
    Cut(Writer, u64),
    /// From then on nothing is carried, in neither direction, and nobody is told.
    Stall(Writer, u64),
}

type Choose = Box<dyn FnMut() -> Fate + Send>;

/// Listens on a port of loopback and carries what comes to its target. Dropped, it ends with
/// all its connections.
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    target: Mutex<SocketAddr>,
    choose: Mutex<Choose>,
    /// Ends the connections that are open.
    cut: Mutex<CancellationToken>,
    /// Lets them stand still.
    stall: Mutex<CancellationToken>,
}

impl FaultProxy {
    /// Listens, and lets everything pass until it is told otherwise.
    ///
    /// # Errors
    /// Where there is no port to be had.
    pub async fn start(target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let choose: Choose = Box::new(|| Fate::Pass);
        let shared = Arc::new(Shared {
            target: Mutex::new(target),
            choose: Mutex::new(choose),
            cut: Mutex::default(),
            stall: Mutex::default(),
        });
        let accepting = tokio::spawn(accept(listener, shared.clone()));
        Ok(Self { address, shared, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where connections go from now on. Those that are open stay where they are.
    pub fn set_target(&self, target: SocketAddr) {
        *self.shared.target.lock() = target;
    }

    /// What becomes of connections that are opened from now on; asked once for each.
    pub fn set_fate(&self, choose: impl FnMut() -> Fate + Send + 'static) {
        *self.shared.choose.lock() = Box::new(choose);
    }

    /// Cuts all connections that are open, wherever they are.
    pub fn cut_all(&self) {
        std::mem::take(&mut *self.shared.cut.lock()).cancel();
    }

    /// Lets all connections that are open stand still: nothing is carried any more, and neither
    /// end is told, as when a machine loses its power or a network its way.
    pub fn stall_all(&self) {
        std::mem::take(&mut *self.shared.stall.lock()).cancel();
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl std::fmt::Debug for FaultProxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FaultProxy").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Owns the connections: they end with it.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                };
                let fate = (shared.choose.lock())();
                let (target, cut) = (*shared.target.lock(), shared.cut.lock().clone());
                let stall = shared.stall.lock().clone();
                connections.spawn(async move {
                    tokio::select! {
                        () = cut.cancelled() => {}
                        () = connect(client, target, fate, stall) => {}
                    }
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connect(client: TcpStream, target: SocketAddr, fate: Fate, stall: CancellationToken) {
    // A client whose server is away finds its connection closed, as it would find it refused.
    let Ok(server) = TcpStream::connect(target).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = server.into_split();
    let struck = CancellationToken::new();
    let budget = |writer| match fate {
        Fate::Cut(side, octets) | Fate::Stall(side, octets) if side == writer => Some(octets),
        _ => None,
    };
    let up = carry(client_read, server_write, budget(Writer::Client), &struck);
    let down = carry(server_read, client_write, budget(Writer::Server), &struck);
    tokio::pin!(up, down);
    tokio::select! {
        // One that was cut takes both directions with it, and so does one that is over.
        () = struck.cancelled() => {
            if matches!(fate, Fate::Stall(..)) {
                std::future::pending::<()>().await; // holds both sockets, reads neither
            }
        }
        () = stall.cancelled() => std::future::pending().await,
        () = &mut up => down.await,
        () = &mut down => up.await,
    }
}

/// Carries one direction up to its end, or until the budget is spent and the connection struck.
async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut budget: Option<u64>,
    struck: &CancellationToken,
) {
    let mut piece = vec![0; PIECE];
    loop {
        if budget == Some(0) {
            struck.cancel();
            return std::future::pending().await;
        }
        let most = budget.map_or(PIECE, |left| left.min(PIECE as u64) as usize);
        let Ok(read) = from.read(&mut piece[..most]).await else { break };
        if read == 0 || to.write_all(&piece[..read]).await.is_err() {
            break;
        }
        budget = budget.map(|left| left - read as u64);
    }
    let _ = to.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.into_split();
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
        });
        address
    }

    async fn through(fate: Fate) -> (FaultProxy, TcpStream) {
        let proxy = FaultProxy::start(echo().await).await.expect("a port");
        proxy.set_fate(move || fate);
        let stream = TcpStream::connect(proxy.address()).await.expect("it listens");
        (proxy, stream)
    }

    #[tokio::test]
    async fn what_may_pass_passes_whole_and_ends_with_its_sender() {
        let (_proxy, mut stream) = through(Fate::Pass).await;
        stream.write_all(&[7; 100_000]).await.expect("it takes all");
        let mut answer = vec![0; 100_000];
        stream.read_exact(&mut answer).await.expect("all comes back");
        stream.shutdown().await.expect("an end");
        assert_eq!(stream.read(&mut answer).await.expect("an end"), 0);
    }

    #[tokio::test]
    async fn a_cut_comes_behind_the_chosen_octet_and_not_before() {
        let (_proxy, mut stream) = through(Fate::Cut(Writer::Server, 5)).await;
        stream.write_all(b"0123456789").await.expect("it is open");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await; // a reset is an end, too
        assert_eq!(answer, b"01234");
    }

    #[tokio::test]
    async fn all_that_are_open_can_be_cut_and_others_still_pass() {
        let (proxy, mut stream) = through(Fate::Pass).await;
        stream.write_all(b"01").await.expect("it is open");
        let mut answer = Vec::new();
        stream.read_exact(&mut [0; 2]).await.expect("it is open");
        proxy.cut_all();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty());
        let mut stream = TcpStream::connect(proxy.address()).await.expect("it listens");
        stream.write_all(b"23").await.expect("it is open");
        stream.read_exact(&mut [0; 2]).await.expect("it passes");
    }

    #[tokio::test]
    async fn all_that_are_open_can_be_stalled_and_others_still_pass() {
        let (proxy, mut stream) = through(Fate::Pass).await;
        stream.write_all(b"01").await.expect("it is open");
        stream.read_exact(&mut [0; 2]).await.expect("it is open");
        proxy.stall_all();
        let silence = Duration::from_millis(200);
        stream.write_all(b"23").await.expect("nobody has told");
        assert!(tokio::time::timeout(silence, stream.read(&mut [0; 2])).await.is_err());
        let mut stream = TcpStream::connect(proxy.address()).await.expect("it listens");
        stream.write_all(b"45").await.expect("it is open");
        stream.read_exact(&mut [0; 2]).await.expect("it passes");
    }

    #[tokio::test]
    async fn a_stalled_connection_stays_open_and_silent() {
        let (_proxy, mut stream) = through(Fate::Stall(Writer::Server, 3)).await;
        stream.write_all(b"0123456789").await.expect("it is open");
        let mut answer = [0; 10];
        stream.read_exact(&mut answer[..3]).await.expect("what came before");
        let silence = Duration::from_millis(200);
        assert!(tokio::time::timeout(silence, stream.read(&mut answer)).await.is_err());
    }
}
