//! What client-message-ids were used for: one namespace for sends, edits and deletions.

use std::time::Duration;

use moka::future::Cache;
use stomp_server::problem::{Code, Problem};

use crate::domain::{ClientMessageId, RoomId, UserId};

/// As long as the log's window.
const WINDOW: Duration = Duration::from_secs(600);
const CAPACITY: u64 = 100_000;

/// What a client-message-id was used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Send,
    Edit,
    Delete,
}

/// What recent ids were used for, as long as the log's own dedupe remembers them.
pub(crate) struct Uses(Cache<(RoomId, UserId, ClientMessageId), Use>);

impl Uses {
    pub(crate) fn new() -> Self {
        Self(Cache::builder().max_capacity(CAPACITY).time_to_live(WINDOW).build())
    }

    /// Whether the id was used before for the same kind of thing.
    ///
    /// # Errors
    /// `conflict` if it was used for something else.
    pub(super) async fn before(
        &self,
        room: &RoomId,
        user: &UserId,
        id: &ClientMessageId,
        wanted: Use,
    ) -> Result<bool, Problem> {
        match self.0.get(&(room.clone(), user.clone(), id.clone())).await {
            None => Ok(false),
            Some(used) if used == wanted => Ok(true),
            Some(_) => Err(used_otherwise()),
        }
    }

    /// It is about to be used; whoever was first stays.
    pub(super) async fn note(&self, room: &RoomId, user: &UserId, id: &ClientMessageId, used: Use) {
        let key = (room.clone(), user.clone(), id.clone());
        self.0.entry(key).or_insert_with(async { used }).await;
    }
}

pub(super) fn used_otherwise() -> Problem {
    Problem::new(Code::Conflict, "This client-message-id was used for something else.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_id_is_for_one_kind_of_thing_and_the_first_stays() {
        let uses = Uses::new();
        let room = RoomId::parse("r").unwrap();
        let (ann, id) = (UserId::parse("ann").unwrap(), ClientMessageId::parse("c").unwrap());
        assert_eq!(uses.before(&room, &ann, &id, Use::Edit).await, Ok(false));
        uses.note(&room, &ann, &id, Use::Edit).await;
        uses.note(&room, &ann, &id, Use::Send).await;
        assert_eq!(uses.before(&room, &ann, &id, Use::Edit).await, Ok(true));
        let refused = uses.before(&room, &ann, &id, Use::Send).await.unwrap_err();
        assert_eq!(refused.code, Code::Conflict);
        let bob = UserId::parse("bob").unwrap();
        assert_eq!(uses.before(&room, &bob, &id, Use::Send).await, Ok(false));
    }
}
