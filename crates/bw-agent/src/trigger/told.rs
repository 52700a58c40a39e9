//! What the operator's environment says of triggers.

use std::path::PathBuf;
use std::time::Duration;

use super::Triggers;
use super::folder::ReportFolder;
#[cfg(unix)]
use super::signal::{DumpSignal, OnSignal};
use super::stall_watch::StallWatch;

/// `None` where the environment says nothing, and `Some(None)` for `off`.
#[derive(Debug, Default)]
pub(crate) struct Told {
    #[cfg(unix)]
    signal: Option<Option<DumpSignal>>,
    panic: Option<bool>,
    stall_threshold: Option<Option<Duration>>,
    folder: Option<PathBuf>,
}

impl Told {
    /// `text` gives a variable that is set, `ignored` is told of one whose value is none of the valid ones.
    pub(crate) fn read(
        text: impl Fn(&str) -> Option<String>,
        ignored: impl Fn(&str, &str, &str),
        folder: Option<PathBuf>,
    ) -> Self {
        /// `None` if the value is none of the valid ones.
        fn or_off<T>(value: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
            if value == "off" { Some(None) } else { read(value).map(Some) }
        }
        let valid = |name: &str, value: &str, valid: &str, is_valid: bool| {
            if !is_valid {
                ignored(name, value, valid);
            }
        };
        let threshold = |value: &str| {
            value.parse().ok().map(Duration::from_millis).filter(|time| *time >= StallWatch::SHORTEST)
        };
        let mut told = Self::default();
        #[cfg(unix)]
        if let Some(value) = text("BACKTRACE_WAKER_SIGNAL") {
            told.signal = or_off(&value, DumpSignal::parse);
            valid("BACKTRACE_WAKER_SIGNAL", &value, "USR1, USR2, QUIT or off", told.signal.is_some());
        }
        if let Some(value) = text("BACKTRACE_WAKER_PANIC") {
            told.panic = match &*value {
                "on" | "1" => Some(true),
                "off" | "0" => Some(false),
                _ => None,
            };
            valid("BACKTRACE_WAKER_PANIC", &value, "on, off, 1 or 0", told.panic.is_some());
        }
        if let Some(value) = text("BACKTRACE_WAKER_STALL_MS") {
            told.stall_threshold = or_off(&value, threshold);
            valid(
                "BACKTRACE_WAKER_STALL_MS",
                &value,
                "milliseconds from 200 on, or off",
                told.stall_threshold.is_some(),
            );
        }
        told.folder = folder;
        told
    }
}

impl Triggers {
    /// Has what the operator says win over what the program said; whatever else the program said of a trigger holds.
    pub(crate) fn apply(&mut self, told: Told) {
        #[cfg(unix)]
        if let Some(signal) = told.signal {
            let before = self.signal.take();
            self.signal = signal.map(|signal| match before {
                Some(on_signal) => on_signal.on(signal),
                None => OnSignal::new(signal),
            });
        }
        if let Some(is_on) = told.panic {
            let before = self.panic.take();
            self.panic = is_on.then(|| before.unwrap_or_default());
        }
        if let Some(threshold) = told.stall_threshold {
            let before = self.stalls.take();
            self.stalls = threshold.map(|threshold| match before {
                Some(watch) => watch.with_threshold(threshold),
                None => StallWatch::new(threshold),
            });
        }
        if let Some(folder) = told.folder {
            self.of_operator = Some(ReportFolder::new(folder).into());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::trigger::OnPanic;

    fn apply(variables: &[(&str, &str)], triggers: &mut Triggers) -> Vec<String> {
        let warnings = RefCell::new(Vec::new());
        let text =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into());
        let ignored = |name: &str, value: &str, valid: &str| {
            warnings.borrow_mut().push(format!("{name}={value}: {valid}"));
        };
        triggers.apply(Told::read(text, ignored, None));
        warnings.into_inner()
    }

    fn of_program() -> Triggers {
        Triggers {
            #[cfg(unix)]
            signal: Some(OnSignal::new(DumpSignal::Usr1).at_most_every(Duration::from_secs(7))),
            panic: Some(OnPanic::new().at_most_every(Duration::from_secs(7))),
            stalls: Some(StallWatch::new(Duration::from_secs(60)).meant_to_wait("accept")),
            sinks: Vec::new(),
            of_operator: None,
        }
    }

    #[test]
    fn the_operator_turns_triggers_on_and_off() {
        let mut triggers = Triggers::default();
        let on = [
            ("BACKTRACE_WAKER_SIGNAL", "USR2"),
            ("BACKTRACE_WAKER_PANIC", "on"),
            ("BACKTRACE_WAKER_STALL_MS", "30000"),
        ];
        assert!(apply(&on, &mut triggers).is_empty());
        #[cfg(unix)]
        assert_eq!(triggers.signal.as_ref().map(OnSignal::signal), Some(DumpSignal::Usr2));
        assert!(triggers.panic.is_some());
        assert_eq!(triggers.stalls.as_ref().map(StallWatch::threshold), Some(Duration::from_secs(30)));

        let mut triggers = of_program();
        let off = [
            ("BACKTRACE_WAKER_SIGNAL", "off"),
            ("BACKTRACE_WAKER_PANIC", "0"),
            ("BACKTRACE_WAKER_STALL_MS", "off"),
        ];
        assert!(apply(&off, &mut triggers).is_empty());
        #[cfg(unix)]
        assert!(triggers.signal.is_none());
        assert!(triggers.panic.is_none() && triggers.stalls.is_none());
    }

    #[test]
    fn what_the_operator_does_not_mention_the_program_decides() {
        let mut triggers = of_program();
        let before = format!("{triggers:?}");
        assert!(apply(&[], &mut triggers).is_empty());
        assert_eq!(format!("{triggers:?}"), before);
        let told = [("BACKTRACE_WAKER_SIGNAL", "SIGQUIT"), ("BACKTRACE_WAKER_STALL_MS", "90000")];
        assert!(apply(&told, &mut triggers).is_empty());
        let expected = before.replace("Usr1", "Quit").replace("60s,", "90s,");
        assert_eq!(format!("{triggers:?}"), expected, "all else holds");
    }

    #[test]
    fn a_bad_value_never_wins_over_code_and_is_warned_of_once() {
        for (name, value) in [
            ("BACKTRACE_WAKER_SIGNAL", "KILL"),
            ("BACKTRACE_WAKER_SIGNAL", "10"),
            ("BACKTRACE_WAKER_PANIC", "yes"),
            ("BACKTRACE_WAKER_STALL_MS", "5s"),
            ("BACKTRACE_WAKER_STALL_MS", "199"),
            ("BACKTRACE_WAKER_STALL_MS", "-1"),
        ] {
            let mut triggers = of_program();
            let before = format!("{triggers:?}");
            let warnings = apply(&[(name, value)], &mut triggers);
            assert_eq!(format!("{triggers:?}"), before);
            assert_eq!(warnings.len(), 1, "{name}={value}");
            assert!(warnings[0].starts_with(&format!("{name}={value}: ")), "{warnings:?}");
        }
    }
}
