//! A proxy in front of Kafka's nodes that asks for one acknowledgement where the server asked
//! for all: the setting of a producer, changed on its way.

use std::{io, net::SocketAddr};

use rand::Rng;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// The number of Produce among Kafka's requests.
const PRODUCE: i16 = 0;

/// From this version of Produce on, its head is in the compact form.
const COMPACT: i16 = 9;

/// A larger request is no request.
const LARGEST: usize = 128 << 20;

/// Proxies in front of three nodes. Dropped, they end.
pub(crate) struct AckProxies {
    /// The first port of three that clients are told.
    pub(crate) advertised: u16,
    /// The first port of three on which the nodes listen.
    pub(crate) nodes: u16,
    _accepting: JoinSet<()>,
}

impl AckProxies {
    /// Listens on three ports in a row, and finds free ones for the nodes.
    pub(crate) async fn start() -> io::Result<Self> {
        for _ in 0..50 {
            let base = rand::rng().random_range(1_100..1_900) * 10;
            let Ok(listeners) = listen(base).await else { continue };
            let nodes = base + 4;
            // Free now, and nobody else takes ports of this range by chance.
            if listen(nodes).await.is_err() || listen(nodes + 100).await.is_err() {
                continue;
            }
            let mut accepting = JoinSet::new();
            for (index, listener) in (0..).zip(listeners) {
                let target = SocketAddr::from(([127, 0, 0, 1], nodes + index));
                accepting.spawn(accept(listener, target));
            }
            return Ok(Self { advertised: base, nodes, _accepting: accepting });
        }
        Err(io::Error::other("no free ports in a row"))
    }
}

async fn listen(base: u16) -> io::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    for index in 0..3 {
        listeners.push(TcpListener::bind(("127.0.0.1", base + index)).await?);
    }
    Ok(listeners)
}

async fn accept(listener: TcpListener, target: SocketAddr) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((client, _)) = listener.accept() => {
                connections.spawn(async move {
                    if let Ok(server) = TcpStream::connect(target).await {
                        carry(client, server).await;
                    }
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn carry(client: TcpStream, server: TcpStream) {
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut client_read, mut client_write) = client.into_split();
    let (mut server_read, mut server_write) = server.into_split();
    let up = async {
        while let Ok(mut request) = request(&mut client_read).await {
            ask_for_one(&mut request);
            let size = (request.len() as u32).to_be_bytes();
            let whole = [&size[..], &request].concat();
            if server_write.write_all(&whole).await.is_err() {
                break;
            }
        }
    };
    let down = tokio::io::copy(&mut server_read, &mut client_write);
    tokio::select! {
        () = up => {}
        _ = down => {}
    }
}

async fn request(from: &mut (impl AsyncReadExt + Unpin)) -> io::Result<Vec<u8>> {
    let size = from.read_u32().await? as usize;
    if size > LARGEST {
        return Err(io::Error::other("no request is so large"));
    }
    let mut request = vec![0; size];
    from.read_exact(&mut request).await?;
    Ok(request)
}

/// Changes `acks` in a Produce request; leaves all others as they are.
fn ask_for_one(request: &mut [u8]) {
    let Some(place) = acks_place(request) else { return };
    if request[place..place + 2] == (-1_i16).to_be_bytes() {
        request[place..place + 2].copy_from_slice(&1_i16.to_be_bytes());
    }
}

/// Where a Produce request (version 3 and later) has its `acks`.
fn acks_place(request: &[u8]) -> Option<usize> {
    let number = |at: usize| Some(i16::from_be_bytes(request.get(at..at + 2)?.try_into().ok()?));
    if number(0)? != PRODUCE {
        return None;
    }
    let version = number(2)?;
    // Key, version, correlation, then the client's name with its length.
    let name = usize::try_from(number(8)?.max(0)).ok()?;
    let mut at = 10 + name;
    let transaction;
    if version >= COMPACT {
        at += 1; // no tagged fields
        // One more than the length; 0 is none. Ours are short or none: one octet.
        transaction = usize::from(*request.get(at)?).saturating_sub(1);
        at += 1;
    } else {
        transaction = usize::try_from(number(at)?.max(0)).ok()?;
        at += 2;
    }
    at += transaction;
    (request.len() >= at + 2).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn produce(version: i16, acks: i16) -> Vec<u8> {
        let mut request = [PRODUCE.to_be_bytes(), version.to_be_bytes()].concat();
        request.extend(7_i32.to_be_bytes());
        request.extend(3_i16.to_be_bytes());
        request.extend(b"abc");
        if version >= COMPACT {
            request.extend([0, 0]);
        } else {
            request.extend((-1_i16).to_be_bytes());
        }
        request.extend(acks.to_be_bytes());
        request.extend(3_000_i32.to_be_bytes());
        request
    }

    #[test]
    fn all_becomes_one_in_old_and_new_requests() {
        for version in [3, 7, 8, 9, 10] {
            let mut request = produce(version, -1);
            ask_for_one(&mut request);
            assert_eq!(request, produce(version, 1), "{version}");
        }
    }

    #[test]
    fn everything_else_stays_as_it_is() {
        let mut other = produce(7, -1);
        other[1] = 1; // Fetch
        let before = other.clone();
        ask_for_one(&mut other);
        assert_eq!(other, before);
        ask_for_one(&mut []);
        ask_for_one(&mut [0, 0, 0]);
    }
}
