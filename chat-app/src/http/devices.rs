//! Where people want pushes.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::IntoResponse,
};
use serde::{Deserialize, Serialize};

use super::{
    body::{Body, Params, limit},
    identity::Caller,
    problem::Answer,
    rooms::made,
};
use crate::{
    notify::{Language, Registration, Shown},
    service::Chat,
};

/// A device, and what it speaks; where that is not said the request's own language counts.
#[derive(Deserialize)]
pub(super) struct NewDevice {
    #[serde(flatten)]
    registration: Registration,
    language: Option<String>,
}

pub(super) async fn register(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    headers: HeaderMap,
    Body(device): Body<NewDevice>,
) -> Answer<impl IntoResponse> {
    let asked = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let language = Language::of(device.language.as_deref().or(asked).unwrap_or_default());
    let (user, token) = (&caller.user.id, &caller.identity.token);
    let (shown, fresh) = chat.desk.register(user, token, language, device.registration).await?;
    Ok((made(fresh), Json(shown)))
}

#[derive(Deserialize)]
pub(super) struct Page {
    cursor: Option<String>,
    limit: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Devices {
    devices: Vec<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

pub(super) async fn list(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    Params(page): Params<Page>,
) -> Answer<Json<Devices>> {
    let limit = limit(page.limit.as_deref())?;
    let list = chat.desk.list(&caller.user.id, page.cursor.as_deref(), limit).await?;
    let (devices, cursor) = list;
    Ok(Json(Devices { devices, cursor }))
}

pub(super) async fn forget(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    Path(device): Path<String>,
) -> Answer<StatusCode> {
    chat.desk.forget(&caller.user.id, &device).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn try_out(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    Path(device): Path<String>,
) -> Answer<StatusCode> {
    chat.desk.try_out(&caller.user.id, &device).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Serialize)]
pub(super) struct VapidKey {
    key: String,
}

/// What the page passes to the browser as `applicationServerKey`.
pub(super) async fn vapid_key(State(chat): State<Arc<Chat>>, _: Caller) -> Json<VapidKey> {
    Json(VapidKey { key: chat.desk.vapid.clone() })
}
