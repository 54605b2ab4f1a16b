//! The gateways against real HTTP servers, of every temper.

mod fcm;
mod service;
mod web;

use rustls::RootCertStore;

use super::{
    client::Client,
    endpoint::{Endpoint, Reach},
    gateway::{Note, Push},
};
use crate::domain::RoomId;

fn client(reach: Reach) -> Client {
    Client::new(reach, RootCertStore::empty()).unwrap()
}

fn endpoint(text: &str) -> Endpoint {
    Endpoint::parse(text).unwrap()
}

fn push() -> Push {
    Push {
        note: Note {
            room: RoomId::parse("r-1").unwrap(),
            title: "Tea".into(),
            sender: Some("Ann".into()),
            preview: Some("hello".into()),
            unread: 3,
            position: "0000002a-0000000000000007".into(),
        },
        device: "d-1".into(),
        body: "Ann: hello".into(),
        urgent: false,
    }
}
