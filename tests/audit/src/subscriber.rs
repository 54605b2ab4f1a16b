//! A subscriber that moves between instances, of its own accord and when it must, and goes on
//! where it was.

use std::{
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use rand::{Rng, SeedableRng, rngs::StdRng};
use stomp_core::{Command, Frame};
use tokio::time::{sleep, timeout};

use crate::{
    book::Book,
    link::{End, Link},
    publisher::{destination_name, read_body},
    record::{Place, Seen},
};

/// Between two attempts to connect.
const PAUSE: Duration = Duration::from_millis(50);

/// How often it looks whether to go.
const LOOK: Duration = Duration::from_millis(50);

/// How long a SUBSCRIBE may wait for its receipt before another instance is tried. A log that is
/// away keeps it waiting for as long as `--publish-timeout`.
const RECEIPT: Duration = Duration::from_secs(15);

/// One subscriber.
pub(crate) struct Subscriber {
    number: usize,
    topics: Vec<Topic>,
    /// How long it stays on an instance, in milliseconds.
    stay: Range<u64>,
    book: Arc<Book>,
    chance: StdRng,
}

struct Topic {
    destination: usize,
    track: usize,
    /// Behind what it goes on.
    place: Option<Place>,
    is_receipted: bool,
    /// What it has to reach to be whole again.
    target: Option<Place>,
}

impl Subscriber {
    pub(crate) fn new(
        number: usize,
        destinations: &[usize],
        stay: Range<u64>,
        book: Arc<Book>,
        seed: u64,
    ) -> Self {
        let topics = destinations.iter().map(|destination| Topic {
            destination: *destination,
            track: book.track(number, *destination),
            place: None,
            is_receipted: false,
            target: None,
        });
        let chance = StdRng::seed_from_u64(seed ^ ((number as u64 + 1) << 48));
        Self { number, topics: topics.collect(), stay, book: book.clone(), chance }
    }

    /// Listens until the cell is over.
    pub(crate) async fn run(mut self) {
        let mut instance = self.number;
        let mut lost = None;
        while !self.book.must_stop() {
            let since = *lost.get_or_insert_with(Instant::now);
            let lived = self.live(instance, since).await;
            if let Lived::Whole = lived {
                lost = None;
            }
            instance += self.step();
            if let Lived::Not = lived {
                sleep(PAUSE).await;
            }
        }
    }

    fn step(&mut self) -> usize {
        let instances = self.book.instances();
        if instances == 1 { 0 } else { self.chance.random_range(1..instances) }
    }

    /// One connection's life, for a reconnect that began at `since`.
    async fn live(&mut self, instance: usize, since: Instant) -> Lived {
        let mut is_whole = false;
        let end = self.listen(instance, since, &mut is_whole).await;
        if let Err(end) = end {
            self.book.figures.lock().ended(&end);
        }
        if is_whole { Lived::Whole } else { Lived::Not }
    }

    async fn listen(
        &mut self,
        instance: usize,
        since: Instant,
        is_whole: &mut bool,
    ) -> Result<(), End> {
        let is_first = self.topics.iter().any(|topic| topic.place.is_none());
        for topic in &mut self.topics {
            topic.is_receipted = false;
            topic.target = self.book.head(topic.destination);
        }
        let login = format!("subscriber-{}", self.number);
        let mut link = Link::open(self.book.door(instance), &login).await?;
        for at in 0..self.topics.len() {
            link.put(&self.subscribe(at));
        }
        link.flush().await?;
        let stay = Duration::from_millis(self.chance.random_range(self.stay.clone()));
        let asked = Instant::now();
        let mut whole_since = None;
        while !self.book.must_stop() {
            if let Ok(frame) = timeout(LOOK, link.next()).await {
                self.take(&frame?)?;
            }
            if whole_since.is_none() && self.topics.iter().all(Topic::is_whole) {
                whole_since = Some(Instant::now());
                *is_whole = true;
                if !is_first {
                    self.book.figures.lock().moves.push(since.elapsed());
                }
            }
            if whole_since.is_none() && asked.elapsed() > RECEIPT {
                return Err(End::Silent);
            }
            if whole_since.is_some_and(|since| since.elapsed() >= stay) {
                return Ok(()); // without a word: the connection is dropped with all in it
            }
        }
        Ok(())
    }

    fn subscribe(&self, at: usize) -> Frame {
        let topic = &self.topics[at];
        let from = topic.place.map(|place| place.to_string());
        Frame::builder(Command::Subscribe)
            .header("id", &at.to_string())
            .header("destination", &destination_name(topic.destination))
            .header("receipt", &at.to_string())
            .header_if("from", from.as_deref())
            .build()
    }

    fn take(&mut self, frame: &Frame) -> Result<(), End> {
        let header = |name: &str| frame.header(name).unwrap_or_default().into_owned();
        let wrong = || End::Refused("unexpected".to_owned(), format!("{frame:?}"));
        let place = header("position").parse::<Place>().map_err(|()| wrong())?;
        match frame.command() {
            Command::Receipt => {
                let topic = self.topic(&header("receipt-id")).ok_or_else(wrong)?;
                let recovered = frame.header("recovered").map(|word| word == "true");
                topic.is_receipted = true;
                if recovered != Some(true) {
                    topic.place = Some(place);
                    topic.target = topic.target.filter(|target| target.epoch == place.epoch);
                }
                let track = topic.track;
                self.book.seen(track, Seen::Began { place, recovered });
            }
            Command::Message => {
                let topic = self.topic(&header("subscription")).ok_or_else(wrong)?;
                let (destination, track) = (topic.destination, topic.track);
                topic.place =
                    topic.place.filter(|known| known.epoch == place.epoch).max(Some(place));
                let is_receipted = topic.is_receipted;
                let is_here = header("destination") == destination_name(destination);
                match read_body(frame.body()) {
                    Some(id) if is_here && is_receipted => {
                        self.book.seen(track, Seen::Message { place, id });
                    }
                    _ => self.book.strange(format!(
                        "subscriber {} of {destination}: damaged, of another destination, or \
                         before its receipt: {frame:?}",
                        self.number
                    )),
                }
            }
            _ => return Err(wrong()),
        }
        Ok(())
    }

    fn topic(&mut self, number: &str) -> Option<&mut Topic> {
        self.topics.get_mut(number.parse::<usize>().ok()?)
    }
}

impl Topic {
    fn is_whole(&self) -> bool {
        self.is_receipted && self.target.is_none_or(|target| self.place >= Some(target))
    }
}

enum Lived {
    /// All was there before it ended.
    Whole,
    /// It ended first.
    Not,
}
