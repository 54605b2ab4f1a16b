//! What is printed for debugging holds no secrets.

use stomp_core::{
    ClientFrame, Command, Frame, FrameRef, Limits, Role, Send, SharedMessage, Version,
};

use super::frame;

const STREAM: &[u8] =
    b"CONNECT\nhost:shown\nlogin:secret1\npasscode:secret2\nAuthorization:secret3\nx-token:secret4\n\n\0";

fn assert_silent(printed: &str) {
    assert!(!printed.contains("secret"), "{printed}");
}

#[test]
fn frames_print_neither_bodies_nor_passcodes_nor_tokens() {
    let owned = frame(STREAM, Version::V1_2);
    let printed = format!("{owned:?}");
    assert_silent(&printed);
    assert!(printed.contains("CONNECT") && printed.contains("\"host\": \"shown\""));
    assert!(printed.contains("\"passcode\": (7 octets)"));
    assert_silent(&format!("{:?}", owned.headers().collect::<Vec<_>>()));
    assert_silent(&format!("{:?}", ClientFrame::try_from(owned)));
    let borrowed = FrameRef::decode(STREAM, Role::Client, Version::V1_2, &Limits::default());
    assert_silent(&format!("{borrowed:?}"));
    let builder = Frame::builder(Command::Send).header("passcode", "secret").body("secret");
    assert_silent(&format!("{builder:?}"));
    assert_silent(&format!("{:?}", builder.build()));
}

#[test]
fn shared_messages_print_no_bodies() {
    let message = SharedMessage::new("/topic/a", [("x-token", "secret")], "secret");
    let printed = format!("{message:?}");
    assert_silent(&printed);
    assert!(printed.contains("/topic/a") && printed.contains("(6 octets)"));
}

#[test]
fn frames_and_messages_can_go_to_other_threads() {
    fn crosses<T: std::marker::Send + Sync + Clone + 'static>() {}
    crosses::<Frame>();
    crosses::<SharedMessage>();
    crosses::<Send>();
    crosses::<ClientFrame>();
}
