//! The interface and its description, which are made of the same list: what is served is
//! described, and nothing else is.

use std::sync::{Arc, LazyLock};

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        OpenApi as Description,
        security::{Http, HttpAuthScheme, SecurityScheme},
    },
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    accounts, devices, me, members, messages, page,
    problem::{Refusal, Refusals},
    rooms, users,
};
use crate::service::Chat;

/// Where it is.
pub(super) const PREFIX: &str = "/api/v1";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "chat-app",
        description = "Rooms, messages, history and read markers over REST. Live events come over \
                       STOMP at /ws.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    servers((url = "/api/v1")),
    security(("token" = [])),
    components(schemas(Refusal)),
    modifiers(&Token),
    tags(
        (name = "accounts", description = "Names, passwords, tokens"),
        (name = "me", description = "What people decide about themselves"),
        (name = "users", description = "Who else there is"),
        (name = "rooms", description = "Direct rooms and groups"),
        (name = "members", description = "Who comes, stays and goes"),
        (name = "messages", description = "What is said, and who has read it"),
        (name = "devices", description = "Where pushes go"),
        (name = "description", description = "What you are reading")
    )
)]
struct Frame;

/// A token in `Authorization: Bearer`.
struct Token;

impl Modify for Token {
    fn modify(&self, description: &mut Description) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        let components = description.components.get_or_insert_default();
        components.add_security_scheme("token", scheme);
    }
}

fn all() -> OpenApiRouter<Arc<Chat>> {
    OpenApiRouter::with_openapi(Frame::openapi())
        .routes(routes!(accounts::create))
        .routes(routes!(accounts::log_in))
        .routes(routes!(accounts::log_out))
        .routes(routes!(me::show, me::change, me::delete))
        .routes(routes!(me::settings))
        .routes(routes!(me::password))
        .routes(routes!(users::search))
        .routes(routes!(users::put))
        .routes(routes!(users::blocks))
        .routes(routes!(users::block, users::unblock))
        .routes(routes!(rooms::list, rooms::create))
        .routes(routes!(rooms::show, rooms::rename, rooms::delete))
        .routes(routes!(members::list))
        .routes(routes!(members::put, members::remove))
        .routes(routes!(members::ban, members::unban))
        .routes(routes!(members::join))
        .routes(routes!(members::leave))
        .routes(routes!(members::invite))
        .routes(routes!(members::drop_invite))
        .routes(routes!(members::mute))
        .routes(routes!(messages::page, messages::send))
        .routes(routes!(messages::show, messages::edit, messages::delete))
        .routes(routes!(messages::readers))
        .routes(routes!(messages::read))
        .routes(routes!(messages::search))
        .routes(routes!(devices::list, devices::register))
        .routes(routes!(devices::forget))
        .routes(routes!(devices::try_out))
        .routes(routes!(devices::vapid_key))
        .routes(routes!(describe))
}

/// Everything under [`PREFIX`].
pub(super) fn routes() -> Router<Arc<Chat>> {
    all().split_for_parts().0
}

/// The description as it is sent, and its tag. Made once.
static DESCRIPTION: LazyLock<(Bytes, String)> = LazyLock::new(|| {
    // It is made of what the program is made of, and always serialises.
    let json = Bytes::from(all().split_for_parts().1.to_json().unwrap_or_default());
    let hash = Sha256::digest(&json);
    let hex: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    (json, format!("\"{hex}\""))
});

/// Describe this interface
#[utoipa::path(get, operation_id = "describe", path = "/openapi.json", tag = "description",
    security(()), responses((status = 200, description = "OpenAPI 3.1", body = Object), Refusals))]
async fn describe(headers: HeaderMap) -> Response {
    let (json, tag) = &*DESCRIPTION;
    let mut response = match page::is_known(&headers, tag) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => json.clone().into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::from_str(tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_described_with_its_refusals() {
        let description = serde_json::to_value(all().split_for_parts().1).unwrap();
        assert!(description["openapi"].as_str().unwrap().starts_with("3.1"));
        let paths = description["paths"].as_object().unwrap();
        assert!(paths.len() > 20, "{}", paths.len());
        for (path, operations) in paths {
            for (method, operation) in operations.as_object().unwrap() {
                let said = |what: &str| {
                    assert!(operation.get(what).is_some(), "{method} {path} has no {what}");
                };
                ["summary", "tags", "responses", "operationId"].into_iter().for_each(said);
                let refusal = &operation["responses"]["503"]["content"];
                assert!(refusal.get("application/problem+json").is_some(), "{method} {path}");
            }
        }
    }

    #[test]
    fn no_two_operations_have_one_name() {
        let description = serde_json::to_value(all().split_for_parts().1).unwrap();
        let mut names = Vec::new();
        for operations in description["paths"].as_object().unwrap().values() {
            for operation in operations.as_object().unwrap().values() {
                names.push(operation["operationId"].as_str().unwrap().to_owned());
            }
        }
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count, "{names:?}");
    }
}
