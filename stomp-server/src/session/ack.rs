//! Acknowledgement ids of the client, and what the broker calls the same deliveries.

use std::{collections::VecDeque, fmt, str::FromStr};

use crate::broker::Token;

/// The `ack` header of a MESSAGE: the subscription's number and the delivery's within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AckId {
    pub(crate) subscription: u32,
    pub(crate) sequence: u64,
}

impl fmt::Display for AckId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.subscription, self.sequence)
    }
}

impl FromStr for AckId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (subscription, sequence) = text.split_once('-').ok_or(())?;
        Ok(Self { subscription: number(subscription)?, sequence: number(sequence)? })
    }
}

/// Digits only: what we wrote, and nothing that merely means the same.
fn number<T: FromStr>(text: &str) -> Result<T, ()> {
    let canonical = text == "0" || !text.starts_with('0');
    if !canonical || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(());
    }
    text.parse().map_err(|_| ())
}

/// The deliveries of one subscription that the client has not settled, oldest first.
///
/// Bounded by the subscription's prefetch, which the broker keeps.
#[derive(Debug, Default)]
pub(crate) struct Unsettled {
    next: u64,
    open: VecDeque<Open>,
}

#[derive(Debug)]
struct Open {
    sequence: u64,
    token: Token,
    message_id: String,
}

impl Unsettled {
    /// Notes a delivery and gives it its number.
    pub(crate) fn note(&mut self, token: Token, message_id: String) -> u64 {
        let sequence = self.next;
        self.next += 1;
        self.open.push_back(Open { sequence, token, message_id });
        sequence
    }

    /// The number of the delivery with this message id (STOMP 1.0 and 1.1).
    pub(crate) fn by_message_id(&self, id: &str) -> Option<u64> {
        self.open.iter().find(|open| open.message_id == id).map(|open| open.sequence)
    }

    /// Whether this delivery is open.
    pub(crate) fn contains(&self, sequence: u64) -> bool {
        self.index(sequence).is_some()
    }

    /// Settles this delivery or, cumulatively, it and all before it. Nothing if it is not open.
    pub(crate) fn settle(&mut self, sequence: u64, cumulative: bool) -> Option<Vec<Token>> {
        let index = self.index(sequence)?;
        let settled = if cumulative {
            self.open.drain(..=index).map(|open| open.token).collect()
        } else {
            self.open.remove(index).map(|open| open.token).into_iter().collect()
        };
        if self.open.is_empty() {
            self.open = VecDeque::new();
        }
        Some(settled)
    }

    fn index(&self, sequence: u64) -> Option<usize> {
        self.open.binary_search_by_key(&sequence, |open| open.sequence).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Unsettled {
        let mut unsettled = Unsettled::default();
        for n in 0..3 {
            assert_eq!(unsettled.note(Token(10 + n), format!("m{n}")), n);
        }
        unsettled
    }

    #[test]
    fn an_individual_ack_settles_one() {
        let mut unsettled = three();
        assert_eq!(unsettled.settle(1, false), Some(vec![Token(11)]));
        assert_eq!(unsettled.settle(1, false), None);
        assert!(unsettled.contains(0) && unsettled.contains(2));
    }

    #[test]
    fn a_cumulative_ack_settles_all_before_it_too() {
        let mut unsettled = three();
        assert_eq!(unsettled.settle(1, true), Some(vec![Token(10), Token(11)]));
        assert_eq!(unsettled.settle(0, true), None);
        assert_eq!(unsettled.by_message_id("m2"), Some(2));
    }

    #[test]
    fn only_ids_as_we_write_them_are_ids() {
        assert_eq!("3-14".parse(), Ok(AckId { subscription: 3, sequence: 14 }));
        for forged in ["", "-", "3", "3-", "-1", "+3-1", "03-1", "3-01", "3-1-1", "3- 1"] {
            assert_eq!(forged.parse::<AckId>(), Err(()), "{forged}");
        }
    }
}
