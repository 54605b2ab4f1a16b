//! What was read can be written, and reads back the same. So do messages to many and stored ones.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use stomp_core::{ClientFrame, Limits, Role, SharedMessage, Version};

fuzz_target!(|input: &[u8]| {
    let _ = SharedMessage::from_stored(input.to_vec().into());
    let Some((how, stream)) = fuzz::how(input) else { return };
    let how = fuzz::How { limits: Limits::default(), ..how };
    let limits = Limits { header_line: 1 << 20, headers: 70, head: 1 << 21, ..how.limits };
    let most = fuzz::How { limits, ..how };
    for frame in fuzz::read([stream], how).0 {
        let mut wire = BytesMut::new();
        frame.encode(how.version, &mut wire).expect("what was read can be written");
        let (again, fault) = fuzz::read([&wire[..]], most);
        assert_eq!(fault, None);
        assert_eq!(again.len(), 1);
        same_headers(&frame, &again[0]);

        for version in Version::ALL {
            let mut wire = BytesMut::new();
            if frame.encode(version, &mut wire).is_ok() {
                let (frames, fault) = fuzz::read([&wire[..]], fuzz::How { version, ..most });
                assert!(fault.is_none() && frames.len() == 1, "header injection");
            }
        }
        if let Ok(ClientFrame::Send(send)) = ClientFrame::parse(frame, how.version) {
            share(&SharedMessage::from_send(&send));
        }
    }
});

/// All but a content-length, which is corrected or added.
fn same_headers(left: &stomp_core::Frame, right: &stomp_core::Frame) {
    let lines = |frame: &stomp_core::Frame| -> Vec<(String, String)> {
        let lines = frame.headers().map(|line| (line.name().into(), line.value().into()));
        lines.filter(|(name, _): &(String, String)| name != "content-length").collect()
    };
    assert_eq!(lines(left), lines(right));
    if left.command().may_have_body() {
        assert_eq!(left.body(), right.body());
    }
}

fn share(message: &SharedMessage) {
    let stored = SharedMessage::from_stored(message.to_stored()).expect("what was stored");
    assert_eq!(&stored, message);
    let own = [("subscription", message.destination()), ("message-id", "1")];
    for version in Version::ALL {
        let mut wire = BytesMut::new();
        SharedMessage::encode_head(&mut wire, version, &own);
        wire.extend_from_slice(&message.tail(version));
        let limits =
            Limits { header_line: 1 << 20, headers: 70, head: 1 << 20, ..Limits::default() };
        let how = fuzz::How { sender: Role::Server, version, limits, seed: 0 };
        let (frames, fault) = fuzz::read([&wire[..]], how);
        assert!(fault.is_none() && frames.len() == 1, "header injection");
        assert_eq!(frames[0].headers().len(), 4 + message.headers().count());
    }
}
