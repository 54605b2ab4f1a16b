//! A chat server on a STOMP broker: rooms, history, read markers.
//!
//! A message is accepted when the log has it; live delivery and the history in SQL are readers
//! of the log. The modules follow a message:
//!
//! * [`config`] and [`app`]: arguments become ports, ports become roles. The only place that
//!   chooses between backends.
//! * `stomp` and `http`: what clients say, as intentions.
//! * `service`: one use case a function, over `ports`.
//! * `domain`: types and rules, without I/O.
//! * `store`: the log, written behind into SQL.
//! * `notify`: pushes to whoever is not there.

pub mod app;
pub mod config;
mod domain;
mod http;
#[cfg(test)]
#[path = "../tests/support/mariadb.rs"]
#[allow(dead_code, reason = "shared with the tests of the program")]
mod mariadb;
mod notify;
mod ports;
pub mod role;
mod service;
mod stomp;
mod store;
pub mod transfer;
