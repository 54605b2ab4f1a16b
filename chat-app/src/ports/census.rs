//! What there is in all, for the operator.

use serde::Serialize;

use crate::domain::Timestamp;

/// How much the database has.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Census {
    pub(crate) users: i64,
    pub(crate) rooms: i64,
    /// Deleted ones keep their place and count.
    pub(crate) messages: i64,
    #[serde(rename = "newest_rooms")]
    pub(crate) newest: Vec<BusyRoom>,
}

/// A room that was written to.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct BusyRoom {
    pub(crate) id: String,
    pub(crate) kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    pub(crate) members: i64,
    pub(crate) messages: i64,
    pub(crate) active_at: Timestamp,
}
