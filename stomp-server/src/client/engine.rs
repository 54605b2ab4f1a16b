//! The task that owns the connection, over all its lives.

use std::{
    collections::{BTreeMap, HashMap},
    future::{Future, pending},
    ops::ControlFlow,
    pin::pin,
    sync::{Arc, OnceLock},
    time::Duration,
};

use stomp_core::Frame;
use tokio::{
    sync::{Notify, mpsc, oneshot, watch},
    time::{Instant, sleep, sleep_until},
};

use super::{
    ClientError, Status,
    backoff::Backoff,
    builder::Settings,
    command::{Command, Told},
    entry::Entry,
    link::{Arrived, Link},
    outbox::Outbox,
};
use crate::problem::Code;

/// A session that lived this long was a success, so that pauses begin anew after it.
const WELL_AFTER: Duration = Duration::from_secs(5);

/// All that outlives a connection.
pub(super) struct Engine {
    pub(super) settings: Arc<Settings>,
    commands: mpsc::Receiver<Command>,
    /// The way back for messages that are acknowledged one by one.
    pub(super) back: mpsc::WeakSender<Command>,
    /// Told when an application has taken messages, or dropped a stream.
    pub(super) wake: Arc<Notify>,
    pub(super) status: watch::Sender<Status>,
    /// Why it is over, for whoever asks afterwards.
    pub(super) end: Arc<OnceLock<ClientError>>,
    pub(super) outbox: Outbox,
    pub(super) entries: BTreeMap<u64, Entry>,
    pub(super) unsubscribed: HashMap<u64, Told<()>>,
    pub(super) closing: Option<Closing>,
    /// Which connection this is; what belonged to an earlier one is void.
    pub(super) generation: u64,
    /// The errors queue has been subscribed to in this session.
    pub(super) hears_errors: bool,
}

/// Somebody wants it to end.
pub(super) struct Closing {
    by: Instant,
    told: Option<Told<()>>,
    /// DISCONNECT is written.
    pub(super) said: bool,
}

/// Why a session is over.
pub(super) enum End {
    /// As wished.
    Goodbye,
    /// It was lost, and the server may have said when to come back.
    Lost(Option<Duration>),
}

enum Event {
    Arrived(Arrived),
    Command(Option<Command>),
    Wake,
    Beat,
    Deadline,
}

impl Engine {
    pub(super) fn new(
        settings: Arc<Settings>,
        commands: mpsc::Receiver<Command>,
        back: mpsc::WeakSender<Command>,
        wake: Arc<Notify>,
        status: watch::Sender<Status>,
        end: Arc<OnceLock<ClientError>>,
    ) -> Self {
        Self {
            settings,
            commands,
            back,
            wake,
            status,
            end,
            outbox: Outbox::default(),
            entries: BTreeMap::new(),
            unsubscribed: HashMap::new(),
            closing: None,
            generation: 0,
            hears_errors: false,
        }
    }

    /// Connects, again and again, until nobody wants it any more or the server refuses for good.
    /// With `first`, the outcome of the first try is told there and a failure is the end.
    pub(super) async fn run(mut self, mut first: Option<Told<()>>) {
        let mut backoff = Backoff::new(self.settings.first_pause, self.settings.longest_pause);
        let error = loop {
            let settings = self.settings.clone();
            let wait = match self.meanwhile(async move { Link::open(&settings).await }).await {
                None => break ClientError::Closed,
                Some(Ok(link)) => {
                    if let Some(first) = first.take() {
                        let _ = first.send(Ok(()));
                    }
                    let start = Instant::now();
                    match self.session(link).await {
                        End::Goodbye => break ClientError::Closed,
                        End::Lost(wait) => {
                            if start.elapsed() >= WELL_AFTER {
                                backoff.reset();
                            }
                            wait
                        }
                    }
                }
                Some(Err(error)) if first.is_some() || self.is_final(&error) => break error,
                Some(Err(error)) => {
                    tracing::debug!(%error, "no connection");
                    retry_after(&error)
                }
            };
            let pause = backoff.next(wait);
            self.status.send_replace(Status::Waiting { tries: backoff.tries(), pause });
            if self.meanwhile(sleep(pause)).await.is_none() {
                break ClientError::Closed;
            }
            self.status.send_replace(Status::Connecting);
        };
        self.give_up(error, first);
    }

    /// Waits for something while there is no session. `None` if it shall end.
    async fn meanwhile<F: Future>(&mut self, work: F) -> Option<F::Output> {
        let mut work = pin!(work);
        loop {
            if self.closing.is_some() && self.outbox.is_empty() {
                return None;
            }
            tokio::select! {
                output = &mut work => return Some(output),
                command = self.commands.recv() => {
                    let command = command?; // all handles are dropped
                    self.on_command(command, None);
                }
                () = self.wake.notified() => {
                    self.entries.retain(|_, entry| !entry.is_dropped());
                }
                () = deadline(self.closing.as_ref()) => return None,
            }
        }
    }

    /// One connection, from CONNECTED to its end.
    async fn session(&mut self, mut link: Link) -> End {
        self.generation += 1;
        self.status.send_replace(Status::connected(&link.connected));
        let end = self.serve(&mut link).await;
        link.hang_up().await;
        self.hears_errors = false;
        self.outbox.session_over();
        self.entries.values_mut().for_each(Entry::session_over);
        for (_, told) in self.unsubscribed.drain() {
            let _ = told.send(Ok(())); // a lost connection has no subscriptions
        }
        end
    }

    async fn serve(&mut self, link: &mut Link) -> End {
        loop {
            loop {
                match link.frame() {
                    Ok(Some(frame)) => {
                        if let ControlFlow::Break(end) = self.on_frame(frame, link) {
                            return end;
                        }
                    }
                    Ok(None) => break,
                    Err(error) => {
                        tracing::warn!(%error, "the connection is given up");
                        return End::Lost(None);
                    }
                }
            }
            self.say_what_is_due(link);
            let beat = link.next_beat().map(Instant::from_std);
            let event = tokio::select! {
                arrived = link.arrive() => Event::Arrived(arrived),
                command = self.commands.recv(), if !self.is_saying_goodbye() => {
                    Event::Command(command)
                }
                () = self.wake.notified() => Event::Wake,
                () = until(beat) => Event::Beat,
                () = deadline(self.closing.as_ref()) => Event::Deadline,
            };
            match event {
                Event::Arrived(Arrived::End) if self.is_saying_goodbye() => return End::Goodbye,
                Event::Arrived(Arrived::End) => return End::Lost(None),
                Event::Arrived(_) | Event::Wake => {}
                Event::Command(Some(command)) => self.on_command(command, Some(link)),
                // All handles are dropped, and nobody waits for receipts any more.
                Event::Command(None) => {
                    self.closing = Some(Closing::now());
                    self.say_goodbye(link);
                }
                Event::Beat if !link.beat() => return End::Lost(None),
                Event::Beat => {}
                Event::Deadline => return End::Goodbye,
            }
        }
    }

    fn on_command(&mut self, command: Command, link: Option<&mut Link>) {
        match command {
            Command::Send(item) => self.outbox.push(item, link.map(|_| self.generation)),
            Command::Subscribe(entry) => {
                self.entries.insert(entry.number, *entry);
            }
            Command::Unsubscribe { number, forget, told } => {
                let entry = self.entries.remove(&number).filter(|entry| entry.asked);
                match (entry, link) {
                    (Some(entry), Some(link)) => {
                        self.unsubscribe(&entry, forget, link);
                        self.unsubscribed.insert(number, told);
                    }
                    _ => {
                        let _ = told.send(Ok(()));
                    }
                }
            }
            Command::Settle { generation, id, done, told } => {
                let current = link.filter(|_| generation == self.generation);
                let outcome = current.ok_or(ClientError::Lost).map(|link| settle(&id, done, link));
                let _ = told.send(outcome);
            }
            Command::Close { within, told } => {
                let by = Instant::now() + within;
                self.closing = Some(Closing { by, told: Some(told), said: false });
            }
        }
    }

    /// A refused login stays refused, unless it is one whose time was over and there is somebody
    /// to ask for another; everything else may pass.
    fn is_final(&self, error: &ClientError) -> bool {
        match error {
            ClientError::Refused(problem) if problem.code == Code::Expired => {
                !self.settings.renews_login()
            }
            ClientError::Refused(problem) => !super::error::is_passing(problem.code),
            ClientError::Invalid(_) => true,
            _ => false,
        }
    }

    /// Whether DISCONNECT has been written, after which nothing may be.
    pub(super) fn is_saying_goodbye(&self) -> bool {
        self.closing.as_ref().is_some_and(|closing| closing.said)
    }

    fn give_up(mut self, error: ClientError, first: Option<Told<()>>) {
        let _ = self.end.set(error.clone()); // before the channel closes: a caller may ask at once
        self.commands.close();
        while let Ok(command) = self.commands.try_recv() {
            self.on_command(command, None);
        }
        let all_receipted = self.outbox.is_empty();
        self.outbox.give_up(&error);
        for entry in std::mem::take(&mut self.entries).into_values() {
            if matches!(error, ClientError::Closed) && entry.opened.is_none() {
                continue; // its stream just ends
            }
            entry.fail(error.clone());
        }
        self.status.send_replace(Status::Closed);
        if let Some(told) = self.closing.and_then(|closing| closing.told) {
            let _ = told.send(if all_receipted { Ok(()) } else { Err(error.clone()) });
        }
        if let Some(first) = first {
            let _ = first.send(Err(error));
        }
    }
}

impl Closing {
    fn now() -> Self {
        Self { by: Instant::now() + super::LAST_WORDS, told: None, said: false }
    }
}

fn settle(id: &str, done: bool, link: &mut Link) {
    let command = if done { stomp_core::Command::Ack } else { stomp_core::Command::Nack };
    link.write(&Frame::builder(command).header("id", id).build());
}

fn retry_after(error: &ClientError) -> Option<Duration> {
    match error {
        ClientError::Refused(problem) => problem.retry_after,
        _ => None,
    }
}

async fn deadline(closing: Option<&Closing>) {
    until(closing.map(|closing| closing.by)).await;
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}

/// A channel for one outcome.
pub(super) fn told<T>() -> (Told<T>, oneshot::Receiver<Result<T, ClientError>>) {
    oneshot::channel()
}
