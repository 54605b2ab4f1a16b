//! The store role: the log, written behind into SQL.

mod plan;
pub(crate) mod sql;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use self::writer::{Progress, StoreWriter};
