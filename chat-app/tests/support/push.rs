//! A push service of one's own: a webhook on a real socket that remembers what came.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, StatusCode, Uri},
};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

use super::Person;

pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// Two seconds until a push is due, and a slow machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// One push that came.
#[derive(Clone, Debug)]
pub(crate) struct Came {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    /// What it was answered.
    pub(crate) status: u16,
}

type Answer = dyn Fn(&str, usize) -> u16 + Send + Sync;

/// Ends with the test.
pub(crate) struct PushService {
    pub(crate) base: String,
    came: Arc<Mutex<Vec<Came>>>,
    task: JoinHandle<()>,
}

impl Drop for PushService {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl PushService {
    pub(crate) async fn start() -> Self {
        Self::answering(|_, _| 204).await
    }

    /// `answer` gets the path and how many came along it before.
    pub(crate) async fn answering(
        answer: impl Fn(&str, usize) -> u16 + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        Self::on(listener, answer)
    }

    /// On a port of one's own choice.
    pub(crate) fn on(
        listener: TcpListener,
        answer: impl Fn(&str, usize) -> u16 + Send + Sync + 'static,
    ) -> Self {
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let came: Arc<Mutex<Vec<Came>>> = Arc::default();
        let (seen, answer): (_, Arc<Answer>) = (came.clone(), Arc::new(answer));
        let routes = Router::new().fallback(move |uri: Uri, headers: HeaderMap, body: Bytes| {
            let path = uri.path().to_owned();
            let mut seen = seen.lock().expect("lock");
            let before = seen.iter().filter(|one| one.path == path).count();
            let status = answer(&path, before);
            let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
            seen.push(Came { path, headers, body, status });
            async move { StatusCode::from_u16(status).expect("a status") }
        });
        let task = tokio::spawn(async move { axum::serve(listener, routes).await.expect("serve") });
        Self { base, came, task }
    }

    /// Registers a webhook of this person here; the device's id.
    pub(crate) async fn device(&self, person: &Person, path: &str) -> String {
        let url = format!("{}{path}", self.base);
        let device =
            person.post("devices", json!({"kind": "webhook", "url": url, "secret": SECRET})).await;
        device["id"].as_str().expect("id").to_owned()
    }

    pub(crate) fn all(&self) -> Vec<Came> {
        self.came.lock().expect("lock").clone()
    }

    /// What came along this path.
    pub(crate) fn along(&self, path: &str) -> Vec<Came> {
        self.all().into_iter().filter(|one| one.path == path).collect()
    }

    /// Waits until it holds of what came along this path.
    pub(crate) async fn until(&self, path: &str, holds: impl Fn(&[Came]) -> bool) -> Vec<Came> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let came = self.along(path);
            if holds(&came) {
                return came;
            }
            assert!(Instant::now() < deadline, "{path}: {:#?}", self.all());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The first that comes along this path.
    pub(crate) async fn first(&self, path: &str) -> Came {
        self.until(path, |came| !came.is_empty()).await.remove(0)
    }
}

/// Says something over REST; the answer.
pub(crate) async fn say(who: &Person, room: &str, body: Value) -> Value {
    who.post(&format!("rooms/{room}/messages"), body).await
}

/// Waits until this holds of what the path answers.
pub(crate) async fn until(who: &Person, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (_, answer) = who.call(Method::GET, path, None).await;
        if holds(&answer) {
            return answer;
        }
        assert!(Instant::now() < deadline, "{path}: {answer}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
