//! What a program around a server needs: settings from one table of knobs, a log, and a word
//! to the service manager. The program of this crate and the chat server both use it.
//!
//! | module | holds |
//! |---|---|
//! | [`knobs`] | flags, environment and TOML file from one table; all faults at once |
//! | [`log`] | the log on standard error, as text or JSON |
//! | [`signals`] | when to end, when to read files again |
//! | [`systemd`] | ready, reloading, stopping, and the watchdog |

pub mod knobs;
pub mod log;
pub mod signals;
pub mod systemd;
