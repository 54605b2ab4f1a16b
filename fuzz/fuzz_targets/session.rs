//! A session of any frames, decisions, deliveries and broker replies, in any order, against a
//! model that knows little but the rules.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|choices: &[u8]| stomp_server::testing::play_session(choices));
