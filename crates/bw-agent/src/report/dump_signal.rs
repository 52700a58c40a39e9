//! The signals that can ask for a dump.

use std::fmt;

/// A signal that can ask for a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DumpSignal {
    /// `kill -USR1 PID`.
    Usr1,
    /// `kill -USR2 PID`.
    Usr2,
    /// `kill -QUIT PID`, or Ctrl-\ at the terminal: what virtual machines of Java do. The process is not ended by it any more.
    Quit,
}

impl DumpSignal {
    /// Parses `USR1`, `USR2` or `QUIT`, with or without `SIG` in front.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("SIG").unwrap_or(text) {
            "USR1" => Some(Self::Usr1),
            "USR2" => Some(Self::Usr2),
            "QUIT" => Some(Self::Quit),
            _ => None,
        }
    }
}

impl fmt::Display for DumpSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Usr1 => "SIGUSR1",
            Self::Usr2 => "SIGUSR2",
            Self::Quit => "SIGQUIT",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_the_names_people_write() {
        for signal in [DumpSignal::Usr1, DumpSignal::Usr2, DumpSignal::Quit] {
            let name = signal.to_string();
            assert_eq!(DumpSignal::parse(&name), Some(signal));
            assert_eq!(DumpSignal::parse(name.trim_start_matches("SIG")), Some(signal));
        }
        for other in ["", "SIG", "KILL", "usr1", "10", "USR11"] {
            assert_eq!(DumpSignal::parse(other), None, "{other}");
        }
    }
}
