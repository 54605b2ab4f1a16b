//! The frames that benches read, and HTTP requests of the same lines.

/// Header lines of a chat message as a browser sends it.
const CHAT_HEADERS: &[(&str, &str)] = &[
    ("content-type", "application/json;charset=utf-8"),
    ("receipt", "m-000123"),
    ("client-message-id", "0192f0c1-2a5b-7c3d-8e9f-0a1b2c3d4e5f"),
    ("sender-device", "web-3f9a"),
    ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
];

const DESTINATION: &str = "/app/rooms.4711.send";

fn lines(headers: &[(&str, &str)]) -> String {
    headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect()
}

fn body(length: usize) -> String {
    let text = "{\"text\":\"The quick brown fox jumps over the lazy dog, then has a rest. \"}, ";
    text.chars().cycle().take(length).collect()
}

/// A SEND of about 380 octets: seven headers and a body of 90.
pub fn chat() -> Vec<u8> {
    send(CHAT_HEADERS, 90)
}

/// The same lines as a request. Neither has CR, nor a space behind the colon.
pub fn chat_request() -> Vec<u8> {
    request(CHAT_HEADERS, 90)
}

/// The same SEND, 1 KiB long.
pub fn chat_1k() -> Vec<u8> {
    let head = chat().len() - 90;
    send(CHAT_HEADERS, 1023 - head)
}

/// A SEND of `headers` and a body of `length` octets, with content-length.
pub fn send(headers: &[(&str, &str)], length: usize) -> Vec<u8> {
    let (lines, body) = (lines(headers), body(length));
    format!("SEND\ndestination:{DESTINATION}\n{lines}content-length:{length}\n\n{body}\0")
        .into_bytes()
}

/// A SEND of 1 KiB whose end only its NUL tells.
pub fn to_nul_1k() -> Vec<u8> {
    let head = format!("SEND\ndestination:{DESTINATION}\n{}\n", lines(CHAT_HEADERS));
    let body = body(1023 - head.len());
    format!("{head}{body}\0").into_bytes()
}

/// A request of the same lines as [`send`].
pub fn request(headers: &[(&str, &str)], length: usize) -> Vec<u8> {
    let (lines, body) = (lines(headers), body(length));
    format!("POST {DESTINATION} HTTP/1.1\n{lines}content-length:{length}\n\n{body}").into_bytes()
}

/// The same message as a server sends it on: for codecs that read servers' frames only.
pub fn chat_message() -> Vec<u8> {
    let (lines, body) = (lines(&CHAT_HEADERS[..4]), body(90));
    format!(
        "MESSAGE\ndestination:/topic/rooms.4711\nmessage-id:7f3a-000123\nsubscription:sub-0\n\
         {lines}content-length:90\n\n{body}\0"
    )
    .into_bytes()
}

/// `frame` so often that it makes about 64 KiB: it stays in the processor's caches.
pub fn stream(frame: &[u8]) -> (Vec<u8>, usize) {
    let count = 64 * 1024 / frame.len();
    (frame.repeat(count), count)
}
