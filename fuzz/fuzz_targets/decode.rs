//! Whole streams: no panic, and frames that are owned are the frames that are borrowed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stomp_core::{ClientFrame, FrameRef, ServerFrame};

fuzz_target!(|input: &[u8]| {
    let Some((how, stream)) = fuzz::how(input) else { return };
    let (frames, fault) = fuzz::read([stream], how);
    let mut rest = stream;
    let mut owned = frames.iter();
    let borrowed_fault = loop {
        match FrameRef::decode(rest, how.sender, how.version, &how.limits) {
            Ok(Some((frame, length))) => {
                assert_eq!(Some(&frame.to_frame()), owned.next());
                rest = &rest[length..];
            }
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    assert!(owned.next().is_none());
    assert_eq!(borrowed_fault, fault.map(|(error, _)| error));
    for frame in frames {
        assert!(!format!("{frame:?}").is_empty());
        let _ = ClientFrame::parse(frame.clone(), how.version);
        let _ = ServerFrame::parse(frame, how.version);
    }
});
