//! Broker.
fn main() {}
