//! What people have decided for themselves.

use serde::{Deserialize, Deserializer, Serialize};
use stomp_server::problem::{Code, Problem};

/// Longest name of a time zone; the longest of the IANA database has 32.
const ZONE_MAX: usize = 64;

/// A user's own settings, as they are shown in `GET me`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub(crate) struct Settings {
    /// Nobody else learns what this user has read or received. Off by default.
    pub(crate) private_receipts: bool,
    /// Notifications show the beginning of the text. On by default.
    pub(crate) preview: bool,
    /// No notifications in this part of the day.
    pub(crate) quiet_hours: Option<QuietHours>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { private_receipts: false, preview: true, quiet_hours: None }
    }
}

/// A part of every day, in the user's own zone; it may go past midnight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub(crate) struct QuietHours {
    /// The first minute, as in `22:00`.
    pub(crate) from: String,
    /// The first minute that is no longer quiet; the same as the first one: the whole day.
    pub(crate) to: String,
    /// A name of the IANA database, as in `Asia/Seoul`.
    pub(crate) zone: String,
}

/// What somebody wants to be otherwise; what is left out stays.
#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
pub(crate) struct SettingsChange {
    private_receipts: Option<bool>,
    preview: Option<bool>,
    /// `null` ends them.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<QuietHours>)]
    quiet_hours: Option<Option<QuietHours>>,
}

/// Tells `null` from nothing said.
pub(crate) fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl Settings {
    /// These settings with a change.
    ///
    /// # Errors
    /// `invalid` for hours or a zone that cannot be.
    pub(crate) fn changed(mut self, change: SettingsChange) -> Result<Self, Problem> {
        if let Some(private) = change.private_receipts {
            self.private_receipts = private;
        }
        if let Some(preview) = change.preview {
            self.preview = preview;
        }
        if let Some(hours) = change.quiet_hours {
            self.quiet_hours = hours.map(QuietHours::checked).transpose()?;
        }
        Ok(self)
    }
}

impl QuietHours {
    fn checked(self) -> Result<Self, Problem> {
        let invalid = |detail: &'static str| Problem::new(Code::Invalid, detail);
        if !is_minute(&self.from) || !is_minute(&self.to) {
            return Err(invalid("Quiet hours go from and to a time like 22:00."));
        }
        if !is_zone(&self.zone) {
            return Err(invalid("A zone is a name like Asia/Seoul."));
        }
        Ok(self)
    }
}

/// `HH:MM`
fn is_minute(text: &str) -> bool {
    let number =
        |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?;
    let Some((hour, minute)) = text.split_once(':') else { return false };
    let (hour, minute): (Option<u8>, Option<u8>) = (number(hour), number(minute));
    text.len() == 5 && hour.is_some_and(|hour| hour < 24) && minute.is_some_and(|min| min < 60)
}

/// The form of a zone's name. Whether there is such a zone is seen where the hours are used.
fn is_zone(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'+');
    let word = |word: &str| !word.is_empty() && word.bytes().all(plain);
    text.len() <= ZONE_MAX && text.split('/').all(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(json: &str) -> Result<Settings, Problem> {
        let before = Settings {
            private_receipts: true,
            preview: false,
            quiet_hours: Some(QuietHours {
                from: "22:00".into(),
                to: "07:00".into(),
                zone: "UTC".into(),
            }),
        };
        before.changed(serde_json::from_str(json).unwrap())
    }

    #[test]
    fn what_is_left_out_stays_and_null_ends_the_quiet_hours() {
        let same = changed("{}").unwrap();
        assert!(same.private_receipts && !same.preview && same.quiet_hours.is_some());
        assert_eq!(changed(r#"{"quiet_hours":null}"#).unwrap().quiet_hours, None);
        assert!(changed(r#"{"preview":true}"#).unwrap().preview);
    }

    #[test]
    fn hours_and_zones_have_a_form() {
        let hours = |from: &str, to: &str, zone: &str| {
            let hours = serde_json::json!({"from": from, "to": to, "zone": zone});
            changed(&serde_json::json!({ "quiet_hours": hours }).to_string()).is_ok()
        };
        assert!(hours("22:00", "07:30", "America/Argentina/Buenos_Aires"));
        for (from, to, zone) in [
            ("24:00", "07:00", "UTC"),
            ("22:60", "07:00", "UTC"),
            ("2:00", "07:00", "UTC"),
            ("+2:00", "07:00", "UTC"),
            ("22:00", "7", "UTC"),
            ("22:00", "07:00", ""),
            ("22:00", "07:00", "Asia//Seoul"),
            ("22:00", "07:00", "서울"),
        ] {
            assert!(!hours(from, to, zone), "{from} {to} {zone}");
        }
    }
}
