//! A push service on a real socket, that answers as it is told.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::AtomicUsize, atomic::Ordering},
};

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, Uri},
    response::Response,
};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinHandle,
};

/// What came in.
#[derive(Clone, Debug)]
pub(super) struct Received {
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Received {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A server that ends with the test.
pub(super) struct Service {
    pub(super) address: SocketAddr,
    pub(super) received: Arc<Mutex<Vec<Received>>>,
    pub(super) connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Service {
    /// Answers every request with what `answer` makes of it.
    pub(super) async fn answering(
        answer: impl Fn(&Received) -> Response + Clone + Send + Sync + 'static,
    ) -> Self {
        let received = Arc::new(Mutex::new(Vec::new()));
        let seen = received.clone();
        let routes = Router::new().fallback(move |uri: Uri, headers: HeaderMap, body: Bytes| {
            let one = Received { path: uri.path().to_owned(), headers, body };
            let response = answer(&one);
            seen.lock().push(one);
            async move { response }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { address, received, connections: Arc::default(), task }
    }

    /// Reads a request's head, then writes `once` and after it `again` for ever.
    pub(super) async fn writing(once: &'static [u8], again: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        let task = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
                open.spawn(async move {
                    let mut head = vec![0; 64 * 1024];
                    let _ = stream.read(&mut head).await;
                    let _ = stream.write_all(once).await;
                    if again.is_empty() {
                        std::future::pending::<()>().await;
                    }
                    while stream.write_all(again).await.is_ok() {}
                });
            }
        });
        Self { address, received: Arc::default(), connections, task }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn all(&self) -> Vec<Received> {
        self.received.lock().clone()
    }

    pub(super) fn one(&self) -> Received {
        let all = self.all();
        assert_eq!(all.len(), 1, "{all:?}");
        all[0].clone()
    }
}
