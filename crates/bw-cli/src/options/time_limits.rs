//! The spans of time that options take, and their limits.

use std::ops::RangeInclusive;
use std::time::Duration;

use bw_core::parse_duration;
use bw_dump::contract::endpoints::LONGEST_TIMEOUT;

/// What agents take as the timeout of a dump.
pub(crate) fn timeout(text: &str) -> Result<Duration, String> {
    within(text, Duration::from_millis(1)..=LONGEST_TIMEOUT, "1ms to 1m")
}

/// How long threads may be stopped. A number needs its unit: whoever writes 10 means milliseconds, and would stop a service for ten seconds.
pub(crate) fn pause(text: &str) -> Result<Duration, String> {
    match text.ends_with(|letter: char| letter.is_ascii_digit()) {
        true => Err(format!("{text} has no unit: write {text}ms")),
        false => timeout(text),
    }
}

/// How often something is done: not so often that it keeps the process busy.
pub(crate) fn interval(text: &str) -> Result<Duration, String> {
    within(text, Duration::from_millis(10)..=Duration::from_secs(86_400), "10ms to 24h")
}

fn within(text: &str, allowed: RangeInclusive<Duration>, words: &str) -> Result<Duration, String> {
    let time = parse_duration(text).map_err(|error| error.to_string())?;
    allowed.contains(&time).then_some(time).ok_or_else(|| format!("{text} is not from {words}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_told() {
        assert_eq!(timeout("60s"), Ok(Duration::from_secs(60)));
        assert!(timeout("61s").unwrap_err().contains("1m"));
        assert_eq!(pause("10ms"), Ok(Duration::from_millis(10)));
        assert_eq!(pause("10"), Err("10 has no unit: write 10ms".to_owned()));
        assert!(pause("2m").unwrap_err().contains("1ms to 1m") && pause("").is_err());
        assert!(timeout("0").unwrap_err().contains("1ms"));
        assert!(interval("0").unwrap_err().contains("10ms"));
    }
}
