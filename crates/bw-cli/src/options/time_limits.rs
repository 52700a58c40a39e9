//! The spans of time that options take, and their limits.

use std::ops::RangeInclusive;
use std::time::Duration;

use bw_dump::contract::endpoints::LONGEST_TIMEOUT;

/// `500ms`, `1.5s`, `5m`, `1h`, or a number of seconds.
fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time: write 500ms, 5s, 1m or 1h");
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let seconds = match unit {
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3_600.0,
        _ => return Err(wrong()),
    };
    let number: f64 = number.parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(number * seconds).map_err(|_| wrong())
}

/// What agents take as the timeout of a dump.
pub(crate) fn timeout(text: &str) -> Result<Duration, String> {
    within(text, Duration::from_millis(1)..=LONGEST_TIMEOUT, "1ms to 1m")
}

/// How often something is done: not so often that it keeps the process busy.
pub(crate) fn interval(text: &str) -> Result<Duration, String> {
    within(text, Duration::from_millis(10)..=Duration::from_secs(86_400), "10ms to 24h")
}

fn within(text: &str, allowed: RangeInclusive<Duration>, words: &str) -> Result<Duration, String> {
    let time = parse(text)?;
    allowed.contains(&time).then_some(time).ok_or_else(|| format!("{text} is not from {words}"))
}

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
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in [
            "",
            "s",
            "-1s",
            "1 s",
            "1d",
            "1e9s",
            "nan",
            "inf",
            "..s",
            "1s1s",
            "9999999999999999999999h",
            "١s",
        ] {
            assert!(parse(text).unwrap_err().contains("500ms"), "{text}");
        }
    }

    #[test]
    fn bounds_are_told() {
        assert_eq!(timeout("60s"), Ok(Duration::from_secs(60)));
        assert!(timeout("61s").unwrap_err().contains("1m"));
        assert!(timeout("0").unwrap_err().contains("1ms"));
        assert!(interval("0").unwrap_err().contains("10ms"));
    }
}
