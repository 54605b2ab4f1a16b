//! Moving a chat in and out: `export`, `import`, `demo`, `backup`.
//!
//! A chat travels as JSON lines (`Record`), in the order of their keys, so that both sides need
//! little memory and can go on where they were broken off. The format is told in `docs/moving.md`.

mod backup;
mod demo;
mod export;
mod import;
mod progress;
mod record;
#[cfg(test)]
mod tests;

pub(crate) use self::record::{
    MarkerRecord, MemberRecord, MessageRecord, Record, RoomRecord, UserRecord,
};
pub use self::{
    backup::backup,
    demo::{PASSWORD as DEMO_PASSWORD, demo},
    export::export,
    import::{Imported, import},
};

/// Why it cannot be done, with what mends it.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
