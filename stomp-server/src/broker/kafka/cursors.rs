//! Places of durable subscriptions, kept in a compacted topic that every instance reads.
//!
//! Who holds a place is decided by the order of that topic, which is the same for all: a claim
//! is granted if nobody holds the place, or its holder's instance has not been heard of for a
//! [`LEASE`], by the times of the log. What a holder writes after it has lost its place is
//! passed over by everybody. The rules are in [`book`]; here is what an instance does with them.

mod book;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use rdkafka::{Message, message::BorrowedMessage};
use tokio::sync::{Notify, oneshot};

use self::book::{Book, Change, Line, Place, Subject, Verb, Verdict};
use super::{producer, upkeep::Current};
use crate::{
    broker::{BrokerError, DurableKey, Epoch, Replier, Reply, hub::now_ms, journal::PlaceEntry},
    problem::Code,
};

/// How long an instance may be silent before its places can be had by others.
const LEASE: Duration = Duration::from_secs(5);

/// How often an instance that holds places is heard of.
const BEAT: Duration = Duration::from_secs(1);

/// How long what is of no use stays in the topic: an instance's name, in times of its lease; a
/// place, in times of its age.
const INSTANCE_AGE: Duration = Duration::from_secs(24 * 3600);
const PLACE_AGES: u32 = 4;

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// The places as this instance knows them.
pub(super) struct Cursors {
    topic: String,
    /// What this instance is called; drawn at its start.
    instance: String,
    epoch: Epoch,
    place_age: Duration,
    patience: Duration,
    producer: Current,
    state: Mutex<State>,
    /// Told when a record has been read.
    read: Notify,
}

#[derive(Debug, Default)]
struct State {
    book: Book,
    /// Up to here the topic has been read, as Kafka counts.
    next: i64,
    claims: u64,
    /// Who waits for a verdict, by the number of the claim.
    waiting: HashMap<u64, oneshot::Sender<Verdict>>,
    /// Places that are held here, by the claim that was granted.
    held: HashMap<DurableKey, Held>,
    /// Places that are being claimed here.
    claiming: HashSet<DurableKey>,
    last_beat: Option<Instant>,
}

#[derive(Debug)]
struct Held {
    claim: u64,
    place: Option<PlaceEntry>,
    /// Something was written and is not known to be kept.
    is_writing: bool,
    /// Who waits for the next thing to be written.
    waiting: Vec<Replier<()>>,
}

/// A place that was had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Claimed {
    /// Nobody has been there before.
    New,
    /// It is here.
    At(u64),
    /// What it stands for is no longer kept.
    Gone,
}

impl Cursors {
    pub(super) fn new(
        topic: String,
        epoch: Epoch,
        broker: &crate::broker::BrokerConfig,
        producer: Current,
    ) -> Self {
        Self {
            topic,
            instance: format!("{:016x}", rand::random::<u64>()),
            epoch,
            place_age: broker.place_age,
            patience: 2 * broker.publish_timeout,
            producer,
            state: Mutex::default(),
            read: Notify::new(),
        }
    }

    pub(super) fn topic(&self) -> &str {
        &self.topic
    }

    /// Takes in a record of the topic. Tells a place that was held here and is no longer.
    pub(super) fn apply(self: &Arc<Self>, record: &BorrowedMessage<'_>) -> Option<DurableKey> {
        let at_ms = record.timestamp().to_millis().unwrap_or(0).max(0) as u64;
        let line = record.payload().map(serde_json::from_slice::<Line>);
        let subject = record.key().and_then(book::subject);
        let mut state = self.state.lock();
        state.next = record.offset() + 1;
        let mut lost = None;
        let mut again = None;
        match (subject, line.transpose()) {
            (Some(Subject::Instance(instance)), Ok(Some(_))) => state.book.hear(&instance, at_ms),
            (Some(Subject::Instance(instance)), Ok(None)) => state.book.part(&instance),
            (Some(Subject::Place(key)), Ok(line)) => {
                let claim = line.as_ref().filter(|line| line.instance == self.instance);
                let claim = claim.map(|line| line.claim);
                match state.book.apply(&key, line, at_ms) {
                    Change::Decided { verdict, lost_by } => {
                        if lost_by.is_some_and(|holder| holder.instance == self.instance) {
                            lost = state.held.remove(&key).map(|_| key.clone());
                        }
                        match claim {
                            Some(claim) => state.decide(claim, &key, verdict),
                            None if verdict.is_refusal() => again = Some(key),
                            None => {}
                        }
                    }
                    Change::PassedOver(holder) if holder.instance == self.instance => {
                        again = Some(key);
                    }
                    Change::PassedOver(_) | Change::Nothing => {}
                }
            }
            (None, _) | (_, Err(_)) => tracing::warn!("a place that makes no sense is passed over"),
        }
        drop(state);
        if let Some(key) = again {
            drop(self.write_place(&key, None));
        }
        self.read.notify_waiters();
        lost
    }

    /// Waits until the topic has been read up to an offset. Cancel-safe.
    pub(super) async fn read_up_to(&self, next: i64) {
        loop {
            let read = self.read.notified();
            tokio::pin!(read);
            read.as_mut().enable();
            if self.state.lock().next >= next {
                return;
            }
            read.await;
        }
    }

    /// Takes a place for a subscription of this instance.
    ///
    /// Where its holder seems to be gone, it waits until that is certain.
    pub(super) async fn claim(
        &self,
        key: &DurableKey,
        route: &str,
    ) -> Result<Claimed, BrokerError> {
        if !self.state.lock().claiming.insert(key.clone()) {
            return Err(in_use());
        }
        let claimed = self.claim_in_turn(key, route).await;
        self.state.lock().claiming.remove(key);
        claimed
    }

    async fn claim_in_turn(&self, key: &DurableKey, route: &str) -> Result<Claimed, BrokerError> {
        let begin = Instant::now();
        loop {
            match self.try_claim(key, route).await? {
                Verdict::Granted(place) => return Ok(self.judge(place)),
                Verdict::Refused { holder, at_ms } => {
                    let is_alive = self.hear(&holder, at_ms).await;
                    if is_alive || begin.elapsed() > 3 * LEASE {
                        return Err(in_use());
                    }
                }
            }
        }
    }

    /// Waits until an instance is heard of after a moment, and says that it lives; or until it
    /// has been silent for so long that its places are free.
    async fn hear(&self, instance: &str, after_ms: u64) -> bool {
        let hearing = async {
            loop {
                let read = self.read.notified();
                tokio::pin!(read);
                read.as_mut().enable();
                match self.state.lock().book.heard_ms(instance) {
                    Some(heard) if heard > after_ms => return true,
                    Some(_) => {}
                    None => return false,
                }
                read.await;
            }
        };
        tokio::time::timeout(LEASE + BEAT / 2, hearing).await.unwrap_or(false)
    }

    async fn try_claim(&self, key: &DurableKey, route: &str) -> Result<Verdict, BrokerError> {
        let (sender, verdict) = oneshot::channel();
        let (line, claim) = {
            let mut state = self.state.lock();
            if state.held.contains_key(key) {
                return Err(in_use());
            }
            state.claims += 1;
            let claim = state.claims;
            state.waiting.insert(claim, sender);
            let known = state.book.place(key);
            (self.line(Verb::Claim, claim, route, known), claim)
        };
        let (replier, written) = Reply::later();
        self.send(&book::place_key(key), Some(&line), |outcome| replier.send(outcome));
        let outcome = match written.await {
            Err(error) => Err(error),
            Ok(()) => match tokio::time::timeout(self.patience, verdict).await {
                Ok(Ok(verdict)) => Ok(verdict),
                Ok(Err(_)) | Err(_) => Err(super::unavailable()),
            },
        };
        self.state.lock().waiting.remove(&claim);
        outcome
    }

    fn judge(&self, place: Option<Place>) -> Claimed {
        let Some(place) = place else { return Claimed::New };
        let Some(offset) = place.offset else { return Claimed::New };
        let is_old = now_ms().saturating_sub(place.used_ms) > self.place_age.as_millis() as u64;
        if is_old || place.epoch != self.epoch.to_string() {
            return Claimed::Gone;
        }
        Claimed::At(offset)
    }

    /// Keeps how far a subscription here has come.
    pub(super) fn hold(self: &Arc<Self>, place: PlaceEntry) -> Reply<()> {
        let key = place.key.clone();
        self.write_place(&key, Some(place))
    }

    /// Keeps a place whose subscription has ended, for whoever comes back.
    pub(super) fn free(&self, place: PlaceEntry) -> Reply<()> {
        let Some(mut held) = self.state.lock().held.remove(&place.key) else {
            return Reply::now(Ok(()));
        };
        let line = self.line(Verb::Free, held.claim, &place.route, Some(self.known(&place)));
        let (replier, reply) = Reply::later();
        held.waiting.push(replier);
        self.send(&book::place_key(&place.key), Some(&line), |outcome| {
            answer(held.waiting, &outcome)
        });
        reply
    }

    /// Gives back a place that was claimed for nothing.
    pub(super) fn abandon(&self, key: &DurableKey, route: &str) {
        let (held, known) = {
            let mut state = self.state.lock();
            (state.held.remove(key), state.book.place(key))
        };
        let Some(held) = held else { return };
        let verb = if known.as_ref().is_some_and(|place| place.offset.is_some()) {
            Verb::Free
        } else {
            Verb::Forget
        };
        let line = self.line(verb, held.claim, route, known);
        self.send(&book::place_key(key), Some(&line), |outcome| answer(held.waiting, &outcome));
    }

    /// Forgets a place for good.
    pub(super) fn forget(&self, key: &DurableKey) -> Reply<()> {
        let Some(mut held) = self.state.lock().held.remove(key) else {
            return Reply::now(Ok(()));
        };
        let line = self.line(Verb::Forget, held.claim, "", None);
        let (replier, reply) = Reply::later();
        held.waiting.push(replier);
        self.send(&book::place_key(key), Some(&line), |outcome| answer(held.waiting, &outcome));
        reply
    }

    /// Lets the others hear of this instance while it holds something. Called often.
    pub(super) fn beat(&self) {
        let mut state = self.state.lock();
        if state.held.is_empty() || state.last_beat.is_some_and(|last| last.elapsed() < BEAT) {
            return;
        }
        state.last_beat = Some(Instant::now());
        drop(state);
        let line = self.line(Verb::Here, 0, "", None);
        self.send(&book::instance_key(&self.instance), Some(&line), |_| {});
    }

    /// Takes out of the topic what nobody can need. Called now and then.
    pub(super) fn tidy(&self) {
        let before = |age: Duration| now_ms().saturating_sub(age.as_millis() as u64);
        let (instances, places) = (before(INSTANCE_AGE), before(self.place_age * PLACE_AGES));
        let keys = self.state.lock().book.useless(instances, places);
        for key in keys {
            self.send(&key, None, |_| {});
        }
    }

    /// Says that this instance is gone.
    pub(super) async fn close(&self) {
        if self.state.lock().last_beat.is_none() {
            return; // nobody has heard of it
        }
        let (replier, reply) = Reply::<()>::later();
        self.send(&book::instance_key(&self.instance), None, |outcome| replier.send(outcome));
        if tokio::time::timeout(GOODBYE, reply).await.is_err() {
            tracing::debug!("nobody may have heard that this instance is gone");
        }
    }

    /// Writes where a held place is: one record at a time, and the newest place next.
    fn write_place(self: &Arc<Self>, key: &DurableKey, place: Option<PlaceEntry>) -> Reply<()> {
        let (replier, reply) = Reply::later();
        let mut state = self.state.lock();
        // It was lost meanwhile: whoever has it now says where it is.
        let Some(held) = state.held.get_mut(key) else { return Reply::now(Ok(())) };
        held.place = place.or(held.place.take());
        held.waiting.push(replier);
        let written = if held.is_writing { None } else { held.begin_writing() };
        drop(state);
        if let Some((claim, place, waiting)) = written {
            self.send_place(claim, place, waiting);
        }
        reply
    }

    fn send_place(self: &Arc<Self>, claim: u64, place: PlaceEntry, waiting: Vec<Replier<()>>) {
        let line = self.line(Verb::Hold, claim, &place.route, Some(self.known(&place)));
        let cursors = self.clone();
        let record = book::place_key(&place.key);
        self.send(&record, Some(&line), move |outcome| {
            answer(waiting, &outcome);
            cursors.go_on_writing(&place.key, claim);
        });
    }

    fn go_on_writing(self: &Arc<Self>, key: &DurableKey, claim: u64) {
        let mut state = self.state.lock();
        let Some(held) = state.held.get_mut(key).filter(|held| held.claim == claim) else { return };
        held.is_writing = false;
        if held.waiting.is_empty() {
            return;
        }
        let written = held.begin_writing();
        drop(state);
        if let Some((claim, place, waiting)) = written {
            self.send_place(claim, place, waiting);
        }
    }

    fn known(&self, place: &PlaceEntry) -> Place {
        Place {
            route: place.route.to_string(),
            epoch: self.epoch.to_string(),
            offset: Some(place.offset),
            used_ms: 0,
        }
    }

    fn line(&self, verb: Verb, claim: u64, route: &str, place: Option<Place>) -> Line {
        Line { verb, instance: self.instance.clone(), claim, route: route.to_owned(), place }
    }

    fn send(
        &self,
        key: &str,
        line: Option<&Line>,
        tell: impl FnOnce(Result<(), BrokerError>) + Send + Sync + 'static,
    ) {
        let value = line.map(serde_json::to_vec).transpose();
        let value = match value {
            Ok(value) => value,
            Err(error) => return tell(Err(BrokerError::unknown(error.to_string()))),
        };
        // Told in any case: by the producer, or here where it took nothing.
        let teller = Arc::new(Mutex::new(Some(tell)));
        let told = teller.clone();
        let tell_once = move |outcome| {
            let tell = told.lock().take();
            if let Some(tell) = tell {
                tell(outcome);
            }
        };
        let sent = producer::send_plain(
            &self.producer.read(),
            &self.topic,
            key,
            value.as_deref(),
            move |outcome| tell_once(outcome.map(|_| ())),
        );
        if let Err(error) = sent
            && let Some(tell) = teller.lock().take()
        {
            tell(Err(error));
        }
    }
}

impl std::fmt::Debug for Cursors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cursors").field("instance", &self.instance).finish_non_exhaustive()
    }
}

impl Held {
    /// What is to be written now, if anything is.
    fn begin_writing(&mut self) -> Option<(u64, PlaceEntry, Vec<Replier<()>>)> {
        let place = self.place.clone()?;
        self.is_writing = true;
        Some((self.claim, place, std::mem::take(&mut self.waiting)))
    }
}

impl State {
    fn decide(&mut self, claim: u64, key: &DurableKey, verdict: Verdict) {
        let Some(waiting) = self.waiting.remove(&claim) else { return };
        if matches!(verdict, Verdict::Granted(_)) {
            let (place, is_writing, waiting) = (None, false, Vec::new());
            self.held.insert(key.clone(), Held { claim, place, is_writing, waiting });
        }
        let _ = waiting.send(verdict);
    }
}

impl Verdict {
    fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }
}

fn answer(waiting: Vec<Replier<()>>, outcome: &Result<(), BrokerError>) {
    for replier in waiting {
        replier.send(outcome.clone());
    }
}

fn in_use() -> BrokerError {
    BrokerError::refused(Code::InUse, "This durable subscription is in use by another connection.")
}
