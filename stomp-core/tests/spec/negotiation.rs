//! Versions and heart-beats.

use stomp_core::{
    ClientFrame, Connect, FrameError, HeartBeat, HeartBeatError, Version, VersionError, heartbeat,
    version,
};

use super::frame;

fn connect(headers: &str) -> Connect {
    let frame = frame(format!("CONNECT\n{headers}\n\0").as_bytes(), Version::V1_2);
    match ClientFrame::parse(frame, Version::V1_2) {
        Ok(ClientFrame::Connect(connect)) => connect,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_highest_version_in_common_is_chosen() {
    assert_eq!(connect("accept-version:1.0,1.1,2.0\n").negotiate(), Ok(Version::V1_1));
    assert_eq!(connect("accept-version:1.2,1.1,1.0\n").negotiate(), Ok(Version::V1_2));
    assert_eq!(connect("accept-version: 1.1 , 1.0\n").negotiate(), Ok(Version::V1_1));
}

#[test]
fn without_accept_version_the_client_speaks_1_0() {
    assert_eq!(connect("host:a\n").negotiate(), Ok(Version::V1_0));
}

#[test]
fn the_first_accept_version_counts() {
    let connect = connect("accept-version:1.1\naccept-version:1.2\n");
    assert_eq!(connect.negotiate(), Ok(Version::V1_1));
}

#[test]
fn without_a_version_in_common_an_error_lists_ours() {
    let error = connect("accept-version:2.1\n").negotiate();
    assert_eq!(error, Err(VersionError::NoCommonVersion));
    let frame = VersionError::NoCommonVersion.to_frame();
    assert_eq!(frame.header("version").as_deref(), Some("1.0,1.1,1.2"));
    assert_eq!(frame.header("content-type").as_deref(), Some("text/plain"));
    assert!(frame.header("message").is_some() && frame.header("content-length").is_some());
    assert_eq!(VersionError::NoCommonVersion.clause(), "STOMP 1.2, Protocol Negotiation");
    assert_eq!(version::negotiate(Some("")), Err(VersionError::NoCommonVersion));
}

#[test]
fn a_missing_heart_beat_means_none() {
    assert_eq!(connect("").heart_beat(), HeartBeat::new(0, 0));
}

#[test]
fn a_heart_beat_is_two_numbers() {
    assert_eq!(connect("heart-beat:100,200\n").heart_beat(), HeartBeat::new(100, 200));
    for value in ["", "1", "1,", "-1,0", "1,2,3", "a,b", "4294967296,0", "1, 2"] {
        let frame = frame(format!("CONNECT\nheart-beat:{value}\n\n\0").as_bytes(), Version::V1_2);
        let error = ClientFrame::parse(frame, Version::V1_2);
        assert_eq!(error, Err(FrameError::HeartBeat(HeartBeatError::Malformed)), "{value:?}");
    }
}

#[test]
fn heart_beats_are_as_seldom_as_either_side_asks() {
    let agreed = heartbeat::negotiate(HeartBeat::new(100, 5000), HeartBeat::new(1000, 1000));
    assert_eq!(agreed, HeartBeat::new(5000, 1000));
}

#[test]
fn a_zero_of_either_side_means_no_heart_beats() {
    let none = HeartBeat::NONE;
    let some = HeartBeat::new(10, 10);
    assert_eq!(heartbeat::negotiate(none, some), none);
    assert_eq!(heartbeat::negotiate(some, none), none);
    assert_eq!(heartbeat::negotiate(HeartBeat::new(10, 0), some), HeartBeat::new(0, 10));
}

#[test]
fn headers_of_connect_are_read() {
    let connect = connect("accept-version:1.2\nhost:h\nlogin: l \npasscode:p:q\nclient-id:7\n");
    assert_eq!(connect.accept_versions().as_deref(), Some("1.2"));
    assert_eq!(connect.host().as_deref(), Some("h"));
    assert_eq!(connect.login().as_deref(), Some(" l "));
    assert_eq!(connect.passcode().as_deref(), Some("p:q"));
    assert_eq!(connect.header("client-id").as_deref(), Some("7"));
}

#[test]
fn connect_without_host_or_login_is_accepted() {
    let connect = connect("accept-version:1.2\n");
    assert_eq!((connect.host(), connect.login(), connect.passcode()), (None, None, None));
}

#[test]
fn padding_of_a_1_0_client_is_trimmed_in_its_connect() {
    let connect = connect("login: me \npasscode:\tsecret\n");
    assert_eq!(connect.login().as_deref(), Some("me"));
    assert_eq!(connect.passcode().as_deref(), Some("secret"));
}
