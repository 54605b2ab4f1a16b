//! Quiet hours: a piece of every day, by the clocks of a time zone.

use jiff::{Timestamp as Moment, civil::Time, tz::TimeZone};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::domain::Timestamp;

/// From `from` up to but without `to`; over midnight if `to` is the earlier one. Equal ends
/// are the whole day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct QuietHours {
    #[serde(deserialize_with = "time", serialize_with = "hour_and_minute")]
    from: Time,
    #[serde(deserialize_with = "time", serialize_with = "hour_and_minute")]
    to: Time,
    zone: Zone,
}

impl QuietHours {
    /// Whether it is quiet there now. On the day when clocks change the wall clock counts.
    pub(crate) fn hold(&self, now: Timestamp) -> bool {
        let Ok(moment) = Moment::from_millisecond(now.millis()) else { return false };
        let clock = self.zone.0.to_datetime(moment).time();
        if self.from < self.to {
            self.from <= clock && clock < self.to
        } else {
            self.from <= clock || clock < self.to
        }
    }
}

/// A zone by its IANA name, e.g. `Asia/Seoul`.
#[derive(Clone, Debug, PartialEq)]
struct Zone(TimeZone);

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.iana_name().unwrap_or("UTC"))
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let zone = TimeZone::get(&name).map_err(|_| D::Error::custom("no such time zone"))?;
        Ok(Self(zone))
    }
}

/// `HH:MM`
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    parse(&text).ok_or_else(|| D::Error::custom("a time of day is like 22:00"))
}

fn parse(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let number = |digits: &str| {
        let plain = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| digits.parse().ok()).flatten()
    };
    Time::new(number(hour)?, number(minute)?, 0, 0).ok()
}

fn hour_and_minute<S: Serializer>(time: &Time, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{:02}:{:02}", time.hour(), time.minute()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(from: &str, to: &str, zone: &str) -> QuietHours {
        let json = serde_json::json!({"from": from, "to": to, "zone": zone});
        serde_json::from_value(json).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        serde_json::from_value(text.into()).unwrap()
    }

    #[test]
    fn a_night_is_over_midnight_and_by_the_zones_clocks() {
        let night = hours("22:00", "07:00", "Asia/Seoul");
        for (when, quiet) in [
            ("2026-01-01T12:59:59Z", false),
            ("2026-01-01T13:00:00Z", true),
            ("2026-01-01T21:59:59Z", true),
            ("2026-01-01T22:00:00Z", false),
        ] {
            assert_eq!(night.hold(at(when)), quiet, "{when}");
        }
        let nap = hours("13:00", "14:00", "UTC");
        assert!(nap.hold(at("2026-01-01T13:30:00Z")) && !nap.hold(at("2026-01-01T14:00:00Z")));
        assert!(hours("00:00", "00:00", "UTC").hold(at("2026-01-01T13:30:00Z")), "all day");
    }

    #[test]
    fn summer_time_moves_them() {
        let night = hours("22:00", "07:00", "Europe/Berlin");
        assert!(night.hold(at("2026-01-15T05:30:00Z")), "06:30 in winter");
        assert!(!night.hold(at("2026-07-15T05:30:00Z")), "07:30 in summer");
        // 2026-03-29: 02:00 becomes 03:00. Quiet until 02:30 ends with the jump.
        let early = hours("01:00", "02:30", "Europe/Berlin");
        assert!(early.hold(at("2026-03-29T00:59:00Z")) && !early.hold(at("2026-03-29T01:00:00Z")));
    }

    #[test]
    fn they_are_written_as_they_were_read_and_nothing_else_is_taken() {
        let json = serde_json::json!({"from": "22:00", "to": "07:05", "zone": "Asia/Seoul"});
        let read: QuietHours = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), json);
        for (field, bad) in
            [("from", "24:00"), ("from", "7:00"), ("to", "07:60"), ("zone", "Mars/Base")]
        {
            let mut json = json.clone();
            json[field] = bad.into();
            assert!(serde_json::from_value::<QuietHours>(json).is_err(), "{field} {bad}");
        }
    }
}
