//! The statements that a batch of the log is made of; each handles all its rows at once, and
//! its text is the same whatever their number.

use super::dialect::{
    Column::{Number, Text},
    Dialect,
};

/// Which of these messages (room, id) are there already. The join's order is fixed: SQLite
/// would otherwise rather read the whole table than look up each pair.
pub(super) fn stored(dialect: Dialect) -> String {
    let wanted = dialect.list("wanted", &[Text("room_id"), Text("id")]);
    format!(
        "SELECT m.room_id, m.id FROM {wanted} CROSS JOIN messages m \
         ON m.room_id = wanted.room_id AND m.id = wanted.id"
    )
}

/// Moves room heads: (room, last ordinal, time of the newest message). They are all there: the
/// batch has locked them.
pub(super) fn advance_heads(dialect: Dialect) -> String {
    let columns = [Text("room_id"), Number("last_ordinal"), Number("active_at")];
    let moved = dialect.list("moved", &columns);
    let greatest = dialect.greatest();
    let set = [
        ("last_ordinal", "moved.last_ordinal".to_owned()),
        ("active_at", format!("{greatest}(room_heads.active_at, moved.active_at)")),
    ];
    dialect.update("room_heads", &set, &moved, "room_heads.room_id = moved.room_id")
}

/// Moves read markers forward, never back and never beyond the newest message: (room, user,
/// position or nothing, ordinal or nought). The ordinal of a position is looked up here.
pub(super) fn advance_markers(dialect: Dialect) -> String {
    let columns = [Text("room_id"), Text("user_id"), Text("position"), Number("ordinal")];
    let moved = dialect.list("moved", &columns);
    let (greatest, least) = (dialect.greatest(), dialect.least());
    let counted = format!(
        "(SELECT moved.room_id, moved.user_id, moved.position, \
         {least}(h.last_ordinal, {greatest}(moved.ordinal, coalesce((SELECT x.ordinal \
           FROM messages x WHERE x.room_id = moved.room_id AND x.position <= moved.position \
           ORDER BY x.position DESC LIMIT 1), 0))) AS ordinal \
         FROM {moved} JOIN room_heads h ON h.room_id = moved.room_id) AS counted"
    );
    let set = [
        ("read_position", format!("{greatest}(members.read_position, counted.position)")),
        ("read_ordinal", format!("{greatest}(members.read_ordinal, counted.ordinal)")),
    ];
    let on = "members.room_id = counted.room_id AND members.user_id = counted.user_id";
    dialect.update("members", &set, &counted, on)
}

/// Moves delivered markers forward: (room, user, position).
pub(super) fn advance_delivered(dialect: Dialect) -> String {
    let columns = [Text("room_id"), Text("user_id"), Text("position")];
    let moved = dialect.list("moved", &columns);
    let greatest = dialect.greatest();
    let set =
        [("delivered_position", format!("{greatest}(members.delivered_position, moved.position)"))];
    let on = "members.room_id = moved.room_id AND members.user_id = moved.user_id";
    dialect.update("members", &set, &moved, on)
}

/// Moves the log's cursors: (partition, next offset).
pub(super) fn advance_cursors(dialect: Dialect) -> String {
    let moved = dialect.list("moved", &[Number("part"), Number("next_offset")]);
    let set = [("next_offset", "moved.next_offset".to_owned())];
    dialect.update("log_cursor", &set, &moved, "log_cursor.part = moved.part")
}
