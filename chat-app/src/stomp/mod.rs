//! The chat over STOMP: who may log in, where a session may subscribe, what a SEND means, and
//! what each session is told.

mod authenticate;
mod authorize;
mod exits;
mod fanout;
mod handlers;
mod online;
mod past;
mod presence;
mod withdrawn;

pub(crate) use self::{
    authenticate::TokenLogin, authorize::RoomRules, exits::Exits, fanout::FanOut, handlers::Rooms,
    online::Online, past::RoomsPast, presence::PresenceTask, withdrawn::Withdrawn,
};
