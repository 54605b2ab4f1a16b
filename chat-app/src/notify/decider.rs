//! From messages that are due to jobs: who of a room gets a push.

use std::{sync::Arc, time::Duration};

use stomp_server::broker::Publish;
use tokio_util::sync::CancellationToken;

use super::{gateway::Note, metrics, ports::PushStore};
use crate::{
    domain::{NOTIFICATIONS_QUEUE, UserId, own_notifications_route},
    ports::StoreResult,
    service::{Log, json_message},
};

/// How often due rooms are looked for when there are none.
const POLL: Duration = Duration::from_millis(200);
/// Between two attempts while the database is away.
const PAUSE: Duration = Duration::from_millis(500);
/// Members that are decided about at a time: bounds the memory of a room of any size.
const STRIDE: u32 = 1000;

/// Takes due rooms, one after the other. Several may run, in one process or many.
pub(crate) struct Decider {
    pub(crate) store: Arc<dyn PushStore>,
    /// Tells sessions that are here; volatile.
    pub(crate) log: Log,
}

impl Decider {
    /// Works until `stop`. A room in hand then is left, and is due as before.
    pub(crate) async fn run(self, stop: CancellationToken) {
        loop {
            let decided = tokio::select! {
                () = stop.cancelled() => return,
                decided = self.decide() => decided,
            };
            let pause = match decided {
                Ok(true) => continue,
                Ok(false) => POLL,
                Err(error) => {
                    tracing::warn!(%error, "what is due waits: the database does not answer");
                    PAUSE
                }
            };
            if tokio::time::timeout(pause, stop.cancelled()).await.is_ok() {
                return;
            }
        }
    }

    /// Decides about one room; `false` if none is due.
    pub(crate) async fn decide(&self) -> StoreResult<bool> {
        let Some(mut room) = self.store.take_due().await? else { return Ok(false) };
        let mut opened = 0;
        let mut after: Option<UserId> = None;
        while !room.window().is_empty() {
            let candidates = room.candidates(after.as_ref(), STRIDE).await?;
            let Some(last) = candidates.last() else { break };
            after = Some(last.user.clone());
            let blocks = room.blocks(&candidates).await?;
            let due: Vec<_> = candidates
                .iter()
                .filter_map(|who| Some((who, room.window().due_for(who, &blocks, room.now())?)))
                .map(|(who, said)| {
                    let unread = room.last_ordinal() - who.read_ordinal;
                    (who.user.clone(), room.facts().note(said, unread, who.wishes.preview))
                })
                .collect();
            let users: Vec<_> = due.iter().map(|(user, _)| user.clone()).collect();
            let jobs = room.devices(&users).await?;
            room.open(&jobs).await?;
            opened += jobs.len();
            // Before the commit: whoever is told twice drops the second, whoever is told of a
            // decision that is made again is told the truth.
            self.tell(&due).await;
            if candidates.len() < STRIDE as usize {
                break;
            }
        }
        room.done().await?;
        metrics::due(opened);
        Ok(true)
    }

    /// Tabs that are open elsewhere, by the same rule and at the same moment.
    async fn tell(&self, due: &[(UserId, Note)]) {
        if self.log.room().await.is_err() {
            tracing::debug!("the log takes nothing: open tabs are told nothing");
            return;
        }
        for (user, note) in due {
            // Strings and numbers always serialise.
            let json = serde_json::to_string(&Shown::of(note)).unwrap_or_default();
            let message = json_message(NOTIFICATIONS_QUEUE, json);
            let route = own_notifications_route(user);
            self.log.tell(Publish::volatile(message).routed(route));
        }
    }
}

/// The body of a notification for an open tab.
#[derive(serde::Serialize)]
struct Shown<'a> {
    room: &'a str,
    title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    preview: Option<&'a str>,
    unread: i64,
    position: &'a str,
}

impl<'a> Shown<'a> {
    fn of(note: &'a Note) -> Self {
        Self {
            room: note.room.as_str(),
            title: &note.title,
            preview: note.preview.as_deref(),
            unread: note.unread,
            position: &note.position,
        }
    }
}
