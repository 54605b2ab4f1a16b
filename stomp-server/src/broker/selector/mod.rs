//! Selectors: which messages a subscription wants, said in a small part of SQL-92 as JMS has it.
//!
//! `parse` makes a [`Condition`] of the text once, with bounded depth and size; `evaluate` looks
//! at a message's headers. Nothing of a client's text is ever run.

mod evaluate;
mod like;
mod parse;
#[cfg(test)]
mod tests;

use std::{fmt, str::FromStr};

use stomp_core::SharedMessage;

use self::{like::Pattern, parse::MAX_LENGTH};

/// What a subscription wants of the messages of its destination.
///
/// Headers are text; next to a number they are read as one. What a message does not have is
/// unknown, as is a number that is none, and an unknown condition does not select.
///
/// ```
/// use stomp_core::SharedMessage;
/// use stomp_server::broker::Selector;
///
/// let selector: Selector = "kind = 'order' AND amount >= 100".parse()?;
/// let order = SharedMessage::new("/topic/a", [("kind", "order"), ("amount", "250")], "");
/// assert!(selector.selects(&order));
/// assert!(!selector.selects(&SharedMessage::new("/topic/a", [("kind", "order")], "")));
/// # Ok::<(), stomp_server::broker::InvalidSelector>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Selector {
    condition: Condition,
}

impl Selector {
    /// Whether it wants this message.
    pub fn selects(&self, message: &SharedMessage) -> bool {
        self.condition.holds(message) == Some(true)
    }
}

impl FromStr for Selector {
    type Err = InvalidSelector;

    fn from_str(text: &str) -> Result<Self, InvalidSelector> {
        parse::selector(text).map(|condition| Self { condition })
    }
}

/// The text is no selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct InvalidSelector {
    /// Where it goes wrong, in octets from the start.
    pub at: usize,
    /// What should be there, or is too much.
    pub wants: &'static str,
}

impl fmt::Display for InvalidSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, wants } = self;
        match *wants {
            parse::TOO_LONG => write!(f, "a selector has at most {MAX_LENGTH} octets"),
            parse::TOO_DEEP => write!(f, "the selector is nested too deep at octet {at}"),
            wants => write!(f, "the selector lacks {wants} at octet {at}"),
        }
    }
}

/// A condition: true, false, or unknown.
#[derive(Clone, Debug, PartialEq)]
enum Condition {
    /// One of them holds.
    Any(Vec<Condition>),
    /// All of them hold.
    All(Vec<Condition>),
    Not(Box<Condition>),
    /// A header that says `true` or `false`, or the word itself.
    Is(Operand),
    Compare(Operand, Comparison, Operand),
    /// Low and high, both included.
    Between(Operand, Operand, Operand),
    In(Operand, Vec<String>),
    Like(Operand, Pattern),
    /// The message does not have this header.
    IsNull(Operand),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    More,
    MoreOrEqual,
}

#[derive(Clone, Debug, PartialEq)]
enum Operand {
    Header(String),
    Text(String),
    Number(f64),
    Truth(bool),
}
