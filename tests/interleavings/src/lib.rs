//! Two places of the server where threads meet, compiled over a scheduler that tries many orders of
//! their steps: the files are the server's own, only what is behind `crate::sync` is shuttle's.
//!
//! Each question is a function that plays one case; `tests/` asks it some thousand times. An order
//! in which somebody waits for ever is a failure, and is printed so that it can be played again.
#![allow(clippy::unwrap_used, reason = "a question that fails is a panic")]
#![allow(
    dead_code,
    unexpected_cfgs,
    unreachable_pub,
    unused_imports,
    reason = "the files have more than is asked of them here"
)]

mod broker;
mod session;
mod sync;

pub use broker::questions::*;
pub use session::questions::*;
