use std::time::Duration;

use tokio::time::Instant;
use tonic::metadata::MetadataMap;

/// The moment by which a call has to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    pub fn after(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    /// The deadline of a call: its `grpc-timeout`, or `default` where it has none that can be
    /// read, and never later than `max` from now.
    pub fn of(metadata: &MetadataMap, default: Duration, max: Duration) -> Self {
        let asked = metadata.get("grpc-timeout").and_then(|value| value.to_str().ok());
        Self::after(asked.and_then(parse_timeout).unwrap_or(default).min(max))
    }

    /// Time left, zero once it has passed.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    pub fn expired(self) -> bool {
        self.remaining().is_zero()
    }

    #[must_use]
    pub fn earlier(self, other: Self) -> Self {
        self.min(other)
    }

    /// This deadline, or `limit` from now if that is earlier.
    #[must_use]
    pub fn capped(self, limit: Duration) -> Self {
        self.min(Self::after(limit))
    }

    /// The moment itself, for `tokio::time::timeout_at`.
    pub fn instant(self) -> Instant {
        self.0
    }
}

/// `grpc-timeout`: at most eight digits and a unit (the gRPC specification, "Timeout").
fn parse_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(value * 3_600)),
        "M" => Some(Duration::from_secs(value * 60)),
        "S" => Some(Duration::from_secs(value)),
        "m" => Some(Duration::from_millis(value)),
        "u" => Some(Duration::from_micros(value)),
        "n" => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_of_the_wire() {
        for (text, expected) in [
            ("250m", Some(Duration::from_millis(250))),
            ("99999999H", Some(Duration::from_secs(99_999_999 * 3_600))),
            ("7S", Some(Duration::from_secs(7))),
            ("2M", Some(Duration::from_secs(120))),
            ("5u", Some(Duration::from_micros(5))),
            ("5n", Some(Duration::from_nanos(5))),
            ("", None),
            ("m", None),
            ("5", None),
            ("5é", None),
            ("-5m", None),
            ("123456789m", None),
        ] {
            assert_eq!(parse_timeout(text), expected, "{text:?}");
        }
    }

    /// Whether `make` gives a deadline that far from now, whenever now is.
    fn is_after(time: Duration, make: impl FnOnce() -> Deadline) -> bool {
        let earliest = Deadline::after(time);
        let made = make();
        (earliest..=Deadline::after(time)).contains(&made)
    }

    #[test]
    fn the_callers_timeout_holds_up_to_the_maximum() {
        for (timeout, expected) in [
            (None, Duration::from_secs(1)),
            (Some("rubbish"), Duration::from_secs(1)),
            (Some("30m"), Duration::from_millis(30)),
            (Some("1H"), Duration::from_secs(10)),
        ] {
            let mut metadata = MetadataMap::new();
            if let Some(timeout) = timeout {
                metadata.insert("grpc-timeout", timeout.parse().unwrap());
            }
            let of = || Deadline::of(&metadata, Duration::from_secs(1), Duration::from_secs(10));
            assert!(is_after(expected, of), "{timeout:?}");
        }
    }

    #[test]
    fn capped_and_earlier_never_extend() {
        let hour = Deadline::after(Duration::from_secs(3_600));
        assert_eq!(hour.capped(Duration::from_secs(7_200)), hour);
        assert_eq!(Deadline::after(Duration::from_secs(7_200)).earlier(hour), hour);
        assert!(is_after(Duration::from_secs(60), || hour.capped(Duration::from_secs(60))));
    }

    #[test]
    fn a_deadline_of_no_time_has_passed() {
        let deadline = Deadline::after(Duration::ZERO);
        assert!(deadline.expired());
        assert_eq!(deadline.remaining(), Duration::ZERO);
    }
}
