//! The use cases of the chat, one function each, over the ports and the log.

mod accounts;
mod changes;
mod currency;
mod history;
mod hits;
mod log;
mod markers;
mod membership;
mod messages;
mod newest;
mod passwords;
mod relay;
mod rooms;
mod throttle;
mod tokens;
mod typing;
mod users;

use std::sync::Arc;

use stomp_server::broker::Epoch;

pub(crate) use self::{
    changes::Uses,
    currency::Currency,
    history::PageQuery,
    log::{Log, json_message},
    markers::Markers,
    membership::Memberships,
    messages::{Outgoing, Sent},
    newest::NewestPages,
    passwords::Passwords,
    relay::Relay,
    rooms::RoomRequest,
    throttle::Throttle,
    tokens::{Identity, TOKEN_LIFE, Tokens, own_secret},
    users::Users,
};
use crate::{
    notify::Desk,
    ports::{Accounts, History, Rooms},
    store::Progress,
};

/// Everything that the chat can be asked to do. STOMP and HTTP stand on top of it.
pub(crate) struct Chat {
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) rooms: Arc<dyn Rooms>,
    pub(crate) history: Arc<dyn History>,
    pub(crate) newest: NewestPages,
    pub(crate) users: Users,
    pub(crate) memberships: Arc<Memberships>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) passwords: Passwords,
    pub(crate) logins: Throttle,
    pub(crate) log: Log,
    pub(crate) relay: Relay,
    pub(crate) markers: Markers,
    pub(crate) uses: Uses,
    /// Devices that get pushes.
    pub(crate) desk: Arc<Desk>,
    pub(crate) progress: Progress,
    /// Of the log at hand; positions of others mean nothing here.
    pub(crate) epoch: Epoch,
}
