//! Chat server.
fn main() {}
