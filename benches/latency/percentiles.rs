//! The latencies of one phase, in a line that one process prints and the other reads.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Milliseconds, but for the counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Percentiles {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
    pub(crate) requests: usize,
    pub(crate) errors: usize,
}

impl Percentiles {
    pub(crate) fn new(mut latencies: Vec<Duration>, errors: usize) -> Self {
        latencies.sort_unstable();
        // The latency that so many in a thousand do not exceed.
        let at = |permille: usize| {
            let rank = (latencies.len() * permille).div_ceil(1_000).max(1) - 1;
            latencies.get(rank).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
        };
        Self { p50: at(500), p99: at(990), p999: at(999), max: at(1_000), requests: latencies.len(), errors }
    }
}

impl fmt::Display for Percentiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { p50, p99, p999, max, requests, errors } = self;
        write!(f, "{p50:.3} {p99:.3} {p999:.3} {max:.3} {requests} {errors}")
    }
}

impl FromStr for Percentiles {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let wrong = || format!("the client said {line:?}");
        let [p50, p99, p999, max, requests, errors] =
            line.split_whitespace().collect::<Vec<_>>().try_into().map_err(|_| wrong())?;
        let number = |word: &str| word.parse().map_err(|_| wrong());
        let count = |word: &str| word.parse().map_err(|_| wrong());
        Ok(Self {
            p50: number(p50)?,
            p99: number(p99)?,
            p999: number(p999)?,
            max: number(max)?,
            requests: count(requests)?,
            errors: count(errors)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_latencies() {
        let percentiles = Percentiles::new((1..=1_000).rev().map(Duration::from_millis).collect(), 3);
        assert_eq!(percentiles.to_string(), "500.000 990.000 999.000 1000.000 1000 3");
        let read: Percentiles = percentiles.to_string().parse().unwrap();
        assert_eq!(read.to_string(), percentiles.to_string());
        assert!("1 2 3".parse::<Percentiles>().is_err());
        assert!(Percentiles::new(Vec::new(), 0).p50.is_nan());
    }
}
