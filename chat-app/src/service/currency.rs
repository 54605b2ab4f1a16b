//! How current this process is with the log: what it has read decides whether it may trust
//! its memory.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use stomp_server::broker::Broker;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What lags further behind is asked of SQL.
const LAG: Duration = Duration::from_secs(1);
/// How often the log is asked for its heads.
const PULSE: Duration = Duration::from_millis(300);

/// Knows as of when everything in the log has been read here.
#[derive(Debug)]
pub(crate) struct Currency(Mutex<State>);

#[derive(Debug)]
struct State {
    /// For each partition what is read next. None at all where nothing is read.
    places: Vec<u64>,
    /// Everything that was in the log at this time has been read.
    current_at: Option<Instant>,
    /// What was in the log at this time, to be read.
    asked: Option<(Instant, Vec<u64>)>,
}

impl Currency {
    /// Of a process that does not read the log: never current.
    pub(crate) fn never() -> Self {
        Self(Mutex::new(State { places: Vec::new(), current_at: None, asked: None }))
    }

    /// Of a process that reads on from these heads, which it has just seen.
    pub(crate) fn reading_from(heads: Vec<u64>) -> Self {
        let current_at = Some(Instant::now());
        Self(Mutex::new(State { places: heads, current_at, asked: None }))
    }

    /// Everything of this partition below `next` has been read, and taken to heart.
    pub(crate) fn read(&self, partition: u32, next: u64) {
        let mut state = self.0.lock();
        if let Some(place) = state.places.get_mut(partition as usize) {
            *place = next;
        }
    }

    /// For each partition what is read next.
    pub(crate) fn places(&self) -> Vec<u64> {
        self.0.lock().places.clone()
    }

    /// What lay before these heads was not read, and never will be.
    pub(crate) fn begin_again(&self, heads: Vec<u64>) {
        *self.0.lock() = State { places: heads, current_at: Some(Instant::now()), asked: None };
    }

    /// Whether what this process remembers is of the last moment.
    pub(crate) fn is_current(&self) -> bool {
        self.was_current(Instant::now())
    }

    fn was_current(&self, now: Instant) -> bool {
        let mut state = self.0.lock();
        let recent =
            |at: Option<Instant>| at.is_some_and(|at| now.saturating_duration_since(at) < LAG);
        if recent(state.current_at) {
            return true;
        }
        state.settle();
        recent(state.current_at)
    }

    /// Asks the log for its heads, again and again, until `stop`.
    pub(crate) async fn run(self: Arc<Self>, broker: Arc<dyn Broker>, stop: CancellationToken) {
        loop {
            let asked_at = Instant::now();
            let heads = tokio::select! {
                () = stop.cancelled() => return,
                log = broker.log() => log.ok().map(|log| log.heads),
            };
            {
                let mut state = self.0.lock();
                state.settle();
                // An older question that is still open is nearer to its answer.
                if state.asked.is_none() {
                    state.asked = heads.map(|heads| (asked_at, heads));
                }
                state.settle();
            }
            if tokio::time::timeout(PULSE, stop.cancelled()).await.is_ok() {
                return;
            }
        }
    }
}

impl State {
    /// Sees whether what was asked for has been read by now.
    fn settle(&mut self) {
        let Some((at, heads)) = &self.asked else { return };
        let is_read = heads.len() == self.places.len()
            && heads.iter().zip(&self.places).all(|(head, place)| place >= head);
        if is_read {
            self.current_at = self.current_at.max(Some(*at));
            self.asked = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(currency: &Currency, at: Instant, heads: &[u64]) {
        currency.0.lock().asked = Some((at, heads.to_vec()));
    }

    #[test]
    fn who_has_not_read_what_was_there_a_second_ago_is_not_current() {
        let currency = Currency::reading_from(vec![3, 7]);
        let begin = Instant::now();
        let later = begin + LAG;
        assert!(currency.was_current(begin));
        ask(&currency, begin, &[4, 7]);
        assert!(!currency.was_current(later), "the fourth has not been read");
        currency.read(0, 4);
        assert!(!currency.was_current(later), "it has been, but what came since is not known");
        ask(&currency, later, &[4, 7]);
        assert!(currency.was_current(later));
        assert!(!currency.was_current(later + LAG), "nobody has asked the log since");
        assert!(!Currency::never().is_current());
    }
}
