//! A publisher that keeps what has no receipt, and sends it again on whichever instance it
//! finds next, under the same ids.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use rand::{Rng, SeedableRng, rngs::StdRng};
use stomp_core::{Command, Frame};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::{
    book::Book,
    link::{End, Link},
    record::Id,
};

/// How a publisher goes about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// How many messages may be without a receipt.
    pub(crate) window: usize,
    /// How many messages a second it tries to send.
    pub(crate) rate: u32,
    /// Octets of a body.
    pub(crate) body: usize,
    /// Whether it sends again what was not receipted. One that does not never learns what became
    /// of it: that must then appear once at most.
    pub(crate) retries: bool,
    /// Whether its messages carry ids by which a retry is known.
    pub(crate) ids: bool,
    /// Whether it sends to all destinations by turns of chance, or to one of its own.
    pub(crate) roams: bool,
}

struct Open {
    id: Id,
    destination: usize,
    first_sent: Instant,
    attempts: u32,
}

/// One publisher and what it has open.
pub(crate) struct Publisher {
    number: u16,
    manner: Manner,
    destinations: usize,
    book: Arc<Book>,
    chance: StdRng,
    next: u32,
    /// See [`Sent::line`](crate::record::Sent::line).
    line: u32,
    open: VecDeque<Open>,
    last_receipt: Instant,
}

/// What a pause between two attempts to connect is.
const PAUSE: Duration = Duration::from_millis(50);

/// How long a connection that takes nothing more is read for what was said on it.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How often something is sent.
const TICK: Duration = Duration::from_millis(20);

impl Publisher {
    pub(crate) fn new(
        number: u16,
        manner: Manner,
        destinations: usize,
        book: Arc<Book>,
        seed: u64,
    ) -> Self {
        Self {
            number,
            manner,
            destinations,
            book,
            chance: StdRng::seed_from_u64(seed ^ (u64::from(number) << 32)),
            next: 1,
            line: 0,
            open: VecDeque::new(),
            last_receipt: Instant::now(),
        }
    }

    /// Publishes until it is told to stop and nothing is open, or until the cell is over.
    pub(crate) async fn run(mut self) {
        let mut instance = usize::from(self.number);
        while !self.book.must_stop() {
            match self.live(instance).await {
                Ok(()) => break,
                Err(end) => self.book.figures.lock().ended(&end),
            }
            if !self.manner.retries {
                self.open.clear();
                self.line += 1;
            }
            instance = self.another(instance);
            sleep(PAUSE).await;
        }
        self.book.publishers_done.fetch_add(1, Ordering::AcqRel);
    }

    fn another(&mut self, instance: usize) -> usize {
        let instances = self.book.instances();
        if instances == 1 { 0 } else { instance + self.chance.random_range(1..instances) }
    }

    /// One connection's life. Ends well only when all is done.
    async fn live(&mut self, instance: usize) -> Result<(), End> {
        let login = format!("publisher-{}", self.number);
        let mut link = Link::open(self.book.door(instance), &login).await?;
        for at in 0..self.open.len() {
            self.open[at].attempts += 1;
            link.put(&self.frame(at));
        }
        link.flush().await?;
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let (began, mut begun) = (Instant::now(), 0);
        loop {
            if self.book.must_stop() || self.book.must_stop_publishing() && self.open.is_empty() {
                return Ok(());
            }
            tokio::select! {
                frame = link.next() => self.take(&frame?)?,
                _ = ticks.tick() => {
                    let due = began.elapsed().as_millis() as u64 * u64::from(self.manner.rate) / 1000;
                    while begun < due && self.begin_one(&mut link) {
                        begun += 1;
                    }
                    begun = due; // what found no room is not made up for
                    if let Err(end) = link.flush().await {
                        return Err(self.last_words(&mut link, end).await);
                    }
                }
            }
        }
    }

    /// Reads what the server said before it was gone: receipts among it are receipts.
    async fn last_words(&mut self, link: &mut Link, end: End) -> End {
        while let Ok(Ok(frame)) = timeout(LAST_WORDS, link.next()).await {
            if self.take(&frame).is_err() {
                break;
            }
        }
        end
    }

    /// Sends one more, if there is room in the window.
    fn begin_one(&mut self, link: &mut Link) -> bool {
        if self.open.len() >= self.manner.window || self.book.must_stop_publishing() {
            return false;
        }
        let id = Id { publisher: self.number, number: self.next };
        let destination = if self.manner.roams {
            self.chance.random_range(0..self.destinations)
        } else {
            usize::from(self.number) % self.destinations
        };
        self.next += 1;
        if self.open.is_empty() {
            self.last_receipt = Instant::now(); // nothing was owed until now
        }
        self.book.sent(id, destination, self.line);
        self.open.push_back(Open { id, destination, first_sent: Instant::now(), attempts: 1 });
        link.put(&self.frame(self.open.len() - 1));
        true
    }

    fn frame(&self, at: usize) -> Frame {
        let Open { id, destination, .. } = self.open[at];
        let id = id.to_string();
        Frame::builder(Command::Send)
            .header("destination", &destination_name(destination))
            .header("receipt", &id)
            .header_if("message-dedup-id", self.manner.ids.then_some(id.as_str()))
            .body(body(&id, self.manner.body))
            .build()
    }

    fn take(&mut self, frame: &Frame) -> Result<(), End> {
        let wrong = |what: &str| End::Refused("unexpected".to_owned(), format!("{what} {frame:?}"));
        if frame.command() != Command::Receipt {
            return Err(wrong("not a receipt:"));
        }
        let receipt = frame.header("receipt-id").unwrap_or_default();
        let first = self.open.front().filter(|open| open.id.to_string() == receipt);
        let (Some(_), Some(place)) = (first, frame.header("position")) else {
            self.book.strange(format!("a receipt out of turn: {frame:?}"));
            return Err(wrong("out of turn:"));
        };
        let Ok(place) = place.parse() else { return Err(wrong("no position:")) };
        let Some(open) = self.open.pop_front() else { return Ok(()) };
        self.book.receipted(open.id, place);
        let is_duplicate = frame.header("duplicate").as_deref() == Some("true");
        let mut figures = self.book.figures.lock();
        figures.gap(self.last_receipt);
        if open.attempts == 1 {
            figures.round_trips.push(open.first_sent.elapsed());
        }
        figures.unknown += u64::from(is_duplicate && open.attempts > 1);
        self.last_receipt = Instant::now();
        Ok(())
    }
}

/// What a destination is called.
pub(crate) fn destination_name(destination: usize) -> String {
    format!("/topic/audit.{destination}")
}

/// A body of this size that its id can be told from, and any damage to it.
pub(crate) fn body(id: &str, size: usize) -> Vec<u8> {
    format!("{id} ").into_bytes().into_iter().cycle().take(size.max(id.len() + 1)).collect()
}

/// The id of a body, if it is whole.
pub(crate) fn read_body(octets: &[u8]) -> Option<Id> {
    let text = std::str::from_utf8(octets).ok()?;
    let (id, _) = text.split_once(' ')?;
    let id: Id = id.parse().ok()?;
    (body(&id.to_string(), octets.len()) == octets).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_tells_its_id_unless_it_is_damaged() {
        let id = Id { publisher: 3, number: 44 };
        let mut octets = body(&id.to_string(), 100);
        assert_eq!(octets.len(), 100);
        assert_eq!(read_body(&octets), Some(id));
        octets[60] ^= 1;
        assert_eq!(read_body(&octets), None);
        assert_eq!(read_body(&[]), None);
    }
}
