//! Read markers: taken over at once, told at most once a second and room.

use std::{collections::HashMap, time::Duration};

use serde::Deserialize;
use stomp_server::{
    broker::{Position, Publish},
    problem::{Code, Problem},
};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{Chat, Log, log::json_message};
use crate::domain::{
    Actor, Event, Marker, MarkerKind, ReadUpTo, RoomId, Timestamp, UserId, markers_topic,
};

/// Markers on their way to the task; senders wait beyond that.
const WAITING: usize = 1024;
/// One record a room in this time, with everybody's newest marker; the first goes at once.
const PACE: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(100);
/// Over REST the answer waits for the row, so that the next list is right; but no longer.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
struct Body {
    position: Option<String>,
    ordinal: Option<i64>,
}

impl Chat {
    /// Takes a marker over; it is told with others of its room.
    pub(crate) async fn mark_read(
        &self,
        actor: &Actor,
        room: &RoomId,
        body: &[u8],
    ) -> Result<(), Problem> {
        self.memberships.member(room, &actor.user).await?;
        let marker = self.marker(actor, body).await?;
        self.markers.add(room.clone(), MarkerKind::Read, marker).await
    }

    /// Takes over that a device has the messages. Only a session that follows the room can
    /// know that.
    pub(crate) async fn mark_delivered(
        &self,
        actor: &Actor,
        room: &RoomId,
        follows: bool,
        body: &[u8],
    ) -> Result<(), Problem> {
        self.memberships.member(room, &actor.user).await?;
        if !follows {
            let detail = "Only a session that is subscribed to the room says what it has.";
            return Err(Problem::new(Code::Forbidden, detail));
        }
        let marker = self.marker(actor, body).await?;
        self.markers.add(room.clone(), MarkerKind::Delivered, marker).await
    }

    /// Sets a marker and waits until the room list knows it.
    pub(crate) async fn set_read(
        &self,
        actor: &Actor,
        room: &RoomId,
        body: &[u8],
    ) -> Result<(), Problem> {
        self.memberships.member(room, &actor.user).await?;
        let marker = self.marker(actor, body).await?;
        let accepted = self.log.append(record(room, MarkerKind::Read, vec![marker])).await?;
        if let Some(position) = accepted.position {
            self.progress.reached(self.log.partition_of(room), position, PATIENCE).await;
        }
        Ok(())
    }

    async fn marker(&self, actor: &Actor, body: &[u8]) -> Result<Marker, Problem> {
        let up_to = self.up_to(body)?;
        let private = self.privacy.of(&actor.user).await?;
        Ok(Marker { private, ..Marker::new(actor.user.clone(), up_to) })
    }

    fn up_to(&self, body: &[u8]) -> Result<ReadUpTo, Problem> {
        let invalid = |detail: &'static str| Problem::new(Code::Invalid, detail);
        let body: Body = serde_json::from_slice(body)
            .map_err(|_| invalid("The body is JSON with a position or an ordinal."))?;
        match (body.position, body.ordinal) {
            (Some(position), None) => {
                let position: Position =
                    position.parse().map_err(|_| invalid("This is not a position."))?;
                if position.epoch != self.epoch {
                    return Err(invalid("This position is of another log."));
                }
                Ok(ReadUpTo::Position(position))
            }
            (None, Some(ordinal)) if ordinal >= 0 => Ok(ReadUpTo::Ordinal(ordinal)),
            _ => Err(invalid("A marker has either a position or an ordinal.")),
        }
    }
}

/// A marker on its way to the task.
type Said = (RoomId, MarkerKind, Marker);

/// Hands markers to their task; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Markers {
    queue: mpsc::Sender<Said>,
}

/// The task that tells them.
pub(crate) struct MarkerTask {
    queue: mpsc::Receiver<Said>,
    log: Log,
    rooms: HashMap<(RoomId, MarkerKind), Waiting>,
}

/// A room that was told of a moment ago.
struct Waiting {
    due: Instant,
    markers: HashMap<UserId, Marker>,
}

impl Markers {
    pub(crate) fn new(log: Log) -> (Self, MarkerTask) {
        let (sender, queue) = mpsc::channel(WAITING);
        (Self { queue: sender }, MarkerTask { queue, log, rooms: HashMap::new() })
    }

    async fn add(&self, room: RoomId, kind: MarkerKind, marker: Marker) -> Result<(), Problem> {
        let gone = |_| Problem::new(Code::Shutdown, "This server is going away.");
        self.queue.send((room, kind, marker)).await.map_err(gone)
    }
}

impl MarkerTask {
    /// Works until `stop`; what waits then is told at once.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut arrived = Vec::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                count = self.queue.recv_many(&mut arrived, WAITING) => {
                    if count == 0 {
                        break;
                    }
                }
                _ = tick.tick(), if !self.rooms.is_empty() => {}
            }
            let now = Instant::now();
            arrived.drain(..).for_each(|said| self.add(said, now));
            let due = self.due(now);
            self.tell(due).await;
        }
        self.queue.close();
        while let Some(said) = self.queue.recv().await {
            self.add(said, Instant::now());
        }
        let rest = self.due(Instant::now() + 2 * PACE);
        self.tell(rest).await;
    }

    fn add(&mut self, (room, kind, marker): Said, now: Instant) {
        let waiting = self
            .rooms
            .entry((room, kind))
            .or_insert_with(|| Waiting { due: now, markers: HashMap::new() });
        waiting
            .markers
            .entry(marker.user.clone())
            .and_modify(|known| known.advance(&marker))
            .or_insert(marker);
    }

    /// What is to be told now. A room with nothing to tell in its time is forgotten.
    fn due(&mut self, now: Instant) -> Vec<(RoomId, MarkerKind, Vec<Marker>)> {
        let mut due = Vec::new();
        self.rooms.retain(|(room, kind), waiting| {
            if waiting.due > now {
                return true;
            }
            let markers: Vec<_> = waiting.markers.drain().map(|(_, marker)| marker).collect();
            waiting.due = now + PACE;
            let told = !markers.is_empty();
            if told {
                due.push((room.clone(), *kind, markers));
            }
            told
        });
        due
    }

    async fn tell(&self, due: Vec<(RoomId, MarkerKind, Vec<Marker>)>) {
        if due.is_empty() {
            return;
        }
        let records = due.into_iter().map(|(room, kind, markers)| record(&room, kind, markers));
        if let Err(error) = self.log.append_all(records).await {
            tracing::warn!(%error, "read markers were lost; clients repeat them");
        }
    }
}

fn record(room: &RoomId, kind: MarkerKind, markers: Vec<Marker>) -> Publish {
    let (room_id, at) = (room.clone(), Timestamp::now());
    let event = match kind {
        MarkerKind::Read => Event::Read { room: room_id, at, markers },
        MarkerKind::Delivered => Event::Delivered { room: room_id, at, markers },
    };
    // Strings and numbers always serialise.
    let json = serde_json::to_string(&event).unwrap_or_default();
    Publish::kept(json_message(&markers_topic(room), json))
}
