//! Which process a dump is of.

use std::path::PathBuf;
use std::time::SystemTime;

/// Which process a dump is of, and what it runs on. Neither its arguments nor its environment: those have secrets in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Process {
    /// Its number, as it sees itself; another one outside of its container.
    pub pid: u32,
    /// The file it was started from, where that is known.
    pub executable: Option<PathBuf>,
    /// When it started, to about 10 ms, where that is known: on Linux.
    pub started_at: Option<SystemTime>,
    /// As `std::env::consts::OS`.
    pub os: String,
    /// As `std::env::consts::ARCH`.
    pub architecture: String,
}

impl Process {
    /// This process. Reads one link and two small files of the kernel; allocates.
    #[must_use]
    pub fn this() -> Self {
        Self {
            pid: std::process::id(),
            executable: std::env::current_exe().ok(),
            started_at: started_at("self"),
            os: std::env::consts::OS.into(),
            architecture: std::env::consts::ARCH.into(),
        }
    }

    /// A process of this machine that runs, by its number as it is seen from here. What may not be read of it is left out.
    #[must_use]
    pub fn running(pid: u32) -> Self {
        let executable = std::fs::read_link(format!("/proc/{pid}/exe")).ok();
        Self { pid, executable, started_at: started_at(&pid.to_string()), ..Self::this() }
    }

    /// A process of which only the number is known. Set what is known beside it.
    #[must_use]
    pub fn new(pid: u32) -> Self {
        Self { pid, ..Self::default() }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn started_at(_: &str) -> Option<SystemTime> {
    None
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn started_at(pid: &str) -> Option<SystemTime> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
    SystemTime::now().checked_sub(age(&stat, &uptime)?)
}

/// How long ago a process started: `proc_pid_stat(5)` and `proc_uptime(5)`.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn age(stat: &str, uptime: &str) -> Option<std::time::Duration> {
    use std::time::Duration;

    /// `USER_HZ`, what the kernel tells times in: 100 on every architecture Rust has, whatever its own clock does.
    const TICKS_PER_SECOND: u64 = 100;
    // The program's name comes second, in parentheses, and may have spaces and parentheses in it.
    let (_, after_name) = stat.rsplit_once(')')?;
    // The start is field 22; after the name, the third is the first.
    let ticks: u64 = after_name.split_ascii_whitespace().nth(22 - 3)?.parse().ok()?;
    let uptime: f64 = uptime.split_ascii_whitespace().next()?.parse().ok()?;
    let uptime = Duration::try_from_secs_f64(uptime).ok()?;
    let started = Duration::from_millis(ticks.checked_mul(1_000 / TICKS_PER_SECOND)?);
    // Both are rounded down, each by its own clock.
    Some(uptime.saturating_sub(started))
}

#[cfg(test)]
#[cfg(any(target_os = "linux", target_os = "android"))]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_age_of_a_process_is_read_past_its_name() {
        let stat = "7 (a b) 1) c) S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 12345 1 1 1";
        assert_eq!(age(stat, "200.50 100.00\n"), Some(Duration::from_millis(77_050)));
        assert_eq!(age(stat, "1.00 1.00"), Some(Duration::ZERO));
        for (stat, uptime) in
            [("", "1 1"), ("7 (a) S 1", "1 1"), (stat, ""), (stat, "x"), (stat, "-1"), (stat, "nan")]
        {
            assert_eq!(age(stat, uptime), None);
        }
    }

    #[test]
    fn this_process_started_before_now() {
        let this = Process::this();
        assert!(this.started_at.unwrap() <= SystemTime::now());
        assert_eq!(this.pid, std::process::id());
        assert!(this.executable.is_some());
    }
}
