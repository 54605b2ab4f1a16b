//! The notify role: whoever is not in the room gets a push, and nothing due is lost.
//!
//! * `gateway`: what a push is, and the trait of those who bring it to a device.
//! * `endpoint`, `connector`, `client`: requests to addresses that users named, and the rules
//!   about where such requests may go.
//! * `gateways`: Web Push, FCM, webhooks, and one that only writes lines.

mod client;
mod connector;
mod endpoint;
mod gateway;
mod gateways;
#[cfg(test)]
mod tests;
