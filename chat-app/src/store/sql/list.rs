//! Many rows as one parameter.

use serde::Serialize;

/// Rows for a table made by [`Dialect::list`](super::dialect::Dialect::list); each row is a
/// tuple of texts and numbers in the order of its columns.
///
/// The parameter is JSON: neither database has arrays, both read JSON.
#[derive(Debug)]
pub(super) struct List(String);

impl List {
    pub(super) fn new<T: Serialize>(rows: impl IntoIterator<Item = T>) -> Self {
        let rows: Vec<T> = rows.into_iter().collect();
        // Tuples of texts and numbers always serialise.
        Self(serde_json::to_string(&rows).unwrap_or_default())
    }

    /// The parameter to be bound.
    pub(super) fn into_text(self) -> String {
        self.0
    }
}
