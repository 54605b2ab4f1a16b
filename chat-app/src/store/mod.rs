//! The store role: the log, written behind into SQL.

mod plan;
mod progress;
pub(crate) mod sql;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use self::{
    progress::Progress,
    writer::{Shared, StoreWriter},
};
