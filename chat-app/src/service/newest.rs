//! Newest pages in memory: most who enter a room want the same one.

use std::{sync::Arc, time::Duration};

use moka::future::Cache;
use stomp_server::{broker::Position, problem::Problem};

use super::hits::Hits;
use crate::{
    domain::{Page, RoomId},
    ports::{History, Range},
};

/// A page is at most this old. It says its place itself, and SUBSCRIBE `from` there brings the
/// rest, so its age is never a gap.
const LIFE: Duration = Duration::from_secs(1);
/// What all pages weigh together at most, in bytes.
const WEIGHT: u64 = 64 << 20;
/// What a message weighs beside its text, about.
const MESSAGE: usize = 512;

/// A look-aside cache of the newest page of each room. Equal reads at the same time are one.
pub(crate) struct NewestPages {
    history: Arc<dyn History>,
    pages: Cache<(RoomId, u32), Arc<Page>>,
    hits: Hits,
}

impl NewestPages {
    pub(crate) fn new(history: Arc<dyn History>) -> Self {
        let pages = Cache::builder()
            .max_capacity(WEIGHT)
            .weigher(|_, page: &Arc<Page>| weight(page))
            .time_to_live(LIFE)
            .build();
        Self { history, pages, hits: Hits::of("newest_pages") }
    }

    /// The newest page of a room whose records are in `partition`, from memory if it may be.
    pub(crate) async fn get(
        &self,
        room: &RoomId,
        partition: u32,
        limit: u32,
    ) -> Result<Arc<Page>, Problem> {
        let key = (room.clone(), limit);
        if let Some(page) = self.pages.get(&key).await {
            self.hits.hit();
            return Ok(page);
        }
        self.hits.missed();
        let reading =
            async { self.history.page(room, partition, &Range::Newest, limit).await.map(Arc::new) };
        let page = self.pages.try_get_with(key, reading).await;
        page.map_err(|error| Problem::from(&*error))
    }

    /// The newest page with everything up to this position, if the store has it: not one that
    /// somebody else began to read before.
    pub(crate) async fn at_least(
        &self,
        position: Position,
        room: &RoomId,
        partition: u32,
        limit: u32,
    ) -> Result<Arc<Page>, Problem> {
        let key = (room.clone(), limit);
        if let Some(page) = self.pages.get(&key).await
            && page.position >= position.to_string()
        {
            self.hits.hit();
            return Ok(page);
        }
        self.hits.missed();
        let page = self.history.page(room, partition, &Range::Newest, limit).await?;
        let page = Arc::new(page);
        self.pages.insert(key, page.clone()).await;
        Ok(page)
    }
}

fn weight(page: &Page) -> u32 {
    let text = |message: &crate::domain::Message| {
        message.content.text.as_ref().map_or(0, String::len) + MESSAGE
    };
    page.messages.iter().map(text).sum::<usize>().try_into().unwrap_or(u32::MAX)
}
