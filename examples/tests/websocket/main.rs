//! RFC 6455, octet by octet, against the example `ws_echo`: the WebSocket layer below STOMP.
#![allow(clippy::unwrap_used, reason = "what cannot be had fails the test")]

mod closing;
mod fragments;
mod frames;
mod raw;
mod utf_8;
#[path = "../../ws_echo.rs"]
#[allow(dead_code, reason = "its main is what runs it alone")]
mod ws_echo;
