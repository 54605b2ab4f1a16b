//! Any text as accept-version and heart-beat: an answer without a panic, and one that keeps its word.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stomp_core::{HeartBeat, Version, heartbeat, version};

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(version) = version::negotiate(Some(text)) {
        assert!(text.split(',').any(|word| word.trim() == version.as_str()));
        let higher = Version::ALL.into_iter().filter(|other| *other > version);
        for other in higher {
            assert!(!text.split(',').any(|word| word.trim_matches([' ', '\t']) == other.as_str()));
        }
    }
    if let Ok(theirs) = HeartBeat::parse(text) {
        let again = HeartBeat::parse(&theirs.to_string());
        assert_eq!(again, Ok(theirs));
        let ours = HeartBeat::new(500, 500);
        let agreed = heartbeat::negotiate(theirs, ours);
        let mirrored = heartbeat::negotiate(ours, theirs);
        assert_eq!((agreed.send_ms, agreed.want_ms), (mirrored.want_ms, mirrored.send_ms));
        assert!(agreed.send_ms == 0 || agreed.send_ms >= 500.max(theirs.want_ms));
    }
});
