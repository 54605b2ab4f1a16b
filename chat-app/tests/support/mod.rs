//! A started server, and people who use it over real sockets.

#![allow(dead_code, reason = "each test file uses its part of this")]

pub(crate) mod mariadb;
pub(crate) mod push;

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use stomp_core::Frame;
use stomp_server::testing::Talk;
use tokio::net::TcpStream;

/// What does not come within this time does not come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const PASSWORD: &str = "correct horse";

/// A chat-app process. Dropped, it is killed.
pub(crate) struct Server {
    child: Child,
    /// `http://127.0.0.1:PORT`
    pub(crate) base: String,
    pub(crate) tcp: String,
}

impl Server {
    /// Starts the program on embedded defaults in this folder.
    pub(crate) fn start(data: &Path) -> Self {
        Self::start_with(data, &[])
    }

    pub(crate) fn start_with(data: &Path, more: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_chat-app"))
            .args(["serve", "--http", "127.0.0.1:0", "--tcp", "127.0.0.1:0", "--data"])
            .arg(data)
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .expect("chat-app starts");
        let out = BufReader::new(child.stdout.take().expect("stdout"));
        let mut lines = out.lines().map(|line| line.expect("a line of the banner"));
        let mut word = |name: &str, n: usize| {
            let line = lines.find(|line| line.trim_start().starts_with(name)).expect(name);
            line.split_whitespace().nth(n).expect(name).to_owned()
        };
        let base = word("page", 1).trim_end_matches('/').to_owned();
        let tcp = word("STOMP", 3);
        Self { child, base, tcp }
    }

    /// What another command of the program says about this folder.
    pub(crate) fn cli(&self, data: &Path, words: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_chat-app"))
            .args(words)
            .arg("--data")
            .arg(data)
            .output()
            .expect("chat-app runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// SIGKILL: the process has no say in it.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("kill");
        self.child.wait().expect("wait");
    }

    /// SIGHUP: files are read again.
    pub(crate) fn hang_up(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-HUP", &pid]).status().expect("kill").success());
    }

    /// SIGTERM, and the exit code.
    pub(crate) fn terminate(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").arg(pid).status().expect("kill").success());
        self.child.wait().expect("wait").code()
    }

    pub(crate) fn anonymous(&self) -> Person {
        Person {
            name: String::new(),
            token: String::new(),
            base: self.base.clone(),
            tcp: self.tcp.clone(),
            http: reqwest::Client::new(),
        }
    }

    /// Somebody with a new account, logged in.
    pub(crate) async fn person(&self, name: &str) -> Person {
        let mut person = self.anonymous();
        let account = json!({"name": name, "password": PASSWORD});
        let (status, _) = person.call(Method::POST, "accounts", Some(account)).await;
        assert_eq!(status, StatusCode::CREATED);
        person.name = name.to_owned();
        person.log_in().await;
        person
    }

    /// Somebody from before.
    pub(crate) async fn returning(&self, person: &Person) -> Person {
        let mut person =
            Person { base: self.base.clone(), tcp: self.tcp.clone(), ..person.clone() };
        person.log_in().await;
        person
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Somebody with a token.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) token: String,
    base: String,
    tcp: String,
    http: reqwest::Client,
}

impl Person {
    /// The same one, whose REST is here and whose sessions are there.
    pub(crate) fn at(&self, rest: &Server, sessions: &Server) -> Self {
        Self { base: rest.base.clone(), tcp: sessions.tcp.clone(), ..self.clone() }
    }

    /// Somebody else, at the same doors.
    pub(crate) fn with_login_of(self, other: &Self) -> Self {
        Self { name: other.name.clone(), token: other.token.clone(), ..self }
    }

    pub(crate) async fn log_in(&mut self) {
        let login = json!({"name": self.name, "password": PASSWORD});
        let (status, session) = self.call(Method::POST, "sessions", Some(login)).await;
        assert_eq!(status, StatusCode::CREATED, "{session}");
        self.token = session["token"].as_str().expect("token").to_owned();
    }

    /// A request and its answer.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let mut request = self.http.request(method, format!("{}/api/v1/{path}", self.base));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.expect("an answer");
        let status = answer.status();
        let text = answer.text().await.expect("a body");
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.call(Method::GET, path, None).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        answer
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.call(Method::POST, path, Some(body)).await;
        assert!(status.is_success(), "{path}: {answer}");
        answer
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.call(Method::PUT, path, Some(body)).await;
        assert!(status.is_success(), "{path}: {answer}");
        answer
    }

    /// A group with these others in it; its id.
    pub(crate) async fn group(&self, name: &str, others: &[&Person]) -> String {
        let members: Vec<_> = others.iter().map(|other| other.name.as_str()).collect();
        let room =
            self.post("rooms", json!({"kind": "group", "name": name, "members": members})).await;
        room["id"].as_str().expect("id").to_owned()
    }

    /// A STOMP session over TCP that listens to its own errors.
    pub(crate) async fn stomp(&self) -> Stomp {
        self.stomp_through(&self.tcp, "0,0").await
    }

    /// The same through this address, with these heart-beats.
    pub(crate) async fn stomp_through(&self, address: &str, heart_beat: &str) -> Stomp {
        let mut stomp = Stomp::open(address).await;
        let headers =
            [("accept-version", "1.2"), ("passcode", &*self.token), ("heart-beat", heart_beat)];
        stomp.write("CONNECT", &headers, "").await;
        let connected = stomp.frame().await;
        assert_eq!(connected.command().as_str(), "CONNECTED", "{connected:?}");
        stomp.subscribe("errors", "/user/queue/errors", &[]).await;
        stomp
    }
}

/// A client's end of a STOMP session.
pub(crate) struct Stomp {
    talk: Talk<TcpStream>,
    receipts: u32,
    waiting: std::collections::VecDeque<Frame>,
}

impl Stomp {
    pub(crate) async fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("connect");
        stream.set_nodelay(true).expect("nodelay");
        Self { talk: Talk::over(stream), receipts: 0, waiting: Default::default() }
    }

    pub(crate) async fn write(&mut self, command: &str, headers: &[(&str, &str)], body: &str) {
        let mut frame = format!("{command}\n");
        for (name, value) in headers {
            frame.push_str(&format!("{name}:{value}\n"));
        }
        frame.push('\n');
        frame.push_str(body);
        frame.push('\0');
        self.talk.write(frame.as_bytes()).await;
    }

    /// The next frame, whatever it is.
    pub(crate) async fn frame(&mut self) -> Frame {
        match self.waiting.pop_front() {
            Some(frame) => frame,
            None => self.talk.frame().await,
        }
    }

    /// The next MESSAGE, and nothing else.
    pub(crate) async fn message(&mut self) -> Frame {
        let frame = self.frame().await;
        assert_eq!(frame.command().as_str(), "MESSAGE", "{frame:?}");
        frame
    }

    /// The next MESSAGE of this subscription that is not about who is here; others are kept
    /// for later.
    pub(crate) async fn message_on(&mut self, subscription: &str) -> Frame {
        self.next_on(subscription, |frame| !is_presence(frame)).await
    }

    /// The next word on this subscription about who is here.
    pub(crate) async fn presence_on(&mut self, subscription: &str) -> Value {
        event(&self.next_on(subscription, is_presence).await)
    }

    /// Waits until the room is told that this user is here, or not any more.
    pub(crate) async fn until_presence(&mut self, subscription: &str, user: &str, online: bool) {
        loop {
            let told = self.presence_on(subscription).await;
            if told["user"] == user && told["online"] == online {
                return;
            }
        }
    }

    /// Waits until the room is told that this user has something before its eyes.
    pub(crate) async fn until_delivered(&mut self, subscription: &str, user: &str) {
        let is_told = |event: &Value| {
            let markers = event["markers"].as_array().into_iter().flatten();
            event["type"] == "delivered" && markers.into_iter().any(|marker| marker["user"] == user)
        };
        while !is_told(&event(&self.message_on(subscription).await)) {}
    }

    async fn next_on(&mut self, subscription: &str, wanted: impl Fn(&Frame) -> bool) -> Frame {
        let is_it = |frame: &Frame| {
            frame.command().as_str() == "MESSAGE"
                && frame.header("subscription").as_deref() == Some(subscription)
                && wanted(frame)
        };
        if let Some(at) = self.waiting.iter().position(is_it) {
            return self.waiting.remove(at).expect("it is there");
        }
        loop {
            let frame = self.talk.frame().await;
            if is_it(&frame) {
                return frame;
            }
            assert_ne!(frame.command().as_str(), "ERROR", "{frame:?}");
            self.waiting.push_back(frame);
        }
    }

    /// Nothing for this subscription for a while.
    pub(crate) async fn silence_on(&mut self, subscription: &str) {
        let wait = self.message_on(subscription);
        let came = tokio::time::timeout(Duration::from_millis(400), wait).await;
        assert!(came.is_err(), "silence, not {came:?}");
    }

    /// Sends a frame with a receipt and waits for it; MESSAGEs meanwhile are kept.
    pub(crate) async fn receipted(
        &mut self,
        command: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Frame, Value> {
        self.receipts += 1;
        let id = format!("r{}", self.receipts);
        let mut all = vec![("receipt", id.as_str())];
        all.extend_from_slice(headers);
        self.write(command, &all, body).await;
        loop {
            let frame = self.talk.frame().await;
            let ours = frame.header("receipt-id").as_deref() == Some(id.as_str());
            match frame.command().as_str() {
                "RECEIPT" if ours => return Ok(frame),
                "MESSAGE" if ours => {
                    return Err(serde_json::from_slice(frame.body()).expect("a problem"));
                }
                "MESSAGE" => self.waiting.push_back(frame),
                _ => panic!("a receipt, not {frame:?}"),
            }
        }
    }

    pub(crate) async fn subscribe(
        &mut self,
        id: &str,
        destination: &str,
        more: &[(&str, &str)],
    ) -> Frame {
        self.try_subscribe(id, destination, more).await.expect("subscribed")
    }

    pub(crate) async fn try_subscribe(
        &mut self,
        id: &str,
        destination: &str,
        more: &[(&str, &str)],
    ) -> Result<Frame, Value> {
        let mut headers = vec![("id", id), ("destination", destination)];
        headers.extend_from_slice(more);
        self.receipted("SUBSCRIBE", &headers, "").await
    }

    /// Says something in a room; the receipt.
    pub(crate) async fn say(
        &mut self,
        room: &str,
        client_id: &str,
        text: &str,
    ) -> Result<Frame, Value> {
        let destination = format!("/app/rooms.{room}.send");
        let body = json!({"text": text}).to_string();
        let headers = [("destination", destination.as_str()), ("client-message-id", client_id)];
        self.receipted("SEND", &headers, &body).await
    }
}

fn is_presence(frame: &Frame) -> bool {
    frame.body().starts_with(br#"{"type":"presence","#)
}

/// The body of a MESSAGE.
pub(crate) fn event(frame: &Frame) -> Value {
    serde_json::from_slice(frame.body()).expect("JSON")
}

pub(crate) fn header(frame: &Frame, name: &str) -> String {
    frame.header(name).unwrap_or_else(|| panic!("{name} in {frame:?}")).into_owned()
}

/// The texts of a page, oldest first.
pub(crate) fn texts(page: &Value) -> Vec<String> {
    let messages = page["messages"].as_array().expect("messages");
    messages.iter().map(|message| message["text"].as_str().unwrap_or("-").to_owned()).collect()
}
