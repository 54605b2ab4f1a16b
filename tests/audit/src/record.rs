//! What publishers and subscribers came to know, as it happened. The judge sees nothing else.

use std::{collections::BTreeMap, fmt, str::FromStr};

/// What a message is known by: its publisher and the publisher's number for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Id {
    pub(crate) publisher: u16,
    pub(crate) number: u32,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.publisher, self.number)
    }
}

impl FromStr for Id {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (publisher, number) = text.split_once('-').ok_or(())?;
        let (publisher, number) = (publisher.parse(), number.parse());
        Ok(Self { publisher: publisher.map_err(|_| ())?, number: number.map_err(|_| ())? })
    }
}

/// A position, as the wire writes it: 8 hex digits of the epoch, 16 of the offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    pub(crate) epoch: u32,
    pub(crate) offset: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{:016x}", self.epoch, self.offset)
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (epoch, offset) = text.split_once('-').ok_or(())?;
        let epoch = u32::from_str_radix(epoch, 16).map_err(|_| ())?;
        Ok(Self { epoch, offset: u64::from_str_radix(offset, 16).map_err(|_| ())? })
    }
}

/// One message, as its publisher knows it.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) destination: usize,
    /// Messages of one publisher and one line have an order. Who sends again what was not
    /// receipted has one line; who does not has a line for each connection, because what was on
    /// its way when one was lost may still arrive.
    pub(crate) line: u32,
    /// What its receipts said, one for each time that it was sent and answered.
    pub(crate) receipts: Vec<Place>,
}

/// One thing that a subscriber was told about a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// A SUBSCRIBE was receipted; `recovered` is missing where it did not ask.
    Began { place: Place, recovered: Option<bool> },
    /// A message came.
    Message { place: Place, id: Id },
}

/// All that one subscriber was told about one destination, in the order in which it came.
#[derive(Clone, Debug)]
pub(crate) struct Track {
    pub(crate) subscriber: usize,
    pub(crate) destination: usize,
    pub(crate) seen: Vec<Seen>,
}

/// Everything.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    pub(crate) sent: BTreeMap<Id, Sent>,
    pub(crate) tracks: Vec<Track>,
    /// Things that must not come at all: damaged bodies, messages of other destinations.
    pub(crate) strange: Vec<String>,
}
