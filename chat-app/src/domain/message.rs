//! A message, what may stand in it, and a page of them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use stomp_server::problem::{Code, Problem};

use super::{ClientMessageId, MessageId, RoomId, Timestamp, UserId};

/// Most people that one message can mention.
const MENTIONS_MAX: usize = 50;

/// What the sender says; the part of a message that an edit replaces.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub(crate) struct Content {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub(crate) content: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reply_to: Option<MessageId>,
    #[serde(default)]
    pub(crate) mentions: Vec<UserId>,
}

/// A message as everybody sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub(crate) struct Message {
    pub(crate) id: MessageId,
    pub(crate) room: RoomId,
    pub(crate) sender: UserId,
    #[serde(flatten)]
    pub(crate) content: Content,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_message_id: Option<ClientMessageId>,
    /// Its place in the log; in live events the MESSAGE's header says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) position: Option<String>,
    /// Its number in the room, from one, without holes; known once it is in SQL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ordinal: Option<i64>,
    pub(crate) created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) edited_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) deleted: bool,
}

/// A piece of a room's history, oldest first.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Page {
    pub(crate) messages: Vec<Message>,
    /// Up to where the store had read the log when the page was made: SUBSCRIBE `from` here
    /// leaves no gap.
    pub(crate) position: String,
    /// The ordinal to pass on for the page before; none at the beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) before: Option<i64>,
    /// The ordinal to pass on for the page after; none at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<i64>,
}

impl Content {
    /// Reads what a client wants to say. Fields that the server owns are ignored.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Problem> {
        let draft: Draft = serde_json::from_slice(body).map_err(|error| {
            Problem::new(Code::Invalid, format!("The body is not a message in JSON: {error}."))
        })?;
        draft.checked()
    }

    /// Leaves only mentions of those of whom `is_member` says so.
    pub(crate) fn keep_mentions(&mut self, is_member: impl Fn(&UserId) -> bool) {
        self.mentions.retain(is_member);
    }
}

/// A message in the making, as it came.
#[derive(Deserialize)]
struct Draft {
    text: Option<String>,
    content: Option<Value>,
    reply_to: Option<String>,
    #[serde(default)]
    mentions: Option<Vec<String>>,
}

impl Draft {
    fn checked(self) -> Result<Content, Problem> {
        let invalid = |detail: &'static str| Problem::new(Code::Invalid, detail);
        let content = match (&self.text, self.content) {
            (Some(_), Some(_)) | (None, None) => {
                return Err(invalid("A message has either text or content."));
            }
            (Some(text), None) if text.is_empty() => {
                return Err(invalid("The text of a message has at least one character."));
            }
            (Some(_), None) => None,
            (None, Some(Value::Object(content))) => Some(content),
            (None, Some(_)) => return Err(invalid("The content of a message is a JSON object.")),
        };
        let mentions = self.mentions.unwrap_or_default();
        if mentions.len() > MENTIONS_MAX {
            return Err(invalid("A message mentions too many people.")
                .with_limit("mentions", MENTIONS_MAX as u64));
        }
        let reply_to = self.reply_to.map(|id| MessageId::parse(&id).ok_or_else(no_such_message));
        Ok(Content {
            text: self.text,
            content,
            reply_to: reply_to.transpose()?,
            mentions: distinct(mentions.iter().filter_map(|user| UserId::parse(user))),
        })
    }
}

fn distinct(users: impl Iterator<Item = UserId>) -> Vec<UserId> {
    let mut seen = Vec::new();
    for user in users {
        if !seen.contains(&user) {
            seen.push(user);
        }
    }
    seen
}

/// The answer for a message that is not in this room.
pub(crate) fn no_such_message() -> Problem {
    Problem::new(Code::NotFound, "There is no such message in this room.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> Code {
        Content::parse(body.as_bytes()).unwrap_err().code
    }

    #[test]
    fn a_message_says_something_in_one_way() {
        assert_eq!(
            Content::parse(br#"{"text":"hi","sender":"eve","id":"x"}"#).unwrap().text.unwrap(),
            "hi"
        );
        assert!(Content::parse(br#"{"content":{"kind":"image"}}"#).unwrap().content.is_some());
        for body in [
            "",
            "[]",
            "{}",
            r#"{"text":""}"#,
            r#"{"text":5}"#,
            r#"{"content":"x"}"#,
            r#"{"text":"a","content":{}}"#,
        ] {
            assert_eq!(refused(body), Code::Invalid, "{body}");
        }
        assert_eq!(refused(r#"{"text":"a","reply_to":"no/id"}"#), Code::NotFound);
    }

    #[test]
    fn mentions_are_few_distinct_and_of_users() {
        let content = Content::parse(br#"{"text":"a","mentions":["ann","no one","ann"]}"#).unwrap();
        assert_eq!(content.mentions, [UserId::parse("ann").unwrap()]);
        let many = serde_json::json!({"text": "a", "mentions": vec!["ann"; 51]}).to_string();
        assert_eq!(refused(&many), Code::Invalid);
    }

    #[test]
    fn what_is_absent_is_left_out() {
        let message = Message {
            id: MessageId::parse("m").unwrap(),
            room: RoomId::parse("r").unwrap(),
            sender: UserId::parse("ann").unwrap(),
            content: Content { text: Some("hi".into()), ..Content::default() },
            client_message_id: None,
            position: None,
            ordinal: Some(1),
            created_at: Timestamp::from_millis(0),
            edited_at: None,
            deleted: false,
        };
        let json = serde_json::to_string(&message).unwrap();
        assert_eq!(
            json,
            r#"{"id":"m","room":"r","sender":"ann","text":"hi","mentions":[],"ordinal":1,"created_at":"1970-01-01T00:00:00.000Z"}"#
        );
        assert_eq!(serde_json::from_str::<Message>(&json).unwrap(), message);
    }
}
