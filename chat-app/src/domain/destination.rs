//! What the chat calls its destinations.

use super::{RoomId, UserId};

/// Where a room's events go.
pub(crate) const ROOM_TOPIC: &str = "/topic/rooms.";
/// Where the log keeps a room's read markers: beside the room's topic, so that no replay of
/// the room meets them. Nobody may subscribe to it.
const MARKERS_TOPIC: &str = "/topic/markers.";
/// What a room is asked for, and asked to do.
const ROOM_APP: &str = "/app/rooms.";

/// The list of one's rooms, as a question.
pub(crate) const ROOMS_APP: &str = "/app/rooms";
/// What happens to one's rooms.
pub(crate) const ROOMS_QUEUE: &str = "/user/queue/rooms";
/// What a user is told that is not in the room.
pub(crate) const NOTIFICATIONS_QUEUE: &str = "/user/queue/notifications";
/// All that a user may subscribe to of its own.
pub(crate) const OWN_QUEUES: [&str; 3] = [ROOMS_QUEUE, NOTIFICATIONS_QUEUE, "/user/queue/errors"];

pub(crate) fn room_topic(room: &RoomId) -> String {
    format!("{ROOM_TOPIC}{room}")
}

pub(crate) fn markers_topic(room: &RoomId) -> String {
    format!("{MARKERS_TOPIC}{room}")
}

/// The route that brings something to all sessions of a user.
pub(crate) fn own_rooms_route(user: &str) -> String {
    format!("/user/{user}/queue/rooms")
}

/// What decides in which partition of the log something is: the room, so that its markers
/// stand among its messages.
pub(crate) fn partition_key(route: &str) -> &str {
    let room = route.strip_prefix(ROOM_TOPIC).or_else(|| route.strip_prefix(MARKERS_TOPIC));
    room.unwrap_or(route)
}

/// The route that brings a notification to all sessions of a user.
pub(crate) fn own_notifications_route(user: &UserId) -> String {
    format!("/user/{user}/queue/notifications")
}

/// A destination of the log, told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LogRoute {
    /// Events of this room.
    Room(RoomId),
    /// Read markers of this room.
    Markers(RoomId),
}

impl LogRoute {
    pub(crate) fn parse(route: &str) -> Option<Self> {
        if let Some(id) = route.strip_prefix(ROOM_TOPIC) {
            return RoomId::parse(id).map(Self::Room);
        }
        RoomId::parse(route.strip_prefix(MARKERS_TOPIC)?).map(Self::Markers)
    }
}

/// `/app/rooms.{id}` or `/app/rooms.{id}.{verb}`, taken apart.
pub(crate) fn parse_app(destination: &str) -> Option<(RoomId, Option<&str>)> {
    let rest = destination.strip_prefix(ROOM_APP)?;
    let (id, verb) = match rest.split_once('.') {
        Some((id, verb)) => (id, Some(verb)),
        None => (rest, None),
    };
    Some((RoomId::parse(id)?, verb))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_taken_apart_as_they_were_put_together() {
        let room = RoomId::parse("7").unwrap();
        assert_eq!(LogRoute::parse(&room_topic(&room)), Some(LogRoute::Room(room.clone())));
        assert_eq!(LogRoute::parse(&markers_topic(&room)), Some(LogRoute::Markers(room.clone())));
        assert_eq!(parse_app("/app/rooms.7"), Some((room.clone(), None)));
        assert_eq!(parse_app("/app/rooms.7.send"), Some((room, Some("send"))));
    }

    #[test]
    fn a_room_and_its_markers_are_in_one_partition() {
        let room = RoomId::parse("7").unwrap();
        assert_eq!(partition_key(&room_topic(&room)), partition_key(&markers_topic(&room)));
        assert_eq!(partition_key("/user/ann/queue/rooms"), "/user/ann/queue/rooms");
    }

    #[test]
    fn nothing_that_only_looks_alike_is_a_room() {
        for route in [
            "/topic/rooms.",
            "/topic/rooms.*",
            "/topic/rooms.a.b",
            "/topic/rooms.#",
            "/topic/Rooms.a",
        ] {
            assert_eq!(LogRoute::parse(route), None, "{route}");
        }
        for destination in ["/app/rooms", "/app/rooms.", "/app/rooms..send", "/app/rooms.*.send"] {
            assert_eq!(parse_app(destination), None, "{destination}");
        }
    }
}
