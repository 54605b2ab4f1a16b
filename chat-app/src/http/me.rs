//! What people decide about themselves.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    body::Body,
    identity::Caller,
    problem::{Answer, Refusals},
};
use crate::{
    domain::{Account, Profile, Settings, SettingsChange, User, given},
    service::Chat,
};

/// Oneself.
#[derive(Serialize, ToSchema)]
pub(super) struct Me {
    #[serde(flatten)]
    user: User,
    settings: Settings,
}

impl From<Account> for Me {
    fn from(account: Account) -> Self {
        Self { user: account.user, settings: account.settings }
    }
}

/// Who am I
#[utoipa::path(operation_id = "getMe", get, path = "/me", tag = "me", responses((status = 200, description = "As it is", body = Me), Refusals))]
pub(super) async fn show(caller: Caller) -> Json<Me> {
    Json(caller.account.into())
}

/// What to be called from now on; what is left out stays.
#[derive(Deserialize, ToSchema)]
pub(super) struct NewProfile {
    /// 1 to 128 characters.
    name: Option<String>,
    /// An address of the web; `null` takes the picture away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    picture: Option<Option<String>>,
}

/// Change name or picture
#[utoipa::path(operation_id = "changeMe", patch, path = "/me", tag = "me", request_body = NewProfile,
    responses((status = 200, description = "As it is", body = Me), Refusals))]
pub(super) async fn change(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    Body(NewProfile { name, picture }): Body<NewProfile>,
) -> Answer<Json<Me>> {
    let picture = picture.as_ref().map(Option::as_deref);
    let profile = Profile::parse(name.as_deref(), picture)?;
    Ok(Json(chat.set_profile(caller.account, profile).await?.into()))
}

/// Change settings
///
/// What is left out stays; `quiet_hours: null` ends them.
#[utoipa::path(operation_id = "changeSettings", put, path = "/me/settings", tag = "me", request_body = SettingsChange,
    responses((status = 200, description = "As it is", body = Settings), Refusals))]
pub(super) async fn settings(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    Body(change): Body<SettingsChange>,
) -> Answer<Json<Settings>> {
    Ok(Json(chat.set_settings(caller.account, change).await?))
}

/// The old password and the new one.
#[derive(Deserialize, ToSchema)]
pub(super) struct NewPassword {
    old_password: String,
    /// 8 to 1,024 bytes.
    new_password: String,
}

/// Change the password
///
/// All other sessions of the user end.
#[utoipa::path(operation_id = "changePassword", put, path = "/me/password", tag = "me", request_body = NewPassword,
    responses((status = 204, description = "It is done"), Refusals))]
pub(super) async fn password(
    State(chat): State<Arc<Chat>>,
    caller: Caller,
    Body(NewPassword { old_password, new_password }): Body<NewPassword>,
) -> Answer<StatusCode> {
    chat.set_password(&caller.identity, old_password, new_password).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Go for good
///
/// Out of all groups and sessions. What was said stays under the id, which nobody else gets. A
/// group whose last owner goes is left to its first admin, else to its first member.
#[utoipa::path(operation_id = "deleteMe", delete, path = "/me", tag = "me", responses((status = 204, description = "It is done"), Refusals))]
pub(super) async fn delete(State(chat): State<Arc<Chat>>, caller: Caller) -> Answer<StatusCode> {
    chat.delete_account(caller.id()).await?;
    Ok(StatusCode::NO_CONTENT)
}
