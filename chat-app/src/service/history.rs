//! What was said, page by page.

use std::{sync::Arc, time::Duration};

use stomp_server::{
    broker::Position,
    problem::{Code, Problem},
};

use super::Chat;
use crate::{
    domain::{Actor, Message, MessageId, Page, RoomId, no_such_message},
    ports::Range,
};

/// How long `at_least` waits for the store.
const PATIENCE: Duration = Duration::from_secs(1);
/// Messages on a page that says nothing else.
pub(crate) const PAGE: u32 = 50;

/// Which page somebody wants.
#[derive(Clone, Debug)]
pub(crate) struct PageQuery {
    pub(crate) range: Range,
    /// The message in the middle, instead of an ordinal.
    pub(crate) around_id: Option<MessageId>,
    pub(crate) limit: u32,
    /// What was accepted up to here should be on it.
    pub(crate) at_least: Option<Position>,
}

impl Default for PageQuery {
    fn default() -> Self {
        Self { range: Range::Newest, around_id: None, limit: PAGE, at_least: None }
    }
}

impl Chat {
    /// A page of a room that `viewer` is in.
    pub(crate) async fn page(
        &self,
        viewer: &Actor,
        room: &RoomId,
        query: &PageQuery,
    ) -> Result<Arc<Page>, Problem> {
        self.memberships.role(room, viewer).await?;
        let partition = self.log.partition_of(room);
        let at_least = query.at_least.filter(|position| position.epoch == self.epoch);
        if let Some(position) = at_least {
            self.progress.reached(partition, position, PATIENCE).await;
        }
        if query.range == Range::Newest && query.around_id.is_none() {
            return match at_least {
                None => self.newest.get(room, partition, query.limit).await,
                Some(position) => {
                    self.newest.at_least(position, room, partition, query.limit).await
                }
            };
        }
        let range = match &query.around_id {
            None => query.range.clone(),
            Some(id) => Range::Around(self.ordinal_of(room, id).await?),
        };
        Ok(Arc::new(self.history.page(room, partition, &range, query.limit).await?))
    }

    /// One message of a room that `viewer` is in.
    pub(crate) async fn message(
        &self,
        viewer: &Actor,
        room: &RoomId,
        id: &MessageId,
    ) -> Result<Message, Problem> {
        self.memberships.role(room, viewer).await?;
        self.history.message(room, id).await?.ok_or_else(no_such_message)
    }

    async fn ordinal_of(&self, room: &RoomId, id: &MessageId) -> Result<i64, Problem> {
        let message = self.history.message(room, id).await?.ok_or_else(no_such_message)?;
        message.ordinal.ok_or_else(|| Problem::new(Code::Invalid, "This message has no ordinal."))
    }
}
