//! How long something takes, as people say it.

use std::fmt;
use std::time::Duration;

/// Prints a span of time as `0.3 s`, `12.4 s`, `4 min 10 s`, `2 h 5 min`, `3 d 4 h`: two units at most, rounded down.
#[derive(Clone, Copy, Debug)]
pub struct Span(
    /// The span.
    pub Duration,
);

impl fmt::Display for Span {
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

/// Prints a number with its thousands apart: `1,040`.
#[derive(Clone, Copy, Debug)]
pub struct Count(
    /// The number.
    pub usize,
);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units_at_most() {
        for (millis, text) in [
            (0, "0.0 s"),
            (390, "0.3 s"),
            (59_999, "59.9 s"),
            (60_000, "1 min 0 s"),
            (250_000, "4 min 10 s"),
            (7_500_000, "2 h 5 min"),
            (273_600_000, "3 d 4 h"),
        ] {
            assert_eq!(Span(Duration::from_millis(millis)).to_string(), text);
        }
        assert!(Span(Duration::MAX).to_string().ends_with(" h"));
    }

    #[test]
    fn thousands_stand_apart() {
        for (count, text) in [(0, "0"), (999, "999"), (1_040, "1,040"), (1_234_567, "1,234,567")] {
            assert_eq!(Count(count).to_string(), text);
        }
    }
}
