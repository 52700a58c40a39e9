//! How long something takes, as people say it.

use std::fmt;
use std::time::Duration;

/// Prints a span of time as `0.3 s`, `12.4 s`, `4 min 10 s`, `2 h 5 min`, `3 d 4 h`: two units at most, rounded down.
#[derive(Clone, Copy, Debug)]
pub struct Elapsed(
    /// The span.
    pub Duration,
);

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        const DAY: u64 = 24 * HOUR;
        let seconds = self.0.as_secs();
        match seconds {
            0..MINUTE => write!(f, "{seconds}.{} s", self.0.subsec_millis() / 100),
            MINUTE..HOUR => write!(f, "{} min {} s", seconds / MINUTE, seconds % MINUTE),
            HOUR..DAY => write!(f, "{} h {} min", seconds / HOUR, seconds % HOUR / MINUTE),
            _ => write!(f, "{} d {} h", seconds / DAY, seconds % DAY / HOUR),
        }
    }
}

/// Returns the shortest and the longest of some spans, `0.3 s to 2 h 5 min`, or only one where both print alike.
pub(crate) fn span(shortest: Duration, longest: Duration) -> String {
    let (shortest, longest) = (Elapsed(shortest).to_string(), Elapsed(longest).to_string());
    if shortest == longest { longest } else { format!("{shortest} to {longest}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_two_units_at_most() {
        for (millis, text) in [
            (0, "0.0 s"),
            (390, "0.3 s"),
            (59_999, "59.9 s"),
            (60_000, "1 min 0 s"),
            (250_000, "4 min 10 s"),
            (7_500_000, "2 h 5 min"),
            (273_600_000, "3 d 4 h"),
        ] {
            assert_eq!(Elapsed(Duration::from_millis(millis)).to_string(), text);
        }
        assert!(Elapsed(Duration::MAX).to_string().ends_with(" h"));
    }
}
