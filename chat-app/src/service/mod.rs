//! The use cases of the chat, one function each, over the ports and the log.

mod accounts;
mod changes;
mod currency;
mod doors;
mod foreign;
mod history;
mod hits;
mod log;
mod markers;
mod membership;
mod messages;
mod newest;
mod passwords;
mod people;
mod privacy;
mod rate;
mod readers;
mod relay;
mod rooms;
mod search;
mod secret;
mod throttle;
mod tokens;
mod typing;
mod users;
mod uses;

use std::sync::Arc;

use stomp_server::broker::Epoch;
use tokio::sync::Semaphore;

pub use self::foreign::{KeySource, TrustedIssuer};
pub(crate) use self::{
    accounts::Session,
    currency::Currency,
    doors::Invite,
    foreign::Foreign,
    history::PageQuery,
    log::{Log, json_message},
    markers::Markers,
    membership::Memberships,
    messages::{Outgoing, Sent},
    newest::NewestPages,
    passwords::Passwords,
    privacy::Privacy,
    rate::SendRate,
    readers::Reader,
    relay::Relay,
    rooms::RoomRequest,
    search::Found,
    secret::own_secret,
    throttle::Throttle,
    tokens::{Identity, Purpose, TOKEN_LIFE, Token, Tokens},
    typing::Typing,
    users::Users,
    uses::{Use, Uses},
};
use crate::{
    notify::Desk,
    ports::{Accounts, Doors, History, People, Presences, Reading, Rooms},
    store::Progress,
};

/// Everything that the chat can be asked to do. STOMP and HTTP stand on top of it.
pub(crate) struct Chat {
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) people: Arc<dyn People>,
    pub(crate) doors: Arc<dyn Doors>,
    pub(crate) presences: Arc<dyn Presences>,
    pub(crate) reading: Arc<dyn Reading>,
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
    pub(crate) privacy: Arc<Privacy>,
    pub(crate) rate: SendRate,
    pub(crate) typing: Typing,
    /// Turns of those who search.
    pub(crate) searches: Semaphore,
    pub(crate) progress: Progress,
    /// Of the log at hand; positions of others mean nothing here.
    pub(crate) epoch: Epoch,
}

impl Chat {
    /// As many searches at a time as a process stands.
    pub(crate) fn searches() -> Semaphore {
        Semaphore::new(search::AT_A_TIME)
    }
}
