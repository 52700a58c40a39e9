//! What the operator tells an agent, without the author of the program.
//!
//! A variable that cannot be used is warned of, and what holds without it holds.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use bw_dump::contract::endpoints::timeout_of_millis;
#[cfg(unix)]
use bw_dump::contract::environment::SIGNAL;
use bw_dump::contract::environment::{
    PANIC, REPORTS, SOCKET, STALL_MS, SWITCH, TCP, TIMEOUT_MS, TOKEN, nearest, parse_switch,
};

#[cfg(unix)]
use super::OnSignal;
use super::{Settings, StallWatch, Token};
#[cfg(unix)]
use crate::report::DumpSignal;
use crate::report::{ReportFolder, warning};

/// Has the environment of this process win over what the program said. Returns whether the agent is to start.
pub(crate) fn apply(settings: &mut Settings) -> bool {
    let get = |name: &str| std::env::var_os(name);
    let environment = Environment { get, warn: |warning| warning::warn(warning) };
    environment.warn_of_misspelt(std::env::vars_os().map(|(name, _)| name));
    environment.apply(settings)
}

/// The variables, and where warnings go.
struct Environment<G, W> {
    get: G,
    warn: W,
}

impl<G: Fn(&str) -> Option<OsString>, W: Fn(String)> Environment<G, W> {
    fn apply(&self, settings: &mut Settings) -> bool {
        let is_on = self.parsed(SWITCH, "on, off, 1 or 0", parse_switch).unwrap_or(true);
        if is_on {
            self.apply_triggers(settings);
            self.apply_places(settings);
            if let Some(timeout) = self.parsed(TIMEOUT_MS, "milliseconds from 1 to 60000", |text| {
                timeout_of_millis(text.parse().ok()?)
            }) {
                settings.timeout = timeout;
            }
        }
        is_on
    }

    /// Warns of variables that begin as those of this project do, and are none of them. Not of their values, which may be secret.
    fn warn_of_misspelt(&self, names: impl Iterator<Item = OsString>) {
        for name in names {
            let name = name.to_string_lossy();
            if let Some(nearest) = nearest(&name) {
                (self.warn)(format!(
                    "the variable {name:?} is not known and is ignored: is {nearest} meant?"
                ));
            }
        }
    }

    fn apply_places(&self, settings: &mut Settings) {
        if let Some(token) = self.text(TOKEN) {
            settings.token = Some(Token::new(token));
        }
        settings.operator.socket = self.value(SOCKET).map(PathBuf::from);
        let tcp = self.parsed(TCP, "an address and a port, such as 127.0.0.1:6060", |text| text.parse().ok());
        settings.operator.tcp = tcp.filter(|address: &std::net::SocketAddr| {
            let is_guarded = settings.token.is_some() || address.ip().to_canonical().is_loopback();
            if !is_guarded {
                (self.warn)(format!(
                    "{TCP}={address} is ignored: others than this machine could ask; set {TOKEN} as well, or listen on \
                     127.0.0.1"
                ));
            }
            is_guarded
        });
    }

    /// Turns triggers on and off. Whatever else the program said of a trigger holds.
    fn apply_triggers(&self, settings: &mut Settings) {
        #[cfg(unix)]
        if let Some(signal) =
            self.parsed(SIGNAL, "USR1, USR2, QUIT or off", |text| or_off(text, DumpSignal::parse))
        {
            let before = settings.on_signal.take();
            settings.on_signal = signal.map(|signal| match before {
                Some(before) => OnSignal { signal, ..before },
                None => OnSignal::new(signal),
            });
        }
        if let Some(is_on) = self.parsed(PANIC, "on, off, 1 or 0", parse_switch) {
            let before = settings.on_panic.take();
            settings.on_panic = is_on.then(|| before.unwrap_or_default());
        }
        let threshold = |text: &str| {
            let threshold = Duration::from_millis(text.parse().ok()?);
            (threshold >= StallWatch::SHORTEST).then_some(threshold)
        };
        if let Some(threshold) =
            self.parsed(STALL_MS, "milliseconds from 200 on, or off", |text| or_off(text, threshold))
        {
            let before = settings.stall_watch.take();
            settings.stall_watch = threshold.map(|threshold| match before {
                Some(before) => StallWatch { threshold, ..before },
                None => StallWatch::new(threshold),
            });
        }
        if let Some(folder) = self.value(REPORTS) {
            settings.operator_sink = Some(ReportFolder::new(folder).into());
        }
    }

    /// An empty variable is none.
    fn value(&self, name: &str) -> Option<OsString> {
        (self.get)(name).filter(|value| !value.is_empty())
    }

    fn text(&self, name: &str) -> Option<String> {
        let not_text = |value: OsString| {
            // Warnings are kept in logs, where the token's value must not be.
            let value = if name == TOKEN { String::new() } else { format!("={value:?}") };
            (self.warn)(format!("{name}{value} is ignored: it is not in UTF-8"));
        };
        self.value(name)?.into_string().map_err(not_text).ok()
    }

    /// Warns of a value that is not valid.
    fn parsed<T>(&self, name: &str, valid: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let value = self.text(name)?;
        let parsed = parse(&value);
        if parsed.is_none() {
            (self.warn)(format!("{name}={value:?} is ignored: write {valid}"));
        }
        parsed
    }
}

/// Parses `off` as `Some(None)`.
fn or_off<T>(text: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    if text == "off" { Some(None) } else { parse(text).map(Some) }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::settings::{AgentBuilder, OnPanic};

    /// Applies variables to what the program said. Returns whether the agent is on, and the warnings.
    fn apply(variables: &[(&str, &str)], settings: &mut Settings) -> (bool, Vec<String>) {
        let warnings = RefCell::new(Vec::new());
        let get =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
        let environment = Environment { get, warn: |warning| warnings.borrow_mut().push(warning) };
        let is_on = environment.apply(settings);
        (is_on, warnings.into_inner())
    }

    fn settings(variables: &[(&str, &str)]) -> (bool, Settings, Vec<String>) {
        let mut settings = AgentBuilder::new().socket("/code").timeout(Duration::from_secs(7)).settings;
        let (is_on, warnings) = apply(variables, &mut settings);
        (!is_on, settings, warnings)
    }

    #[test]
    fn the_environment_wins_over_code() {
        let (is_off, settings, warnings) = settings(&[
            ("BACKTRACE_WAKER", "1"),
            ("BACKTRACE_WAKER_SOCKET", "/operator"),
            ("BACKTRACE_WAKER_TCP", "127.0.0.1:6060"),
            ("BACKTRACE_WAKER_TOKEN", "secret"),
            ("BACKTRACE_WAKER_TIMEOUT_MS", "250"),
        ]);
        assert!(!is_off && warnings.is_empty(), "{warnings:?}");
        assert_eq!(settings.operator.socket, Some("/operator".into()));
        assert_eq!(settings.operator.tcp, Some(([127, 0, 0, 1], 6060).into()));
        assert!(settings.token.is_some_and(|token| token.is("secret")));
        assert_eq!(settings.timeout, Duration::from_millis(250));
    }

    #[test]
    fn a_bad_value_never_wins_over_code_and_is_warned_of_once() {
        for (name, value) in [
            ("BACKTRACE_WAKER", "yes"),
            ("BACKTRACE_WAKER_TCP", "6060"),
            ("BACKTRACE_WAKER_TCP", "example.com:80"),
            ("BACKTRACE_WAKER_TIMEOUT_MS", "2s"),
            ("BACKTRACE_WAKER_TIMEOUT_MS", "0"),
            ("BACKTRACE_WAKER_TIMEOUT_MS", "60001"),
            ("BACKTRACE_WAKER_TCP", "0.0.0.0:6060"),
            ("BACKTRACE_WAKER_TCP", "[::]:6060"),
        ] {
            let (is_off, settings, warnings) = settings(&[(name, value)]);
            assert!(!is_off && settings.operator.tcp.is_none() && settings.timeout == Duration::from_secs(7));
            assert_eq!(warnings.len(), 1, "{name}={value}");
            assert!(warnings[0].contains(name) && warnings[0].contains(value), "{warnings:?}");
        }
    }

    #[test]
    fn a_misspelt_variable_is_warned_of_with_the_nearest_name() {
        let warnings = RefCell::new(Vec::new());
        let environment =
            Environment { get: |_: &str| None, warn: |warning| warnings.borrow_mut().push(warning) };
        let names = ["BACKTRACE_WAKER_TOKN", "BACKTRACE_WAKER_TCP", "PATH", "BACKTRACE_WAKER_STALL"];
        environment.warn_of_misspelt(names.into_iter().map(OsString::from));
        assert_eq!(
            *warnings.borrow(),
            [
                "the variable \"BACKTRACE_WAKER_TOKN\" is not known and is ignored: is BACKTRACE_WAKER_TOKEN meant?",
                "the variable \"BACKTRACE_WAKER_STALL\" is not known and is ignored: is BACKTRACE_WAKER_STALL_MS meant?",
            ]
        );
    }

    #[test]
    fn an_empty_variable_is_none() {
        let (is_off, settings, warnings) =
            settings(&[("BACKTRACE_WAKER", ""), ("BACKTRACE_WAKER_SOCKET", "")]);
        assert!(!is_off && warnings.is_empty());
        assert!(settings.operator.socket.is_none());
    }

    #[test]
    fn off_is_off() {
        assert!(settings(&[("BACKTRACE_WAKER", "off")]).0);
        assert!(settings(&[("BACKTRACE_WAKER", "0")]).0);
        assert!(!settings(&[]).0);
    }

    #[test]
    #[cfg(unix)]
    fn no_warning_has_the_token_in_it() {
        use std::os::unix::ffi::OsStringExt;
        let warnings = RefCell::new(Vec::new());
        let get = |name: &str| {
            (name == "BACKTRACE_WAKER_TOKEN").then(|| OsString::from_vec(b"secret\xff".to_vec()))
        };
        let mut settings = Settings::default();
        Environment { get, warn: |warning| warnings.borrow_mut().push(warning) }.apply(&mut settings);
        assert!(settings.token.is_none());
        assert_eq!(warnings.into_inner(), ["BACKTRACE_WAKER_TOKEN is ignored: it is not in UTF-8"]);
        let token = Token::new("secret");
        assert!(!format!("{token:?}").contains("secret"));
    }

    fn program_settings() -> Settings {
        Settings {
            #[cfg(unix)]
            on_signal: Some(OnSignal::new(DumpSignal::Usr1).at_most_every(Duration::from_secs(7))),
            on_panic: Some(OnPanic::new().at_most_every(Duration::from_secs(7))),
            stall_watch: Some(StallWatch::new(Duration::from_secs(60)).meant_to_wait("accept")),
            ..Settings::default()
        }
    }

    #[test]
    fn the_operator_turns_triggers_on_and_off() {
        let mut settings = Settings::default();
        let on = [
            ("BACKTRACE_WAKER_SIGNAL", "USR2"),
            ("BACKTRACE_WAKER_PANIC", "on"),
            ("BACKTRACE_WAKER_STALL_MS", "30000"),
        ];
        assert!(apply(&on, &mut settings).1.is_empty());
        #[cfg(unix)]
        assert_eq!(settings.on_signal.as_ref().map(OnSignal::signal), Some(DumpSignal::Usr2));
        assert!(settings.on_panic.is_some());
        assert_eq!(settings.stall_watch.as_ref().map(StallWatch::threshold), Some(Duration::from_secs(30)));

        let mut settings = program_settings();
        let off = [
            ("BACKTRACE_WAKER_SIGNAL", "off"),
            ("BACKTRACE_WAKER_PANIC", "0"),
            ("BACKTRACE_WAKER_STALL_MS", "off"),
        ];
        assert!(apply(&off, &mut settings).1.is_empty());
        #[cfg(unix)]
        assert!(settings.on_signal.is_none());
        assert!(settings.on_panic.is_none() && settings.stall_watch.is_none());
    }

    #[test]
    fn what_the_operator_does_not_mention_the_program_decides() {
        let mut settings = program_settings();
        let before = format!("{settings:?}");
        assert!(apply(&[], &mut settings).1.is_empty());
        assert_eq!(format!("{settings:?}"), before);
        let told = [("BACKTRACE_WAKER_SIGNAL", "SIGQUIT"), ("BACKTRACE_WAKER_STALL_MS", "90000")];
        assert!(apply(&told, &mut settings).1.is_empty());
        let expected = before.replace("Usr1", "Quit").replace("60s,", "90s,");
        assert_eq!(format!("{settings:?}"), expected, "all else holds");
    }

    #[test]
    fn a_bad_value_never_changes_a_trigger_and_is_warned_of_once() {
        for (name, value) in [
            ("BACKTRACE_WAKER_SIGNAL", "KILL"),
            ("BACKTRACE_WAKER_SIGNAL", "10"),
            ("BACKTRACE_WAKER_PANIC", "yes"),
            ("BACKTRACE_WAKER_STALL_MS", "5s"),
            ("BACKTRACE_WAKER_STALL_MS", "199"),
            ("BACKTRACE_WAKER_STALL_MS", "-1"),
        ] {
            let mut settings = program_settings();
            let before = format!("{settings:?}");
            let (_, warnings) = apply(&[(name, value)], &mut settings);
            assert_eq!(format!("{settings:?}"), before);
            assert_eq!(warnings.len(), 1, "{name}={value}");
            assert!(warnings[0].starts_with(&format!("{name}={value:?} is ignored: write ")), "{warnings:?}");
        }
    }
}
