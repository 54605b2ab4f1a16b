//! Finding a word in what was said in one's rooms.

use std::{collections::BinaryHeap, time::Duration};

use serde::Serialize;
use stomp_server::problem::{Code, Problem};

use super::Chat;
use crate::{
    domain::{Actor, Message, RoomId},
    ports::{Head, Reading},
};

/// Messages looked at, the newest first. A search costs no more than that.
const MESSAGES_MAX: i64 = 10_000;
/// Bytes of text looked at; long messages end a search earlier.
const BYTES_MAX: usize = 16 * 1024 * 1024;
/// Rooms looked at, those with the newest activity first.
const ROOMS_MAX: u32 = 10_000;
/// Messages read at a time.
const STRIDE: i64 = 200;
/// Longest query, in characters.
const QUERY_MAX: usize = 256;
/// Searches at a time in this process; more wait.
pub(super) const AT_A_TIME: usize = 4;
/// How long a search waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a search found, newest first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Found {
    pub(crate) messages: Vec<Message>,
    /// There are messages that were not looked at.
    pub(crate) partial: bool,
}

impl Chat {
    /// Messages whose text holds `query`, whatever its case.
    pub(crate) async fn search(
        &self,
        actor: &Actor,
        query: &str,
        room: Option<&RoomId>,
        limit: u32,
    ) -> Result<Found, Problem> {
        if query.trim().is_empty() || query.chars().count() > QUERY_MAX {
            return Err(Problem::new(Code::Invalid, "A query has 1 to 256 characters."));
        }
        if let Some(room) = room {
            self.memberships.member(room, &actor.user).await?;
        }
        let busy = || {
            Problem::new(Code::Unavailable, "Too much is searched at the moment.")
                .with_retry_after(PATIENCE)
        };
        let turn = tokio::time::timeout(PATIENCE, self.searches.acquire()).await;
        let _turn = turn.map_err(|_| busy())?.map_err(|_| busy())?;
        let heads = self.reading.heads(&actor.user, room, ROOMS_MAX).await?;
        Ok(Scan::new(query, heads, limit as usize).run(&*self.reading).await?)
    }
}

/// A search on its way through the rooms: always on in the one whose next message is newest.
struct Scan {
    /// In lower case.
    query: String,
    limit: usize,
    rooms: BinaryHeap<Place>,
    messages_left: i64,
    bytes_left: usize,
    found: Vec<Message>,
}

/// Where a scan goes on in a room; the newest is the greatest.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    at: i64,
    /// Exclusive.
    below: i64,
    room: RoomId,
}

impl Scan {
    fn new(query: &str, heads: Vec<Head>, limit: usize) -> Self {
        let place = |head: Head| Place {
            at: head.active_at,
            below: head.last_ordinal + 1,
            room: head.room,
        };
        Self {
            query: query.to_lowercase(),
            limit,
            rooms: heads.into_iter().filter(|head| head.last_ordinal > 0).map(place).collect(),
            messages_left: MESSAGES_MAX,
            bytes_left: BYTES_MAX,
            found: Vec::new(),
        }
    }

    async fn run(mut self, reading: &dyn Reading) -> crate::ports::StoreResult<Found> {
        while self.goes_on() {
            let Some(place) = self.rooms.pop() else { break };
            let count = STRIDE.min(self.messages_left);
            let (texts, seen) = reading.texts_below(&place.room, place.below, count as u32).await?;
            self.look_at(place, texts, seen);
        }
        self.found.sort_by_key(|message| std::cmp::Reverse((message.created_at, message.ordinal)));
        let partial = !self.rooms.is_empty() || self.found.len() > self.limit;
        self.found.truncate(self.limit);
        Ok(Found { messages: self.found, partial })
    }

    fn goes_on(&self) -> bool {
        self.messages_left > 0 && self.bytes_left > 0 && self.found.len() < self.limit
    }

    fn look_at(&mut self, place: Place, texts: Vec<Message>, seen: i64) {
        self.messages_left -= seen;
        let oldest = texts.last().map_or(place.at, |message| message.created_at.millis());
        for message in texts {
            let Some(text) = &message.content.text else { continue };
            self.bytes_left = self.bytes_left.saturating_sub(text.len());
            if text.to_lowercase().contains(&self.query) {
                self.found.push(message);
            }
        }
        let below = place.below - seen;
        if seen > 0 && below > 1 {
            self.rooms.push(Place { at: oldest.min(place.at), below, room: place.room });
        }
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::{
        domain::{Content, MessageId, Timestamp, UserId},
        ports::StoreResult,
    };

    /// Rooms in memory: each message is (time, text), the text empty if it was deleted.
    struct Shelf(Vec<(RoomId, Vec<(i64, String)>)>);

    impl Shelf {
        fn heads(&self) -> Vec<Head> {
            let head = |(room, messages): &(RoomId, Vec<(i64, String)>)| Head {
                room: room.clone(),
                last_ordinal: messages.len() as i64,
                active_at: messages.last().map_or(0, |(at, _)| *at),
            };
            self.0.iter().map(head).collect()
        }

        async fn find(&self, query: &str, limit: usize) -> (Vec<String>, bool) {
            let found = Scan::new(query, self.heads(), limit).run(self).await.unwrap();
            let texts = found.messages.into_iter().filter_map(|message| message.content.text);
            (texts.collect(), found.partial)
        }
    }

    #[async_trait]
    impl Reading for Shelf {
        async fn heads(&self, _: &UserId, _: Option<&RoomId>, _: u32) -> StoreResult<Vec<Head>> {
            Ok(self.heads())
        }

        async fn texts_below(
            &self,
            room: &RoomId,
            ordinal: i64,
            limit: u32,
        ) -> StoreResult<(Vec<Message>, i64)> {
            let (_, messages) = self.0.iter().find(|(id, _)| id == room).unwrap();
            let upto = (ordinal - 1) as usize;
            let from = upto.saturating_sub(limit as usize);
            let texts = messages[from..upto].iter().rev().filter(|(_, text)| !text.is_empty());
            let message = |(at, text): &(i64, String)| Message {
                id: MessageId::parse("m").unwrap(),
                room: room.clone(),
                sender: UserId::parse("ann").unwrap(),
                content: Content { text: Some(text.clone()), ..Content::default() },
                client_message_id: None,
                position: None,
                ordinal: None,
                created_at: Timestamp::from_millis(*at),
                edited_at: None,
                deleted: false,
            };
            Ok((texts.map(message).collect(), (upto - from) as i64))
        }

        async fn readers(
            &self,
            _: &Message,
            _: Option<&UserId>,
            _: u32,
        ) -> StoreResult<Vec<UserId>> {
            Ok(Vec::new())
        }
    }

    fn room(
        name: &str,
        messages: impl IntoIterator<Item = (i64, String)>,
    ) -> (RoomId, Vec<(i64, String)>) {
        (RoomId::parse(name).unwrap(), messages.into_iter().collect())
    }

    #[tokio::test]
    async fn words_are_found_in_any_case_and_script_newest_first() {
        let shelf = Shelf(vec![
            room("a", [(1, "Tea at five".into()), (4, "no TEA".into()), (6, String::new())]),
            room("b", [(2, "오늘 저녁에 만나요".into()), (5, "tea, again".into())]),
        ]);
        let found = shelf.find("tea", 10).await;
        let texts = ["tea, again", "no TEA", "Tea at five"].map(String::from);
        assert_eq!(found, (texts.to_vec(), false));
        assert_eq!(shelf.find("저녁", 10).await.0, ["오늘 저녁에 만나요"]);
        assert_eq!(shelf.find("coffee", 10).await, (vec![], false));
    }

    #[tokio::test]
    async fn ten_thousand_messages_are_looked_at_and_not_one_more() {
        let old = [(0, "needle".to_owned())];
        let hay = |n: i64| (1..=n).map(|at| (at, format!("hay {at}")));
        let shelf = Shelf(vec![room("a", old.clone().into_iter().chain(hay(9_999)))]);
        assert_eq!(shelf.find("needle", 10).await, (vec!["needle".into()], false));
        let shelf = Shelf(vec![room("a", old.into_iter().chain(hay(10_000)))]);
        assert_eq!(shelf.find("needle", 10).await, (vec![], true));
    }

    #[tokio::test]
    async fn enough_is_enough_and_said_to_be() {
        let shelf = Shelf(vec![room("a", (1..=500).map(|at| (at, format!("hay {at}"))))]);
        let (texts, partial) = shelf.find("hay", 2).await;
        assert_eq!((texts, partial), (vec!["hay 500".into(), "hay 499".into()], true));
    }
}
