//! Event time, in milliseconds since the Unix epoch. "Now" is always given, never asked for.

use crate::decode::Record;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// An event time further ahead of the delivery than this is taken for a wrong clock. Ten minutes.
pub const MAX_FUTURE_MS: i64 = 10 * 60 * 1000;

/// When a record happened, as far as the engine trusts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventTime {
    pub ms: i64,
    /// The record's own time was missing, unreadable or in the future; `ms` is the time of delivery.
    pub substituted: bool,
}

/// The record's `eventTime`, or `delivered_ms` when that cannot be used.
pub fn event_time(record: &Record<'_>, delivered_ms: i64) -> EventTime {
    let own = record.fields.event_time.text(record.raw).and_then(|text| parse_ms(&text));
    match own {
        Some(ms) if ms <= delivered_ms.saturating_add(MAX_FUTURE_MS) => EventTime { ms, substituted: false },
        _ => EventTime { ms: delivered_ms, substituted: true },
    }
}

/// Reads RFC 3339, also with a space for the `T`, nanoseconds, or without offset (then UTC).
pub fn parse_ms(text: &str) -> Option<i64> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time.as_millisecond());
    }
    let civil = text.parse::<DateTime>().ok()?;
    Some(TimeZone::UTC.to_timestamp(civil).ok()?.as_millisecond())
}

/// RFC 3339 in UTC with milliseconds, as alerts carry it.
pub fn format_ms(ms: i64) -> String {
    let time = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
    time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_forms_seen_in_real_records() {
        let expected = parse_ms("2024-07-15T10:11:12Z");
        assert!(expected.is_some());
        for text in ["2024-07-15 10:11:12Z", "2024-07-15T10:11:12", "2024-07-15T12:11:12+02:00", "2024-07-15T10:11:12.000000001Z"]
        {
            assert_eq!(parse_ms(text), expected, "{text}");
        }
        for text in ["", "yesterday", "2024-13-01T00:00:00Z", "1721038272"] {
            assert_eq!(parse_ms(text), None, "{text}");
        }
    }

    #[test]
    fn formats_with_milliseconds() {
        assert_eq!(format_ms(1_721_038_272_007), "2024-07-15T10:11:12.007Z");
    }
}
