//! The zones that a database's local times are in.

use jiff::{civil::DateTime, tz::TimeZone};

/// A time zone by name (`Asia/Tokyo`), by offset (`+09:00`), or `UTC`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Zone(TimeZone);

/// A zone that is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a time zone like UTC, Asia/Tokyo or +09:00")]
pub(crate) struct UnknownZone(String);

impl Zone {
    pub(crate) fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    pub(crate) fn parse(text: &str) -> Result<Self, UnknownZone> {
        let zone = match text {
            "UTC" => Some(TimeZone::UTC),
            _ => offset(text).or_else(|| TimeZone::get(text).ok()),
        };
        zone.map(Self).ok_or_else(|| UnknownZone(text.to_owned()))
    }

    /// Unix milliseconds of a local time. A time that a change of the clocks skipped or repeated is
    /// read with the offset before the change. `None` outside the years that are known.
    pub(crate) fn to_unix_ms(&self, local: DateTime) -> Option<i64> {
        let moment = self.0.to_ambiguous_timestamp(local).compatible().ok()?;
        Some(moment.as_millisecond())
    }
}

fn offset(text: &str) -> Option<TimeZone> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    let known = (0..=15).contains(&hours) && (0..60).contains(&minutes);
    let seconds = known.then_some(sign * (hours * 3_600 + minutes * 60))?;
    jiff::tz::Offset::from_seconds(seconds).ok().map(TimeZone::fixed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_times_become_moments() {
        let local = jiff::civil::date(2024, 2, 10).at(21, 24, 9, 0);
        for (zone, ms) in [
            ("UTC", 1_707_600_249_000),
            ("+09:00", 1_707_567_849_000),
            ("Asia/Tokyo", 1_707_567_849_000),
            ("-03:30", 1_707_612_849_000),
        ] {
            assert_eq!(Zone::parse(zone).unwrap().to_unix_ms(local), Some(ms), "{zone}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "Tokyo", "+9", "+99:00", "09:00", "+é:00"] {
            assert_eq!(Zone::parse(text), Err(UnknownZone(text.to_owned())));
        }
    }
}
