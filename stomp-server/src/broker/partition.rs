//! Which partition of a log a destination belongs to.

/// How a log is divided. A destination always falls into the same partition, which is what
/// makes its messages comparable; what lies in different ones has no order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Partitions {
    count: u32,
    /// What of a destination decides.
    key: fn(&str) -> &str,
}

impl Partitions {
    /// A log of one sequence.
    pub(super) const ONE: Self = Self { count: 1, key: whole };

    /// So many, at least one.
    #[cfg_attr(not(feature = "kafka"), allow(dead_code, reason = "only a shared log has many"))]
    pub(super) fn new(count: u32) -> Self {
        Self { count: count.max(1), key: whole }
    }

    /// The same, decided by a part of the destination.
    #[cfg_attr(not(feature = "kafka"), allow(dead_code, reason = "only a shared log has many"))]
    pub(super) fn keyed(self, key: fn(&str) -> &str) -> Self {
        Self { key, ..self }
    }

    pub(super) fn count(self) -> usize {
        self.count as usize
    }

    /// The partition of a destination, as Kafka's own clients compute it from a key.
    pub(super) fn of(self, route: &str) -> usize {
        if self.count == 1 {
            return 0;
        }
        (murmur2((self.key)(route).as_bytes()) & 0x7fff_ffff) as usize % self.count()
    }
}

/// All of a destination decides about its partition: the default.
pub(super) fn whole(route: &str) -> &str {
    route
}

/// MurmurHash 2 for 32 bits, with the seed that Kafka's partitioner has.
fn murmur2(bytes: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const FACTOR: u32 = 0x5bd1_e995;
    let mix = |word: u32| {
        let word = word.wrapping_mul(FACTOR);
        (word ^ (word >> 24)).wrapping_mul(FACTOR)
    };
    let (words, rest) = bytes.as_chunks::<4>();
    let mut hash = SEED ^ bytes.len() as u32;
    for word in words {
        hash = hash.wrapping_mul(FACTOR) ^ mix(u32::from_le_bytes(*word));
    }
    if !rest.is_empty() {
        let tail = rest.iter().rev().fold(0, |tail, byte| (tail << 8) | u32::from(*byte));
        hash = (hash ^ tail).wrapping_mul(FACTOR);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(FACTOR);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values that Kafka's own tests expect.
    #[test]
    fn the_hash_is_that_of_kafka() {
        for (text, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(text.as_bytes()) as i32, hash, "{text}");
        }
    }

    #[test]
    fn destinations_with_the_same_key_lie_together() {
        let partitions =
            Partitions::new(64).keyed(|route| route.rsplit('.').next().unwrap_or(route));
        for n in 0..100 {
            let (one, other) = (format!("/topic/rooms.{n}"), format!("/topic/markers.{n}"));
            assert_eq!(partitions.of(&one), partitions.of(&other));
        }
    }

    #[test]
    fn a_log_of_one_sequence_takes_everything() {
        assert_eq!(Partitions::ONE.of("/topic/a"), 0);
        assert!((0..100).all(|n| Partitions::new(7).of(&format!("/topic/{n}")) < 7));
    }
}
