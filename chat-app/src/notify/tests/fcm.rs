//! Firebase's two services: the one that gives tokens, and the one that takes messages.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{Json, http::StatusCode, response::IntoResponse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde_json::{Value, json};

use super::{client, endpoint, push, service::Service};
use crate::notify::{
    endpoint::Reach,
    gateway::{Address, Outcome, PushGateway as _},
    gateways::{Fcm, ServiceAccount},
};

/// Made for this test, and for nothing else.
const KEY: &str = include_str!("test-only-rsa.pem");
const PUBLIC: &str = include_str!("test-only-rsa-public.pem");

async fn oauth() -> Service {
    let asked = Arc::new(AtomicUsize::new(0));
    Service::answering(move |_| {
        let n = asked.fetch_add(1, Ordering::SeqCst);
        Json(json!({"access_token": format!("token-{n}"), "expires_in": 3599})).into_response()
    })
    .await
}

fn fcm(oauth: &Service, messages: &Service) -> Fcm {
    let account: ServiceAccount = serde_json::from_value(json!({
        "type": "service_account", "project_id": "chat-1", "client_email": "push@chat-1.example",
        "private_key": KEY, "private_key_id": "k1", "token_uri": oauth.url("/token"),
    }))
    .unwrap();
    Fcm::new(client(Reach::Anywhere), &endpoint(&messages.url("/")), account).unwrap()
}

fn phone() -> Address {
    Address::Fcm { token: "phone-1".into() }
}

#[tokio::test]
async fn one_token_serves_many_messages() {
    let (oauth, messages) =
        (oauth().await, Service::answering(|_| Json(json!({})).into_response()).await);
    let gateway = fcm(&oauth, &messages);
    for _ in 0..3 {
        assert_eq!(gateway.push(&phone(), &push()).await, Outcome::Sent);
    }
    let asked = String::from_utf8(oauth.one().body.to_vec()).unwrap();
    let assertion = asked.split_once("&assertion=").unwrap().1;
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_audience(&[oauth.url("/token")]);
    let key = DecodingKey::from_rsa_pem(PUBLIC.as_bytes()).unwrap();
    let claims = decode::<Value>(assertion, &key, &validation).unwrap().claims;
    assert_eq!(claims["iss"], "push@chat-1.example");
    assert_eq!(claims["scope"], "https://www.googleapis.com/auth/firebase.messaging");

    let all = messages.all();
    assert_eq!(all.len(), 3);
    assert_eq!(all[0].path, "/v1/projects/chat-1/messages:send");
    assert_eq!(all[2].header("authorization"), "Bearer token-0");
    let message = &all[0].json()["message"];
    assert_eq!(message["token"], "phone-1");
    assert_eq!(message["android"]["collapse_key"], push().collapse_key());
    assert_eq!(message["apns"]["headers"]["apns-collapse-id"], push().collapse_key());
    assert_eq!(message["data"]["room"], "r-1");
    assert!(message["data"].as_object().unwrap().values().all(Value::is_string));
}

#[tokio::test]
async fn a_token_that_was_withdrawn_is_asked_for_anew() {
    let oauth = oauth().await;
    let messages = Service::answering(|request| match request.header("authorization") {
        "Bearer token-0" => StatusCode::UNAUTHORIZED.into_response(),
        _ => Json(json!({})).into_response(),
    })
    .await;
    let gateway = fcm(&oauth, &messages);
    let first = gateway.push(&phone(), &push()).await;
    assert!(matches!(first, Outcome::Later { .. }), "{first:?}");
    assert_eq!(gateway.push(&phone(), &push()).await, Outcome::Sent);
}

#[tokio::test]
async fn only_a_device_that_the_service_calls_unregistered_is_gone() {
    let oauth = oauth().await;
    let unregistered = json!({"error": {"code": 404, "details": [{"errorCode": "UNREGISTERED"}]}});
    let messages = Service::answering(move |_| {
        (StatusCode::NOT_FOUND, Json(unregistered.clone())).into_response()
    })
    .await;
    assert_eq!(fcm(&oauth, &messages).push(&phone(), &push()).await, Outcome::Gone);
    let no_project = Service::answering(|_| StatusCode::NOT_FOUND.into_response()).await;
    let outcome = fcm(&oauth, &no_project).push(&phone(), &push()).await;
    assert!(matches!(outcome, Outcome::Refused { .. }), "{outcome:?}");
    let closed = Service::answering(|_| StatusCode::SERVICE_UNAVAILABLE.into_response()).await;
    let outcome = fcm(&closed, &messages).push(&phone(), &push()).await;
    assert!(matches!(outcome, Outcome::Later { .. }), "no token, no message: {outcome:?}");
}
