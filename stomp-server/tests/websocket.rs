//! STOMP over WebSocket, over real sockets: protocol decisions 27 to 30.
#![cfg(feature = "websocket")]
#![allow(clippy::unwrap_used, reason = "what cannot be had fails the test")]

use std::{net::SocketAddr, time::Duration};

use futures::{SinkExt, StreamExt};
use stomp_server::{Server, session::SessionLimits};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{
        Message, client::IntoClientRequest, handshake::client::Response, http::HeaderValue,
        protocol::frame::coding::CloseCode,
    },
};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const LOGIN: &str = "CONNECT\naccept-version:1.2\nlogin:ann\n\n\0";
const SUBSCRIBE: &str = "SUBSCRIBE\nid:0\ndestination:/topic/a\nreceipt:s\n\n\0";

async fn serve(server: &Server) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = server.websocket_routes().into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    address
}

async fn open(address: SocketAddr, headers: &[(&'static str, &str)]) -> (Socket, Response) {
    let mut request = format!("ws://{address}/ws").into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
    }
    tokio_tungstenite::connect_async(request).await.unwrap()
}

async fn connect(address: SocketAddr) -> Socket {
    let (mut socket, _) = open(address, &[]).await;
    socket.send(Message::text(LOGIN)).await.unwrap();
    assert!(text(&mut socket).await.starts_with("CONNECTED\n"));
    socket
}

async fn next(socket: &mut Socket) -> Message {
    tokio::time::timeout(Duration::from_secs(60), socket.next()).await.unwrap().unwrap().unwrap()
}

async fn text(socket: &mut Socket) -> String {
    match next(socket).await {
        Message::Text(text) => text.to_string(),
        other => panic!("text, not {other:?}"),
    }
}

/// Frames up to the close, and its code.
async fn closed(socket: &mut Socket) -> (Vec<String>, CloseCode) {
    let mut said = Vec::new();
    loop {
        match next(socket).await {
            Message::Text(text) => said.push(text.lines().next().unwrap_or_default().to_owned()),
            Message::Close(Some(frame)) => return (said, frame.code),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn decision_27_the_best_common_sub_protocol_is_picked() {
    let address = serve(&Server::builder().build()).await;
    for (offered, picked) in [
        ("v10.stomp, v11.stomp, v12.stomp", Some("v12.stomp")),
        ("v11.stomp,v10.stomp", Some("v11.stomp")),
        ("v10.stomp", Some("v10.stomp")),
    ] {
        let (_, response) = open(address, &[("sec-websocket-protocol", offered)]).await;
        let chosen = response.headers().get("sec-websocket-protocol");
        assert_eq!(chosen.map(|chosen| chosen.to_str().unwrap()), picked, "{offered}");
    }
    let (_, response) = open(address, &[]).await;
    assert!(response.headers().get("sec-websocket-protocol").is_none());
}

#[tokio::test]
async fn decision_27_unknown_sub_protocols_are_accepted_without_echo() {
    let address = serve(&Server::builder().build()).await;
    let answer = raw_upgrade(address, "/ws", "Sec-WebSocket-Protocol: soap\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    assert!(!answer.to_lowercase().contains("sec-websocket-protocol"), "{answer}");
}

#[tokio::test]
async fn compression_is_not_negotiated() {
    let address = serve(&Server::builder().build()).await;
    let offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
    let answer = raw_upgrade(address, "/ws", offer).await;
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    assert!(!answer.to_lowercase().contains("sec-websocket-extensions"), "{answer}");
}

#[tokio::test]
async fn decision_28_messages_are_a_byte_stream_in_any_split_or_join_text_or_binary() {
    let address = serve(&Server::builder().build()).await;
    let (mut socket, _) = open(address, &[]).await;
    let send = "SEND\ndestination:/topic/a\nreceipt:1\n\nx\0";
    let whole = format!("{LOGIN}\n\n{SUBSCRIBE}\r\n{send}");
    for (index, part) in whole.as_bytes().chunks(7).enumerate() {
        let message = match index % 2 {
            0 => Message::text(String::from_utf8(part.to_vec()).unwrap()),
            _ => Message::binary(part.to_vec()),
        };
        socket.send(message).await.unwrap();
        socket.send(Message::text("")).await.unwrap();
    }
    socket.send(Message::text("\n")).await.unwrap();
    for command in ["CONNECTED\n", "RECEIPT\nreceipt-id:s", "RECEIPT\nreceipt-id:1", "MESSAGE\n"] {
        let frame = text_or_binary(&mut socket).await;
        assert!(frame.starts_with(command), "{frame} is no {command}");
        assert_eq!(frame.matches('\0').count(), 1, "one frame a message");
    }
}

async fn text_or_binary(socket: &mut Socket) -> String {
    match next(socket).await {
        Message::Text(text) => text.to_string(),
        Message::Binary(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn decision_28_a_body_that_is_no_utf_8_comes_as_binary_and_others_as_text() {
    let address = serve(&Server::builder().build()).await;
    let mut socket = connect(address).await;
    socket.send(Message::text(SUBSCRIBE)).await.unwrap();
    text(&mut socket).await;
    let mut frame = b"SEND\ndestination:/topic/a\ncontent-length:3\n\n".to_vec();
    frame.extend_from_slice(&[0xff, 0, 0xfe, 0]);
    let mut other = connect(address).await;
    other.send(Message::binary(frame)).await.unwrap();
    let Message::Binary(bytes) = next(&mut socket).await else { panic!("binary") };
    assert!(bytes.ends_with(&[0xff, 0, 0xfe, 0]));
    other.send(Message::text("SEND\ndestination:/topic/a\n\ngrüße\0")).await.unwrap();
    assert!(text(&mut socket).await.ends_with("grüße\0"));
}

#[tokio::test]
async fn decision_29_each_end_has_its_close_code_behind_its_last_frame() {
    let limits = SessionLimits {
        frame: stomp_core::Limits { body: 1_000, ..Default::default() },
        ..SessionLimits::default()
    };
    let server = Server::builder().limits(limits).build();
    let address = serve(&server).await;

    let mut socket = connect(address).await;
    socket.send(Message::text("DISCONNECT\nreceipt:1\n\n\0")).await.unwrap();
    assert_eq!(closed(&mut socket).await, (vec!["RECEIPT".to_owned()], CloseCode::Normal));

    let mut socket = connect(address).await;
    socket.send(Message::text("NONSENSE\n\n\0")).await.unwrap();
    assert_eq!(closed(&mut socket).await, (vec!["ERROR".to_owned()], CloseCode::Protocol));

    let mut socket = connect(address).await;
    let large = format!("SEND\ndestination:/topic/a\n\n{}\0", "x".repeat(1_001));
    socket.send(Message::text(large)).await.unwrap();
    assert_eq!(closed(&mut socket).await, (vec!["ERROR".to_owned()], CloseCode::Size));

    let mut socket = connect(address).await;
    socket.send(Message::binary(vec![b'x'; 200_000])).await.unwrap();
    let (_, code) = closed(&mut socket).await;
    assert_eq!(code, CloseCode::Size, "a message larger than any frame");

    let mut socket = connect(address).await;
    let stopping = tokio::spawn(async move { server.shutdown(Duration::from_secs(60)).await });
    assert_eq!(closed(&mut socket).await, (vec!["ERROR".to_owned()], CloseCode::Away));
    drop(socket);
    assert!(stopping.await.unwrap());
}

#[tokio::test]
async fn decision_29_text_that_is_no_utf_8_is_1007() {
    let address = serve(&Server::builder().build()).await;
    let mut stream = raw_socket(address).await;
    // FIN + text, masked, 2 octets that are no UTF-8, with a mask of zeros.
    stream.write_all(&[0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28]).await.unwrap();
    assert_eq!(close_code(&mut stream).await, 1007);
}

#[tokio::test]
async fn decision_29_a_frame_against_the_rules_of_websocket_is_1002() {
    let address = serve(&Server::builder().build()).await;
    for bad in [
        &[0x81, 0x01, b'x'][..],             // not masked
        &[0xc1, 0x81, 0, 0, 0, 0, b'x'][..], // a reserved bit, without an extension
        &[0x83, 0x81, 0, 0, 0, 0, b'x'][..], // an opcode that does not exist
        &[0x09, 0x80, 0, 0, 0, 0][..],       // a fragmented ping
        &[0x80, 0x81, 0, 0, 0, 0, b'x'][..], // a continuation of nothing
    ] {
        let mut stream = raw_socket(address).await;
        stream.write_all(bad).await.unwrap();
        assert_eq!(close_code(&mut stream).await, 1002, "{bad:?}");
    }
}

#[tokio::test]
async fn decision_30_who_may_open_a_websocket() {
    let server = Server::builder().allow_origins(["https://app.example".to_owned()]).build();
    let address = serve(&server).await;
    let same = format!("Origin: http://{address}\r\n");
    for (path, header, status) in [
        ("/ws", same.as_str(), "101"),
        ("/ws", "Origin: https://app.example\r\n", "101"),
        ("/ws", "Origin: https://evil.example\r\n", "403"),
        ("/ws", "Origin: null\r\n", "403"),
        ("/other", "", "404"),
    ] {
        let answer = raw_upgrade(address, path, header).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path} {header}: {answer}");
    }
    let wrong_version = "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 8\r\n\r\n";
    let answer = raw(address, wrong_version).await;
    assert!(answer.starts_with("HTTP/1.1 426"), "{answer}");
    assert!(answer.to_lowercase().contains("sec-websocket-version: 13"), "{answer}");
    let no_key = "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\n\r\n";
    let answer = raw(address, no_key).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[tokio::test]
async fn pings_are_answered() {
    let address = serve(&Server::builder().build()).await;
    let mut socket = connect(address).await;
    socket.send(Message::Ping("are you there".into())).await.unwrap();
    assert_eq!(next(&mut socket).await, Message::Pong("are you there".into()));
}

async fn raw_socket(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request("/ws", "").as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"));
    stream
}

/// The code of the close frame that the server sends next, up to frames before it.
async fn close_code(stream: &mut TcpStream) -> u16 {
    loop {
        let opcode = stream.read_u8().await.unwrap() & 0x0f;
        let length = stream.read_u8().await.unwrap();
        let mut payload = vec![0; usize::from(length)];
        stream.read_exact(&mut payload).await.unwrap();
        if opcode == 8 {
            return u16::from_be_bytes([payload[0], payload[1]]);
        }
    }
}

async fn raw_upgrade(address: SocketAddr, path: &str, header: &str) -> String {
    raw(address, &request(path, header).replace("Host: h\r\n", &format!("Host: {address}\r\n")))
        .await
}

fn request(path: &str, header: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{header}\r\n"
    )
}

async fn raw(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(answer).unwrap()
}
