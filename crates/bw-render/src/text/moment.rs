//! When something was, for people and for programs.

use std::time::{Duration, SystemTime};

/// A time in UTC as RFC 3339, to the second or to the millisecond. One before 1970 or after 9999, which only a wrong clock
/// gives, is written as the nearest that has a form.
#[derive(Clone, Copy, Debug)]
pub struct Moment(SystemTime);

/// 9999-12-31T23:59:59, in seconds since 1970.
const LAST: u64 = 253_402_300_799;

impl Moment {
    /// That time, or the nearest that has a form.
    #[must_use]
    pub fn new(time: SystemTime) -> Self {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self(SystemTime::UNIX_EPOCH + since.min(Duration::from_secs(LAST)))
    }

    /// `2026-09-21T14:13:20Z`. Allocates.
    #[must_use]
    pub fn seconds(&self) -> String {
        humantime::format_rfc3339_seconds(self.0).to_string()
    }

    /// `2026-09-21T14:13:20.123Z`. Allocates.
    #[must_use]
    pub fn millis(&self) -> String {
        humantime::format_rfc3339_millis(self.0).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_clock_does_not_panic() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(Moment::new(before).seconds(), "1970-01-01T00:00:00Z");
        assert_eq!(Moment::new(at(LAST + 1)).seconds(), "9999-12-31T23:59:59Z");
        assert_eq!(Moment::new(at(LAST)).millis(), "9999-12-31T23:59:59.000Z");
    }
}
