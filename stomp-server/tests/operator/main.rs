//! The program as those who run it see it: settings, admin interface, log, service manager.
#![cfg(all(feature = "cli", feature = "testing"))]
#![allow(clippy::unwrap_used, reason = "what cannot be had fails the test")]

mod admin;
mod log;
mod settings;
#[path = "../started/mod.rs"]
mod started;
#[cfg(target_os = "linux")]
mod systemd;
