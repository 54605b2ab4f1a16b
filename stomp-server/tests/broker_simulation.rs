//! Seeded lives of a broker: publishers, subscribers that come, go, acknowledge and resume, and
//! a journal that fails, over paused time. Whatever happens, every subscriber has got exactly
//! what was accepted behind its position, in order.
//!
//! `STOMP_SEEDS` sets how many lives (200), `STOMP_SEED` plays a single one again.

#![cfg(feature = "testing")]
#![allow(clippy::unwrap_used, reason = "a test that cannot begin has failed")]

mod flaky;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use rand::{
    Rng, SeedableRng,
    rngs::StdRng,
    seq::{IndexedMutRandom, IndexedRandom},
};
use stomp_server::{
    broker::{
        Accepted, Broker, BrokerConfig, Delivery, JournalBroker, MemoryBroker, Outcome, Place,
        Position, Reply, StartFrom, journal::MemoryJournal,
    },
    testing::listener::{Listener, Listening, body, kept},
};

use self::flaky::{Fault, Flaky};

const ROUTES: [&str; 3] = ["/topic/a", "/topic/b.c", "/topic/b.d"];
const STEPS: usize = 150;

#[test]
fn every_life_of_a_broker_keeps_its_promises() {
    let single = std::env::var("STOMP_SEED").ok().map(|seed| seed.parse().unwrap());
    let count = std::env::var("STOMP_SEEDS").map_or(200, |count| count.parse().unwrap());
    let seeds = single.map_or(0..count, |seed: u64| seed..seed + 1);
    for seed in seeds {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        let life = std::panic::AssertUnwindSafe(|| runtime.block_on(Life::begin(seed)));
        if let Err(cause) = std::panic::catch_unwind(life) {
            eprintln!("STOMP_SEED={seed} plays this life again");
            std::panic::resume_unwind(cause);
        }
    }
}

struct Life {
    random: StdRng,
    broker: Arc<dyn Broker>,
    journal: Option<Arc<Flaky<MemoryJournal>>>,
    clients: Vec<Client>,
    connections: u64,
    pending: VecDeque<(usize, u32, Reply<Accepted>)>,
    published: u32,
    /// What was accepted: where, which number, at which route.
    log: Vec<(Position, u32, usize)>,
}

struct Client {
    listener: Listener,
    pattern: &'static str,
    acks: bool,
    got: Vec<Delivery>,
    open: Vec<Delivery>,
}

impl Life {
    async fn begin(seed: u64) {
        let mut random = StdRng::seed_from_u64(seed);
        let ring_bytes = *[0, 4 << 10, 1 << 20].choose(&mut random).unwrap();
        let journal = random.random_bool(0.7).then(|| Arc::new(Flaky::over(MemoryJournal::new())));
        let broker: Arc<dyn Broker> = match &journal {
            Some(journal) => {
                let config = BrokerConfig { ring_bytes, ..BrokerConfig::default() };
                Arc::new(JournalBroker::over(journal.clone(), config).await.unwrap())
            }
            None => Arc::new(MemoryBroker::default()),
        };
        let mut life = Self {
            random,
            broker,
            journal,
            clients: Vec::new(),
            connections: 0,
            pending: VecDeque::new(),
            published: 0,
            log: Vec::new(),
        };
        for _ in 0..STEPS {
            life.step().await;
        }
        life.end().await;
    }

    async fn step(&mut self) {
        match self.random.random_range(0..100) {
            0..50 => self.publish(),
            50..62 => self.subscribe().await,
            62..66 => self.unsubscribe().await,
            66..82 => self.read().await,
            82..90 => self.settle().await,
            90..94 => self.change_the_weather(),
            _ => tokio::time::sleep(Duration::from_millis(self.random.random_range(0..300))).await,
        }
        if self.random.random_bool(0.3) {
            tokio::task::yield_now().await;
        }
    }

    fn publish(&mut self) {
        let route = self.random.random_range(0..ROUTES.len());
        for _ in 0..self.random.random_range(1..8) {
            let mut publish = kept(ROUTES[route], self.published);
            if self.random.random_bool(0.3) {
                publish = publish.deduplicated("ann", self.published.to_string());
                let again = publish.clone();
                let first = self.broker.publish(publish);
                self.pending.push_back((route, self.published, first));
                drop(self.broker.publish(again)); // a retry before the receipt
            } else {
                self.pending.push_back((route, self.published, self.broker.publish(publish)));
            }
            self.published += 1;
        }
    }

    async fn subscribe(&mut self) {
        if self.clients.len() > 8 {
            return self.unsubscribe().await;
        }
        self.connections += 1;
        let patterns = ["/topic/a", "/topic/b.c", "/topic/b.*", "/topic/#"];
        let pattern = *patterns.choose(&mut self.random).unwrap();
        let mut asked = Listening::to(self.connections, pattern);
        let acks = self.random.random_bool(0.4);
        if acks {
            asked = asked.acking(self.random.random_range(1..10));
        }
        if !pattern.contains(['*', '#']) {
            let known: Vec<_> = self.log.iter().map(|(position, ..)| *position).collect();
            asked = match (self.random.random_range(0..4), known.choose(&mut self.random)) {
                (0, _) => asked.from(StartFrom::First),
                (1, _) => asked.from(StartFrom::Last(self.random.random_range(1..20))),
                (2, Some(place)) => asked.from(StartFrom::After(*place)),
                _ => asked,
            };
        }
        let listener = asked.on(&*self.broker).await;
        self.clients.push(Client { listener, pattern, acks, got: vec![], open: vec![] });
    }

    /// Ends a subscription; what it has got until then must be the beginning of what it should.
    async fn unsubscribe(&mut self) {
        if self.clients.is_empty() {
            return;
        }
        let at = self.random.random_range(0..self.clients.len());
        let mut client = self.clients.swap_remove(at);
        client.read();
        self.broker.unsubscribe(client.listener.key, Place::Keep).await.unwrap();
        client.assert_rising();
    }

    async fn read(&mut self) {
        if let Some(client) = self.clients.choose_mut(&mut self.random) {
            client.read();
        }
        while let Some((_, _, reply)) = self.pending.front_mut() {
            let Some(outcome) = futures::FutureExt::now_or_never(&mut *reply) else { break };
            let (route, number, _) = self.pending.pop_front().unwrap();
            self.log.push((outcome.unwrap().position.unwrap(), number, route));
        }
    }

    async fn settle(&mut self) {
        if let Some(client) = self.clients.choose_mut(&mut self.random) {
            let count = self.random.random_range(0..=client.open.len());
            let some: Vec<_> = client.open.drain(..count).collect();
            client.listener.settle(&*self.broker, &some, Outcome::Ack).await;
        }
    }

    fn change_the_weather(&mut self) {
        let faults = [Fault::None, Fault::None, Fault::NotCommitted, Fault::Hang];
        let more = [Fault::UnknownKept, Fault::UnknownLost];
        if let Some(journal) = &self.journal {
            let fault =
                *faults.iter().chain(&more).collect::<Vec<_>>().choose(&mut self.random).unwrap();
            journal.set(*fault);
        }
    }

    /// Lets everything come to rest, then compares.
    async fn end(mut self) {
        if let Some(journal) = &self.journal {
            journal.set(Fault::None);
        }
        for (route, number, reply) in std::mem::take(&mut self.pending) {
            self.log.push((reply.await.unwrap().position.unwrap(), number, route));
        }
        self.log.sort();
        assert!(self.log.is_sorted_by_key(|(_, number, _)| *number), "calls stand in their order");
        for client in &mut self.clients {
            client.finish(&*self.broker).await;
            let place = client.listener.subscribed.position.unwrap();
            let expected: Vec<_> = self
                .log
                .iter()
                .filter(|(position, _, route)| {
                    *position > place && covers(client.pattern, ROUTES[*route])
                })
                .map(|(_, number, _)| number.to_string())
                .collect();
            let got: Vec<_> = client.got.iter().map(body).collect();
            assert_eq!(got, expected, "{} from {place}", client.pattern);
        }
        self.broker.close().await;
    }
}

impl Client {
    fn read(&mut self) {
        let mut some = Vec::new();
        self.listener.queue.drain(usize::MAX, &mut some);
        self.listener.queue.written(some.iter().map(Delivery::weight).sum());
        if self.acks {
            self.open.extend(some.iter().cloned());
        }
        self.got.extend(some);
    }

    async fn finish(&mut self, broker: &dyn Broker) {
        let mut quiet = 0;
        while quiet < 3 {
            let before = self.got.len();
            self.read();
            let open = std::mem::take(&mut self.open);
            self.listener.settle(broker, &open, Outcome::Ack).await;
            tokio::time::sleep(Duration::from_millis(600)).await;
            quiet = if self.got.len() == before { quiet + 1 } else { 0 };
        }
        self.assert_rising();
    }

    fn assert_rising(&self) {
        let positions: Vec<_> = self.got.iter().map(|one| one.logged.position).collect();
        assert!(positions.is_sorted_by(|one, two| one < two), "in log order, each once");
    }
}

fn covers(pattern: &str, route: &str) -> bool {
    match pattern {
        "/topic/#" => true,
        "/topic/b.*" => route.starts_with("/topic/b."),
        exact => exact == route,
    }
}
