//! Any text as a header: it is written in every version, one line stays one line, and in 1.2 it reads
//! back the same.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use stomp_core::{Command, Frame, Limits, Role, Version};

fuzz_target!(|input: &[u8]| {
    let Some((how, text)) = fuzz::how(input) else { return };
    let text = String::from_utf8_lossy(text);
    let (name, value) = text.split_at(text.floor_char_boundary(text.len() * how.seed / 32));
    let frame = Frame::builder(Command::Message).header(name, value).header("z", "1").build();
    for version in Version::ALL {
        let mut wire = BytesMut::new();
        if frame.encode(version, &mut wire).is_err() {
            assert!(name.is_empty());
            continue;
        }
        let limits =
            Limits { header_line: 1 << 20, head: 1 << 21, body: 1 << 22, ..Limits::default() };
        let how = fuzz::How { sender: Role::Server, version, limits, seed: 0 };
        let (frames, fault) = fuzz::read([&wire[..]], how);
        assert_eq!((frames.len(), fault), (1, None));
        let lines: Vec<_> = frames[0].headers().collect();
        assert_eq!((lines.len(), &*lines[1].name()), (2, "z"));
        // A content-length is corrected, and NUL has no escape.
        if version == Version::V1_2 && !text.contains('\0') && name != "content-length" {
            assert_eq!((&*lines[0].name(), &*lines[0].value()), (name, value));
        }
    }
});
