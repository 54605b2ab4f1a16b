//! What a notification says.

use serde::{Deserialize, Serialize};

use super::{
    gateway::{Note, Push},
    gateways::{PAYLOAD_MAX, Payload},
    rule::{Said, Window},
};
use crate::domain::{Kind, RoomId, UserId};

/// Most characters of what was said; a lock screen shows fewer.
pub(crate) const PREVIEW: usize = 200;

/// What a device speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Language {
    En,
    Ko,
}

impl Language {
    /// The first language of a list like `ko-KR, en;q=0.8` that is spoken here; English else.
    pub(crate) fn of(list: &str) -> Self {
        let mut known = list.split(',').filter_map(|one| match one.trim().get(..2) {
            Some("ko") => Some(Self::Ko),
            Some("en") => Some(Self::En),
            _ => None,
        });
        known.next().unwrap_or(Self::En)
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Ko => "ko",
        }
    }

    fn new_messages(self, count: i64) -> String {
        match (self, count) {
            (Self::En, ..=1) => "New message".to_owned(),
            (Self::En, _) => format!("{count} new messages"),
            (Self::Ko, ..=1) => "새 메시지".to_owned(),
            (Self::Ko, _) => format!("새 메시지 {count}개"),
        }
    }

    const fn it_works(self) -> (&'static str, &'static str) {
        match self {
            Self::En => ("Notifications work", "This is what they will look like."),
            Self::Ko => ("알림이 작동합니다", "알림은 이렇게 표시됩니다."),
        }
    }
}

/// The room, as far as a notification goes.
#[derive(Clone, Debug)]
pub(crate) struct RoomFacts {
    pub(crate) id: RoomId,
    pub(crate) kind: Kind,
    pub(crate) name: Option<String>,
}

impl RoomFacts {
    /// What one of its members is told, on whatever way.
    pub(crate) fn note(&self, said: &Said, unread: i64, preview: bool) -> Note {
        let title = match (self.kind, &self.name) {
            (Kind::Group, Some(name)) => name.clone(),
            _ => said.name.clone(),
        };
        Note {
            room: self.id.clone(),
            title,
            sender: Some(said.name.clone()),
            preview: said.text.as_deref().filter(|_| preview).map(|text| beginning(text, PREVIEW)),
            unread,
            position: said.position.clone(),
        }
    }

    /// The same, put into words for a device and cut to what every push service takes.
    pub(crate) fn push(
        &self,
        note: Note,
        said: &Said,
        to: &UserId,
        device: &str,
        language: Language,
    ) -> Push {
        let urgent = self.kind == Kind::Direct || Window::mentions(said, to);
        let body = match (&note.preview, &note.sender) {
            (Some(text), Some(sender)) if *sender != note.title => format!("{sender}: {text}"),
            (Some(text), _) => text.clone(),
            (None, _) => language.new_messages(note.unread),
        };
        fitting(Push { note, device: device.to_owned(), body, urgent })
    }
}

/// What a device gets when its owner wants to see whether it gets anything.
pub(crate) fn trial(room: RoomId, device: &str, language: Language) -> Push {
    let (title, body) = language.it_works();
    let note = Note {
        room,
        title: title.to_owned(),
        sender: None,
        preview: None,
        unread: 0,
        position: String::new(),
    };
    Push { note, device: device.to_owned(), body: body.to_owned(), urgent: true }
}

/// Shortens what was said until the payload fits; names are short enough by themselves.
fn fitting(mut push: Push) -> Push {
    let mut characters = PREVIEW;
    while Payload::json(&push).len() > PAYLOAD_MAX && characters > 1 {
        characters /= 2;
        push.note.preview = push.note.preview.map(|text| beginning(&text, characters));
        push.body = beginning(&push.body, characters);
    }
    push
}

/// So many characters, the last of them a sign that there were more.
pub(crate) fn beginning(text: &str, characters: usize) -> String {
    if text.chars().nth(characters).is_none() {
        return text.to_owned();
    }
    text.chars().take(characters - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(kind: Kind, name: Option<&str>) -> RoomFacts {
        RoomFacts { id: RoomId::parse("r").unwrap(), kind, name: name.map(Into::into) }
    }

    fn said(text: Option<&str>) -> Said {
        Said {
            ordinal: 1,
            position: "0000000a-0000000000000001".into(),
            sender: UserId::parse("ann").unwrap(),
            name: "Ann".into(),
            mentions: vec![UserId::parse("bob").unwrap()],
            text: text.map(Into::into),
        }
    }

    fn shown(room: &RoomFacts, said: &Said, preview: bool, language: Language) -> (String, String) {
        let bob = UserId::parse("bob").unwrap();
        let push = room.push(room.note(said, 3, preview), said, &bob, "d", language);
        (push.note.title, push.body)
    }

    #[test]
    fn a_group_is_called_by_its_name_and_a_person_by_hers() {
        let (group, direct) = (room(Kind::Group, Some("Tea")), room(Kind::Direct, None));
        let hello = said(Some("hello"));
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(shown(&group, &hello, true, Language::En), pair("Tea", "Ann: hello"));
        assert_eq!(shown(&direct, &hello, true, Language::En), pair("Ann", "hello"));
        assert_eq!(shown(&group, &hello, false, Language::En), pair("Tea", "3 new messages"));
        assert_eq!(shown(&direct, &said(None), true, Language::Ko), pair("Ann", "새 메시지 3개"));
        assert!(
            !Payload::json(&room(Kind::Group, Some("Tea")).push(
                group.note(&hello, 3, false),
                &hello,
                &hello.sender,
                "d",
                Language::En,
            ))
            .contains("hello"),
            "no preview is no preview"
        );
    }

    #[test]
    fn everything_fits_whatever_people_write() {
        for text in
            ["\u{1}".repeat(65_000), "🍵".repeat(9_000), "한".repeat(10_000), "\"\\".repeat(9_000)]
        {
            let group = room(Kind::Group, Some(&"\u{1}".repeat(128)));
            let said = Said { name: "\u{1}".repeat(128), ..said(Some(&text)) };
            let bob = UserId::parse("bob").unwrap();
            let push =
                group.push(group.note(&said, i64::MAX, true), &said, &bob, "d", Language::En);
            let size = Payload::json(&push).len();
            assert!(size <= PAYLOAD_MAX, "{size}");
        }
        assert_eq!(beginning("한국어입니다", 4), "한국어…");
        assert_eq!(beginning("한국어", 3), "한국어");
    }

    #[test]
    fn the_language_is_the_first_that_is_spoken_here() {
        for (list, language) in [
            ("ko-KR,ko;q=0.9,en;q=0.8", Language::Ko),
            ("en-US, ko;q=0.5", Language::En),
            ("fr, ko;q=0.5", Language::Ko),
            ("*", Language::En),
            ("", Language::En),
        ] {
            assert_eq!(Language::of(list), language, "{list}");
        }
    }
}
