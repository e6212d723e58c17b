//! A day in UTC, as it stands in the paths of objects. Knows no clock.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use std::fmt;

/// A day in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(Date);

impl Day {
    /// Of three path components, `YYYY`, `MM` and `DD`, with all their digits.
    pub fn of_parts(year: &str, month: &str, day: &str) -> Option<Self> {
        let number = |text: &str, digits: usize| -> Option<i16> {
            (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
        };
        let (year, month, day) = (number(year, 4)?, number(month, 2)?, number(day, 2)?);
        Date::new(year, month.try_into().ok()?, day.try_into().ok()?).ok().map(Self)
    }

    /// The day of a time in milliseconds since 1970; the nearest one that can be written where that is out of range.
    pub fn of_ms(ms: i64) -> Self {
        let last = if ms < 0 { Timestamp::MIN } else { Timestamp::MAX };
        let time = Timestamp::from_millisecond(ms).unwrap_or(last);
        Self(time.to_zoned(TimeZone::UTC).date())
    }

    /// When the day begins, in milliseconds since 1970.
    pub fn start_ms(self) -> i64 {
        self.0.at(0, 0, 0, 0).to_zoned(TimeZone::UTC).map_or(0, |zoned| zoned.timestamp().as_millisecond())
    }

    /// The day before.
    #[must_use]
    pub fn before(self) -> Self {
        Self(self.0.saturating_sub(1.day()))
    }

    /// The day after.
    #[must_use]
    pub fn after(self) -> Self {
        Self(self.0.saturating_add(1.day()))
    }
}

/// `YYYY/MM/DD`, as in the path of an object.
impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}/{:02}/{:02}", self.0.year(), self.0.month(), self.0.day())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_written_as_in_paths() {
        let day = Day::of_parts("2024", "02", "29").expect("a leap day");
        assert_eq!(day.to_string(), "2024/02/29");
        assert_eq!(day.after().to_string(), "2024/03/01");
        assert_eq!(day.after().before(), day);
        assert_eq!(Day::of_ms(day.start_ms()), day);
        assert_eq!(Day::of_ms(day.start_ms() - 1), day.before());
        for (year, month, at) in [("2023", "02", "29"), ("24", "02", "01"), ("2024", "2", "01"), ("2024", "13", "01"), ("+024", "01", "01")] {
            assert_eq!(Day::of_parts(year, month, at), None, "{year}/{month}/{at}");
        }
    }
}
