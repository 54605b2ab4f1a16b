//! How often a cache had the answer.

use metrics::{Counter, counter};

/// Counts `chat_cache_hits_total` and `chat_cache_misses_total` of one cache.
pub(super) struct Hits {
    hits: Counter,
    misses: Counter,
}

impl Hits {
    pub(super) fn of(cache: &'static str) -> Self {
        Self {
            hits: counter!("chat_cache_hits_total", "cache" => cache),
            misses: counter!("chat_cache_misses_total", "cache" => cache),
        }
    }

    pub(super) fn hit(&self) {
        self.hits.increment(1);
    }

    pub(super) fn missed(&self) {
        self.misses.increment(1);
    }
}
