//! What an application keeps of the log in a form of its own: replays that begin there.

use std::{fmt, sync::Arc};

use async_trait::async_trait;

use super::{JournalError, Logged, Position};

/// Tells of the past as it stands now, where the newest messages in memory do not reach.
///
/// Positions are those of the log. What changed later stands at the place of its last change;
/// whoever applies what is told, over what it had at the place where it asked, has what there
/// is now.
#[async_trait]
pub trait History: fmt::Debug + Send + Sync {
    /// Whether everything of this destination behind `after` can be told, and is not more than
    /// a subscriber should be sent.
    async fn reaches(&self, route: &str, partition: u32, after: Position) -> bool;

    /// The next part of it, of at most `max` messages.
    ///
    /// # Errors
    /// While it cannot be read; it will be asked again, or the log instead.
    async fn behind(
        &self,
        route: &str,
        partition: u32,
        after: Position,
        max: usize,
    ) -> Result<Chapter, JournalError>;

    /// Messages of one destination that memory or the log still has, each as it may be told now:
    /// as many, in the same order. By default as they were accepted. Asked for every piece of a
    /// replay, so what needs no look elsewhere should take none.
    ///
    /// # Errors
    /// While that cannot be known; the replay waits, and it will be asked again.
    async fn retold(
        &self,
        _route: &str,
        _partition: u32,
        messages: Vec<Arc<Logged>>,
    ) -> Result<Vec<Arc<Logged>>, JournalError> {
        Ok(messages)
    }
}

/// A part of a history.
#[derive(Clone, Debug)]
pub struct Chapter {
    /// In the order of their positions, which all of them have.
    pub messages: Vec<Logged>,
    /// Up to this offset of the partition nothing is left out.
    pub upto: u64,
}
