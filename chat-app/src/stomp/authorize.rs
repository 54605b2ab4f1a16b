//! Where a session may go outside `/app`: its rooms' topics and its own queues, nowhere else.

use std::sync::Arc;

use async_trait::async_trait;
use stomp_server::{
    auth::{Authorize, Decision, Intent, Principal},
    problem::{Code, Problem},
};

use super::authenticate::actor;
use crate::{
    domain::{OWN_QUEUES, ROOM_TOPIC, RoomId, no_such_room},
    service::Chat,
};

/// Membership decides about rooms. A refusal there is a problem and no error, so that losing
/// one room never costs the others.
pub(crate) struct RoomRules(pub(crate) Arc<Chat>);

#[async_trait]
impl Authorize for RoomRules {
    fn decide(&self, _who: &Principal, intent: Intent<'_>) -> Option<Decision> {
        match intent {
            Intent::Send(_) => Some(deny("Clients send to /app only.")),
            Intent::Subscribe(destination) if OWN_QUEUES.contains(&destination) => {
                Some(Decision::Allow)
            }
            Intent::Subscribe(destination) if destination.starts_with(ROOM_TOPIC) => None,
            Intent::Subscribe(_) => {
                Some(deny("Clients subscribe to rooms and to queues of their own only."))
            }
        }
    }

    async fn authorize(&self, who: &Principal, intent: Intent<'_>) -> Decision {
        if let Some(decision) = self.decide(who, intent) {
            return decision;
        }
        let (Intent::Send(destination) | Intent::Subscribe(destination)) = intent;
        self.subscribe(who, destination.strip_prefix(ROOM_TOPIC).unwrap_or_default()).await
    }
}

impl RoomRules {
    /// A pattern has no form that a room's id has, so it is no room.
    async fn subscribe(&self, who: &Principal, id: &str) -> Decision {
        let Some(room) = RoomId::parse(id) else { return Decision::Refuse(no_such_room()) };
        let actor = match actor(who) {
            Ok(actor) => actor,
            Err(problem) => return Decision::Deny(problem),
        };
        match self.0.memberships.role(&room, &actor).await {
            Ok(_) => Decision::Allow,
            Err(problem) => Decision::Refuse(problem),
        }
    }
}

fn deny(detail: &'static str) -> Decision {
    Decision::Deny(Problem::new(Code::Forbidden, detail))
}
