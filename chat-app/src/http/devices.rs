//! Where people want pushes.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::IntoResponse,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    body::{Body, Paging, Params},
    identity::Caller,
    problem::{Answer, Refusals},
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

/// A device to be registered, as it is described.
#[derive(ToSchema)]
#[schema(as = NewDevice)]
#[allow(dead_code, reason = "it describes what `NewDevice` reads")]
pub(super) struct DeviceRequest {
    #[schema(example = "webpush", pattern = "^(webpush|fcm|webhook)$")]
    kind: String,
    /// Of a browser's subscription.
    endpoint: Option<String>,
    /// Of a browser's subscription: `p256dh` and `auth`.
    #[schema(value_type = Option<Object>)]
    keys: Option<serde_json::Value>,
    /// Of FCM.
    token: Option<String>,
    /// Of a webhook.
    url: Option<String>,
    /// Of a webhook: at least 32 characters; never shown again.
    secret: Option<String>,
    language: Option<String>,
}

/// A device without anything secret, as it is described.
#[derive(ToSchema)]
#[schema(as = Device)]
#[allow(dead_code, reason = "it describes what `Shown` writes")]
pub(super) struct DeviceShown {
    id: String,
    kind: String,
    /// Which push service, or whose webhook.
    host: String,
    #[schema(format = DateTime)]
    created_at: String,
}

/// Register a device
///
/// It gets a push for what its user has neither received nor read. It goes with the session that
/// registered it.
#[utoipa::path(operation_id = "registerDevice", post, path = "/devices", tag = "devices",
    request_body = DeviceRequest,
    responses((status = 200, description = "As it is", body = DeviceShown), (status = 201, description = "It is made", body = DeviceShown), Refusals))]
pub(super) async fn register(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    headers: HeaderMap,
    Body(device): Body<NewDevice>,
) -> Answer<impl IntoResponse> {
    let asked = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let language = Language::of(device.language.as_deref().or(asked).unwrap_or_default());
    let (user, token) = (caller.id(), &caller.identity.token.id);
    let (shown, fresh) = chat.desk.register(user, token, language, device.registration).await?;
    Ok((made(fresh), Json(shown)))
}

/// Some devices.
#[derive(Serialize, ToSchema)]
pub(super) struct Devices {
    #[schema(value_type = Vec<DeviceShown>)]
    devices: Vec<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// List my devices
#[utoipa::path(operation_id = "listDevices", get, path = "/devices", tag = "devices",
    params(Paging), responses((status = 200, description = "As it is", body = Devices), Refusals))]
pub(super) async fn list(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    Params(paging): Params<Paging>,
) -> Answer<Json<Devices>> {
    let limit = paging.count()?;
    let list = chat.desk.list(caller.id(), paging.cursor.as_deref(), limit).await?;
    let (devices, cursor) = list;
    Ok(Json(Devices { devices, cursor }))
}

/// Forget a device
#[utoipa::path(operation_id = "forgetDevice", delete, path = "/devices/{device}", tag = "devices",
    params(("device" = String, Path, description = "Which")),
    responses((status = 204, description = "It is done"), Refusals))]
pub(super) async fn forget(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    Path(device): Path<String>,
) -> Answer<StatusCode> {
    chat.desk.forget(caller.id(), &device).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Send a push to a device, to see it
#[utoipa::path(operation_id = "tryDevice", post, path = "/devices/{device}/test", tag = "devices",
    params(("device" = String, Path, description = "Which")),
    responses((status = 204, description = "It is done"), Refusals))]
pub(super) async fn try_out(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    Path(device): Path<String>,
) -> Answer<StatusCode> {
    chat.desk.try_out(caller.id(), &device).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The server's public key.
#[derive(Serialize, ToSchema)]
pub(super) struct VapidKey {
    key: String,
}

/// See the key for pushes to browsers
///
/// What a page passes to the browser as `applicationServerKey`.
#[utoipa::path(operation_id = "getVapidKey", get, path = "/push/vapid-key", tag = "devices",
    responses((status = 200, description = "As it is", body = VapidKey), Refusals))]
pub(super) async fn vapid_key(State(chat): State<Arc<Chat>>, _: Caller) -> Json<VapidKey> {
    Json(VapidKey { key: chat.desk.vapid.clone() })
}
