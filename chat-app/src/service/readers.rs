//! Who has read a message.

use serde::Serialize;
use stomp_server::problem::Problem;

use super::Chat;
use crate::domain::{Actor, MessageId, RoomId, UserId, no_such_message};

/// Somebody who has read a message.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Reader {
    pub(crate) user: UserId,
}

impl Chat {
    /// Who has read this message, as far as they let others know.
    pub(crate) async fn readers(
        &self,
        viewer: &Actor,
        room: &RoomId,
        id: &MessageId,
        from: Option<&UserId>,
        limit: u32,
    ) -> Result<Vec<Reader>, Problem> {
        self.memberships.role(room, viewer).await?;
        let message = match self.history.message(room, id).await? {
            Some(message) => message,
            // It may have been sent a moment ago.
            None => {
                self.catch_up(room).await?;
                self.history.message(room, id).await?.ok_or_else(no_such_message)?
            }
        };
        let users = self.reading.readers(&message, from, limit).await?;
        Ok(users.into_iter().map(|user| Reader { user }).collect())
    }
}
