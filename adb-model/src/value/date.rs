//! Points in time, as the database keeps them.

use std::{fmt, str::FromStr};

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use super::ValueError;

/// A point in time, to the microsecond, in UTC.
///
/// Fields are declared as [`jiff::Timestamp`], [`jiff::civil::Date`] or [`jiff::civil::DateTime`];
/// this is what they become. Written as `2021-07-01T09:30:00+00:00`: an offset in digits, since
/// Python before 3.11 does not read `Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(Timestamp);

impl Date {
    /// The point in time.
    #[must_use]
    pub fn timestamp(self) -> Timestamp {
        self.0
    }

    /// Clock and calendar in UTC.
    #[must_use]
    pub fn utc(self) -> DateTime {
        TimeZone::UTC.to_datetime(self.0)
    }
}

impl TryFrom<Timestamp> for Date {
    type Error = ValueError;
    fn try_from(at: Timestamp) -> Result<Self, ValueError> {
        if at.subsec_nanosecond() % 1000 == 0 {
            Ok(Self(at))
        } else {
            Err(ValueError::DatePrecision(at.to_string()))
        }
    }
}

impl TryFrom<DateTime> for Date {
    type Error = ValueError;
    fn try_from(utc: DateTime) -> Result<Self, ValueError> {
        let at = TimeZone::UTC
            .to_timestamp(utc)
            .map_err(|e| ValueError::NotADate { text: utc.to_string(), message: e.to_string() })?;
        at.try_into()
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+00:00", self.utc())
    }
}

/// ISO 8601 with an offset, `Z`, or nothing, which means UTC; a date alone is its midnight.
impl FromStr for Date {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let with_offset = text.parse::<Timestamp>().map(Date::try_from);
        let parsed = with_offset.or_else(|first| match text.parse::<DateTime>() {
            Ok(utc) => Ok(Date::try_from(utc)),
            Err(_) => Err(first),
        });
        parsed
            .map_err(|e| ValueError::NotADate { text: text.to_owned(), message: e.to_string() })?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_and_read() {
        for (text, written) in [
            ("2021-07-01T09:30:00Z", "2021-07-01T09:30:00+00:00"),
            ("2021-07-01T09:30:00.25+02:00", "2021-07-01T07:30:00.25+00:00"),
            ("2021-07-01T09:30:00", "2021-07-01T09:30:00+00:00"),
            ("2021-07-01", "2021-07-01T00:00:00+00:00"),
            ("1815-12-10T00:00:00+00:00", "1815-12-10T00:00:00+00:00"),
        ] {
            let date: Date = text.parse().unwrap();
            assert_eq!(date.to_string(), written);
            assert_eq!(written.parse(), Ok(date));
        }
    }

    #[test]
    fn what_can_not_be_kept_is_refused() {
        assert!("yesterday".parse::<Date>().is_err());
        let at: Timestamp = "2021-07-01T09:30:00.0000001Z".parse().unwrap();
        assert!(matches!(Date::try_from(at), Err(ValueError::DatePrecision(_))));
    }
}
