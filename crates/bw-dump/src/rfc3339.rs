//! Times as text: RFC 3339 in UTC. The only implementation in this project; every file, answer and report uses it.
//!
//! The format has room for the years 1970 to 9999 here. A time outside of them, which only a wrong clock gives, is written as the
//! nearest time inside.
//!
//! ```
//! use bw_dump::rfc3339;
//!
//! let time = rfc3339::parse("2026-09-21T14:13:20.123Z")?;
//! assert_eq!(rfc3339::seconds(time), "2026-09-21T14:13:20Z");
//! assert_eq!(rfc3339::milliseconds(time), "2026-09-21T14:13:20.123Z");
//! # Ok::<(), rfc3339::InvalidTime>(())
//! ```

use std::error::Error;
use std::fmt;
use std::time::{Duration, SystemTime};

/// 9999-12-31T23:59:59.
const LAST: Duration = Duration::from_secs(253_402_300_799);

/// Returns a time to the second, such as `2026-09-21T14:13:20Z`. Allocates.
#[must_use]
pub fn seconds(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(nearest(time)).to_string()
}

/// Returns a time to the millisecond, such as `2026-09-21T14:13:20.123Z`. Allocates.
#[must_use]
pub fn milliseconds(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(nearest(time)).to_string()
}

/// Returns a time to the nanosecond, such as `2026-09-21T14:13:20.123456789Z`. Allocates.
#[must_use]
pub fn nanoseconds(time: SystemTime) -> String {
    humantime::format_rfc3339_nanos(nearest(time)).to_string()
}

/// Returns the time that a text stands for. The text may have any number of digits after the second, and must end with `Z`.
///
/// # Errors
///
/// When the text is not RFC 3339 in UTC, or is a time before 1970.
pub fn parse(text: &str) -> Result<SystemTime, InvalidTime> {
    humantime::parse_rfc3339(text)
        .map_err(|error| InvalidTime { text: text.to_owned(), reason: error.to_string() })
}

/// The nearest time that the format has room for.
fn nearest(time: SystemTime) -> SystemTime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    SystemTime::UNIX_EPOCH + since.min(LAST)
}

/// The error of a text that is not a time. It prints as one line; the text is escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidTime {
    text: String,
    reason: String,
}

impl fmt::Display for InvalidTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text, reason } = self;
        write!(f, "{text:?} is no time such as 2026-09-21T14:13:20.123Z: {reason}")
    }
}

impl Error for InvalidTime {}

/// A field with a time to the millisecond that may be absent, for `#[serde(with = "…")]`.
pub(crate) mod optional_milliseconds {
    use std::time::SystemTime;

    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    // By reference, as serde calls it.
    #[allow(clippy::ref_option)]
    pub(crate) fn serialize<S: Serializer>(
        time: &Option<SystemTime>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        time.map(super::milliseconds).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<SystemTime>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.as_deref().map(super::parse).transpose().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_outside_the_format_become_the_nearest_inside() {
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(nanoseconds(before), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(seconds(before), "1970-01-01T00:00:00Z");
        let after = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40);
        assert_eq!(nanoseconds(after), "9999-12-31T23:59:59.000000000Z");
        assert_eq!(milliseconds(SystemTime::UNIX_EPOCH + LAST), "9999-12-31T23:59:59.000Z");
        assert_eq!(seconds(SystemTime::UNIX_EPOCH + LAST + Duration::from_secs(1)), "9999-12-31T23:59:59Z");
    }

    #[test]
    fn what_is_written_is_read() {
        let time = SystemTime::UNIX_EPOCH + Duration::new(1_790_000_000, 123_456_789);
        assert_eq!(parse(&nanoseconds(time)), Ok(time));
        for text in
            ["", "yesterday", "1969-12-31T23:59:59Z", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00+01:00"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
        let leap_second = parse("9999-12-31T23:59:60Z").unwrap();
        assert_eq!(nanoseconds(leap_second), "9999-12-31T23:59:59.000000000Z");
    }
}
