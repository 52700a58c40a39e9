//! Spans of time, as people write them: in filters, on the command line and in the environment.

use core::error::Error;
use core::fmt;
use core::time::Duration;

/// Reads a span of time: a decimal number and its unit, such as `500ms`, `1.5s`, `5m` or `1h`.
///
/// The units are `ms`, `s`, `m` (or `min`) and `h`; a number without a unit is in seconds. Signs and exponents are refused.
/// The result is exact to the nanosecond. Allocates only for the error.
///
/// ```
/// use std::time::Duration;
///
/// assert_eq!(bw_core::parse_duration("1.5s")?, Duration::from_millis(1_500));
/// # Ok::<(), bw_core::InvalidDuration>(())
/// ```
///
/// # Errors
///
/// When the text is no such span, or a longer one than a [`Duration`] holds.
pub fn parse_duration(text: &str) -> Result<Duration, InvalidDuration> {
    parse(text).ok_or_else(|| InvalidDuration { text: text.into() })
}

fn parse(text: &str) -> Option<Duration> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let nanos_of_unit: u128 = match unit {
        "ms" => 1_000_000,
        "" | "s" => 1_000_000_000,
        "m" | "min" => 60 * 1_000_000_000,
        "h" => 3_600 * 1_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || fraction.contains('.') || (fraction.is_empty() && number.contains('.')) {
        return None;
    }
    // What is finer than that is beyond any clock, and would overflow below.
    let fraction = &fraction[..fraction.len().min(18)];
    let whole = whole.parse::<u64>().ok()?;
    let mut nanos = u128::from(whole).checked_mul(nanos_of_unit)?;
    if !fraction.is_empty() {
        let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
        nanos += u128::from(fraction.parse::<u64>().ok()?) * nanos_of_unit / scale;
    }
    let seconds = u64::try_from(nanos / 1_000_000_000).ok()?;
    Some(Duration::new(seconds, u32::try_from(nanos % 1_000_000_000).ok()?))
}

/// The error of [`parse_duration`]. Its message repeats the text, escaped and cut, and says what to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidDuration {
    text: Box<str>,
}

/// Characters of the text that the message repeats at most.
const MOST_CHARS: usize = 80;

impl fmt::Display for InvalidDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &*self.text;
        let kept = text.char_indices().nth(MOST_CHARS).map_or(text, |(end, _)| &text[..end]);
        let cut = if kept.len() < text.len() { "…" } else { "" };
        write!(f, "{kept:?}{cut} is no time: write 500ms, 5s, 1m or 1h")
    }
}

impl Error for InvalidDuration {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, millis) in [
            ("500ms", 500),
            ("5s", 5_000),
            ("5", 5_000),
            ("1.5s", 1_500),
            ("1m", 60_000),
            ("2min", 120_000),
            ("1h", 3_600_000),
            ("0.25h", 900_000),
            ("1.000000000000000000000001s", 1_000),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(parse_duration("0.000000001s"), Ok(Duration::from_nanos(1)));
        assert_eq!(parse_duration("18446744073709551615s"), Ok(Duration::from_secs(u64::MAX)));
    }

    #[test]
    fn what_is_no_time_is_refused_and_told_what_to_write() {
        for text in [
            "",
            "s",
            ".5s",
            "5.s",
            "-1s",
            "+1s",
            "1 s",
            "1d",
            "1e9s",
            "nan",
            "inf",
            "..s",
            "1.2.3s",
            "1s1s",
            "18446744073709551616s",
            "18446744073709551615h",
            "١s",
        ] {
            assert!(parse_duration(text).unwrap_err().to_string().contains("500ms"), "{text}");
        }
    }

    #[test]
    fn a_hostile_text_is_neither_repeated_whole_nor_raw() {
        let error = parse_duration(&format!("\u{1b}[2J{}", "x".repeat(10_000))).unwrap_err().to_string();
        assert!(error.len() < 400 && !error.contains('\u{1b}'), "{error}");
    }
}
