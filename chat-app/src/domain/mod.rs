//! What a chat is made of: types and rules. Nothing here does I/O or knows the time of day.

mod actor;
mod destination;
mod event;
mod id;
mod invite;
mod marker;
mod message;
mod room;
mod settings;
mod standing;
mod timestamp;
mod user;

pub(crate) use self::{
    actor::Actor,
    destination::{
        LogRoute, NOTIFICATIONS_QUEUE, OWN_QUEUES, ROOM_TOPIC, ROOMS_APP, ROOMS_QUEUE,
        markers_topic, own_notifications_route, own_rooms_route, parse_app, partition_key,
        room_topic,
    },
    event::{Event, MemberAction, RoomsEvent},
    id::{ClientMessageId, MessageId, RoomId, UserId},
    invite::{INVITE_LIFE, InviteCode},
    marker::{Marker, MarkerKind, ReadUpTo},
    message::{Content, Message, Page, no_such_message},
    room::{Kind, Member, Role, Room, RoomName, no_such_room},
    settings::{Settings, SettingsChange, given},
    standing::{Change, Standing},
    timestamp::Timestamp,
    user::{Account, Cutoff, Password, Profile, User, account_name},
};
