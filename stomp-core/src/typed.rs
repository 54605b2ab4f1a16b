//! What typed frames have in common: a generic frame, and required headers checked once.

use std::borrow::Cow;

use crate::{Frame, FrameError, heartbeat::HeartBeat, names};

/// Declares a typed frame: a struct round a [`Frame`], with the ways in and out of it.
macro_rules! frame {
    ($(#[$doc:meta])* pub struct $name:ident { $($field:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name {
            frame: Frame,
            $($field: $type,)*
        }

        impl $name {
            /// The generic frame, with every header.
            pub fn frame(&self) -> &Frame {
                &self.frame
            }
        }

        impl From<$name> for Frame {
            fn from(typed: $name) -> Self {
                typed.frame
            }
        }
    };
}
pub(crate) use frame;

/// Checks that a header is there and not empty.
pub(crate) fn require(frame: &Frame, header: &'static str) -> Result<(), FrameError> {
    match frame.header(header) {
        Some(value) if !value.is_empty() => Ok(()),
        _ => Err(FrameError::MissingHeader { command: frame.command(), header }),
    }
}

/// The value of a header that [`require`] has seen.
pub(crate) fn required<'a>(frame: &'a Frame, header: &str) -> Cow<'a, str> {
    frame.header(header).unwrap_or_default()
}

/// Without spaces and tabs at both ends.
pub(crate) fn trimmed(value: Cow<'_, str>) -> Cow<'_, str> {
    const BLANKS: [char; 2] = [' ', '\t'];
    match value {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim_matches(BLANKS)),
        Cow::Owned(text) => Cow::Owned(text.trim_matches(BLANKS).to_owned()),
    }
}

pub(crate) fn heart_beat(frame: &Frame) -> Result<HeartBeat, FrameError> {
    match frame.header(names::HEART_BEAT) {
        None => Ok(HeartBeat::NONE),
        Some(text) => Ok(HeartBeat::parse(&text)?),
    }
}
