//! What the sessions of this process are told beside their rooms' own topics: derived from the
//! log, for users who are here, and kept for nobody.

use std::sync::Arc;

use stomp_server::{
    broker::{BrokerError, LogReader, Publish, Record},
    problem::Code,
};
use tokio_util::sync::CancellationToken;

use super::{Online, Withdrawn, exits::note};
use crate::{
    domain::{
        Event, LogRoute, Marker, MemberAction, Message, ROOMS_QUEUE, Room, RoomId, RoomsEvent,
        UserId, own_rooms_route, room_topic,
    },
    service::{Currency, Log, Memberships, json_message},
};

/// Records taken at a time.
const STRIDE: usize = 1000;

/// Reads the log from its head on.
pub(crate) struct FanOut {
    reader: Box<dyn LogReader>,
    currency: Arc<Currency>,
    teller: Teller,
}

/// Tells each session what it wants to know.
struct Teller {
    log: Log,
    memberships: Arc<Memberships>,
    online: Online,
    withdrawn: Withdrawn,
}

impl FanOut {
    /// Begins with what comes next: who was not here before has missed nothing.
    pub(crate) async fn open(
        log: Log,
        heads: &[u64],
        memberships: Arc<Memberships>,
        currency: Arc<Currency>,
        online: Online,
        withdrawn: Withdrawn,
    ) -> Result<Self, BrokerError> {
        let reader = log.broker().read_log(heads).await?;
        withdrawn.reads_from(heads);
        Ok(Self { reader, currency, teller: Teller { log, memberships, online, withdrawn } })
    }

    /// Works until the log is closed, or until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        loop {
            let read = tokio::select! {
                () = stop.cancelled() => return,
                read = self.reader.next(STRIDE) => read,
            };
            match read {
                Ok(batch) => {
                    for record in &batch.records {
                        self.teller.tell(record).await;
                    }
                    self.reader.taken_over(batch.partition, batch.next);
                    self.currency.read(batch.partition, batch.next);
                }
                Err(BrokerError::Refused(problem)) if problem.code == Code::Shutdown => return,
                Err(error) => self.begin_again(error, &stop).await,
            }
        }
    }

    /// Goes on where it was, or from the head where that is gone: then nothing that is
    /// remembered counts, because its changes may have been missed.
    async fn begin_again(&mut self, error: BrokerError, stop: &CancellationToken) {
        tracing::warn!(%error, "the log cannot be read; room lists are told nothing");
        const PAUSE: std::time::Duration = std::time::Duration::from_millis(500);
        let _ = tokio::time::timeout(PAUSE, stop.cancelled()).await;
        let broker = self.teller.log.broker().clone();
        if let Ok(reader) = broker.read_log(&self.currency.places()).await {
            self.reader = reader;
        } else if let Ok(log) = broker.log().await
            && let Ok(reader) = broker.read_log(&log.heads).await
        {
            self.reader = reader;
            self.teller.memberships.forget();
            self.teller.withdrawn.reads_from(&log.heads);
            self.currency.begin_again(log.heads);
        }
    }
}

impl Teller {
    async fn tell(&self, record: &Record) {
        let Some(route) = LogRoute::parse(&record.logged.route) else { return };
        let Ok(event) = serde_json::from_slice::<Event>(record.logged.message.body()) else {
            return;
        };
        let offset = record.offset;
        let position = record.logged.position.map(|position| position.to_string());
        let position = position.unwrap_or_default();
        match (route, event) {
            (LogRoute::Room(room), Event::Message { message, .. }) => {
                self.activity(&room, position, message).await;
            }
            (LogRoute::Room(room), Event::Deleted { id, .. }) => self.withdrawn.note(&room, &id),
            (LogRoute::Room(room), Event::Member { user, action, version, .. }) => {
                self.memberships.changed(&room, version).await;
                note(&self.online, &user, &room, action, offset);
                self.member(room, position, &user, action);
            }
            (LogRoute::Room(id), Event::Room { room, .. }) => {
                self.memberships.changed(&id, room.version).await;
            }
            (LogRoute::Markers(room), Event::Read { markers, at, .. }) => {
                self.own_markers(&room, &markers);
                let markers = public(markers);
                if !markers.is_empty() {
                    let event = Event::Read { room: room.clone(), at, markers };
                    self.to_small_room(&room, event).await;
                }
            }
            (LogRoute::Markers(room), Event::Delivered { markers, at, .. }) => {
                let markers = public(markers);
                if !markers.is_empty() {
                    let event = Event::Delivered { room: room.clone(), at, markers };
                    self.to_small_room(&room, event).await;
                }
            }
            (LogRoute::Markers(room), Event::Changed { version, .. }) => {
                self.memberships.changed(&room, version).await;
            }
            _ => {}
        }
    }

    /// Everybody in the room who is here learns that something was said.
    async fn activity(&self, room: &RoomId, position: String, message: Message) {
        let Ok(membership) = self.memberships.of(room).await else { return };
        let here = self.online.among(membership.members.keys());
        if here.is_empty() {
            return;
        }
        let last_message = Box::new(Message { position: Some(position.clone()), ..message });
        self.tell_users(
            &here,
            &RoomsEvent::Activity { room: room.clone(), position, last_message },
        );
    }

    /// Who came or went learns it, on all its sessions.
    fn member(&self, room: RoomId, position: String, user: &UserId, action: MemberAction) {
        if !self.online.is_here(user) {
            return;
        }
        let event = match action {
            MemberAction::Joined => RoomsEvent::Added { room, position },
            MemberAction::Left | MemberAction::Kicked | MemberAction::Banned => {
                RoomsEvent::Removed { room, position }
            }
            MemberAction::Role => return,
        };
        self.tell_users(&[user], &event);
    }

    /// Who has read learns it on its other devices.
    fn own_markers(&self, room: &RoomId, markers: &[Marker]) {
        for Marker { user, position, .. } in markers {
            if self.online.is_here(user) {
                let position = position.clone();
                self.tell_users(&[user], &RoomsEvent::Read { room: room.clone(), position });
            }
        }
    }

    /// Markers are worth their traffic only where few people share a room.
    async fn to_small_room(&self, room: &RoomId, event: Event) {
        let Ok(membership) = self.memberships.of(room).await else { return };
        if membership.members.len() > Room::MEMBERS_SHOWN {
            return;
        }
        if let Ok(json) = serde_json::to_string(&event) {
            self.log.tell_here(Publish::volatile(json_message(&room_topic(room), json)));
        }
    }

    /// One message for all of them, along each one's own route.
    fn tell_users(&self, users: &[&UserId], event: &RoomsEvent) {
        let Ok(json) = serde_json::to_string(event) else { return };
        let message = json_message(ROOMS_QUEUE, json);
        for user in users {
            let route = own_rooms_route(user.as_str());
            self.log.tell_here(Publish::volatile(message.clone()).routed(route));
        }
    }
}

/// Those that others may know of.
fn public(mut markers: Vec<Marker>) -> Vec<Marker> {
    markers.retain(|marker| !marker.private);
    markers
}
