//! What the operator tells the agent, without the program's author.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::access::Token;
use crate::builder::AgentBuilder;
use crate::report;
use crate::surface::Settings;
use crate::trigger::Told;

/// The variables. A value that cannot be used is warned of, and what holds without it holds.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    is_on: Option<bool>,
    socket: Option<PathBuf>,
    tcp: Option<SocketAddr>,
    token: Option<Token>,
    deadline: Option<Duration>,
    triggers: Told,
}

impl Environment {
    pub(crate) fn of_process() -> Self {
        Self::read(|name| std::env::var_os(name), report::warn)
    }

    /// An empty variable is none.
    fn read(get: impl Fn(&str) -> Option<OsString>, warn: impl Fn(String)) -> Self {
        let value = |name: &str| get(name).filter(|value| !value.is_empty());
        // Not the token's value: warnings are kept in logs.
        let text = |name: &str, shown: bool| {
            let value = value(name)?;
            value
                .into_string()
                .map_err(|value| {
                    let value = if shown { format!("={value:?}") } else { String::new() };
                    warn(format!("{name}{value} is ignored: it is not in UTF-8"));
                })
                .ok()
        };
        let ignored = |name: &str, value: &str, valid: &str| {
            warn(format!("{name}={value:?} is ignored: write {valid}"));
        };
        let is_on = text("BACKTRACE_WAKER", true).and_then(|value| match &*value {
            "on" | "1" => Some(true),
            "off" | "0" => Some(false),
            _ => {
                ignored("BACKTRACE_WAKER", &value, "on, off, 1 or 0");
                None
            }
        });
        let tcp = text("BACKTRACE_WAKER_TCP", true).and_then(|value| {
            let address = value.parse().ok();
            if address.is_none() {
                ignored("BACKTRACE_WAKER_TCP", &value, "an address and a port, such as 127.0.0.1:6669");
            }
            address
        });
        let deadline = text("BACKTRACE_WAKER_TIMEOUT_MS", true).and_then(|value| {
            let deadline = value.parse().ok().and_then(Settings::deadline_of_millis);
            if deadline.is_none() {
                ignored("BACKTRACE_WAKER_TIMEOUT_MS", &value, "milliseconds from 1 to 60000");
            }
            deadline
        });
        let folder = value("BACKTRACE_WAKER_REPORTS").map(PathBuf::from);
        Self {
            triggers: Told::read(|name| text(name, true), ignored, folder),
            is_on,
            socket: value("BACKTRACE_WAKER_SOCKET").map(PathBuf::from),
            tcp,
            token: text("BACKTRACE_WAKER_TOKEN", false).map(Token::new),
            deadline,
        }
    }

    pub(crate) fn is_off(&self) -> bool {
        self.is_on == Some(false)
    }

    /// Has what it says win over what the program said.
    pub(crate) fn apply(self, builder: &mut AgentBuilder) {
        self.apply_warning(builder, report::warn);
    }

    fn apply_warning(self, builder: &mut AgentBuilder, warn: impl Fn(String)) {
        builder.triggers.apply(self.triggers);
        builder.of_operator.socket = self.socket;
        if let Some(token) = self.token {
            builder.token = Some(token);
        }
        if let Some(deadline) = self.deadline {
            builder.settings.deadline = deadline;
        }
        match self.tcp {
            Some(address) if builder.token.is_none() && !address.ip().to_canonical().is_loopback() => {
                warn(format!(
                    "BACKTRACE_WAKER_TCP={address} is ignored: others than this machine could ask; set \
                     BACKTRACE_WAKER_TOKEN as well, or listen on 127.0.0.1"
                ));
            }
            tcp => builder.of_operator.tcp = tcp,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn builder(variables: &[(&str, &str)]) -> (bool, AgentBuilder, Vec<String>) {
        let warnings = RefCell::new(Vec::new());
        let get =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
        let warn = |warning| warnings.borrow_mut().push(warning);
        let environment = Environment::read(get, warn);
        let is_off = environment.is_off();
        let mut builder = AgentBuilder::new().socket("/code").deadline(Duration::from_secs(7));
        environment.apply_warning(&mut builder, warn);
        (is_off, builder, warnings.into_inner())
    }

    #[test]
    fn the_environment_wins_over_code() {
        let (is_off, builder, warnings) = builder(&[
            ("BACKTRACE_WAKER", "1"),
            ("BACKTRACE_WAKER_SOCKET", "/operator"),
            ("BACKTRACE_WAKER_TCP", "127.0.0.1:6669"),
            ("BACKTRACE_WAKER_TOKEN", "secret"),
            ("BACKTRACE_WAKER_TIMEOUT_MS", "250"),
        ]);
        assert!(!is_off && warnings.is_empty(), "{warnings:?}");
        assert_eq!(builder.of_operator.socket, Some("/operator".into()));
        assert_eq!(builder.of_operator.tcp, Some(([127, 0, 0, 1], 6669).into()));
        assert!(builder.token.is_some_and(|token| token.is("secret")));
        assert_eq!(builder.settings.deadline, Duration::from_millis(250));
    }

    #[test]
    fn a_bad_value_never_wins_over_code_and_is_warned_of_once() {
        for (name, value) in [
            ("BACKTRACE_WAKER", "yes"),
            ("BACKTRACE_WAKER_TCP", "6669"),
            ("BACKTRACE_WAKER_TCP", "example.com:80"),
            ("BACKTRACE_WAKER_TIMEOUT_MS", "2s"),
            ("BACKTRACE_WAKER_TIMEOUT_MS", "0"),
            ("BACKTRACE_WAKER_TIMEOUT_MS", "60001"),
            ("BACKTRACE_WAKER_TCP", "0.0.0.0:6669"),
            ("BACKTRACE_WAKER_TCP", "[::]:6669"),
        ] {
            let (is_off, builder, warnings) = builder(&[(name, value)]);
            assert!(
                !is_off
                    && builder.of_operator.tcp.is_none()
                    && builder.settings.deadline == Duration::from_secs(7)
            );
            assert_eq!(warnings.len(), 1, "{name}={value}");
            assert!(warnings[0].contains(name) && warnings[0].contains(value), "{warnings:?}");
        }
    }

    #[test]
    fn an_empty_variable_is_none() {
        let (is_off, builder, warnings) = builder(&[("BACKTRACE_WAKER", ""), ("BACKTRACE_WAKER_SOCKET", "")]);
        assert!(!is_off && warnings.is_empty());
        assert!(builder.of_operator.socket.is_none());
    }

    #[test]
    fn off_is_off() {
        assert!(builder(&[("BACKTRACE_WAKER", "off")]).0);
        assert!(builder(&[("BACKTRACE_WAKER", "0")]).0);
        assert!(!builder(&[]).0);
    }

    #[test]
    #[cfg(unix)]
    fn no_warning_has_the_token_in_it() {
        use std::os::unix::ffi::OsStringExt;
        let warnings = RefCell::new(Vec::new());
        let get = |name: &str| {
            (name == "BACKTRACE_WAKER_TOKEN").then(|| OsString::from_vec(b"secret\xff".to_vec()))
        };
        let environment = Environment::read(get, |warning| warnings.borrow_mut().push(warning));
        assert!(environment.token.is_none());
        assert_eq!(warnings.into_inner(), ["BACKTRACE_WAKER_TOKEN is ignored: it is not in UTF-8"]);
        let token = Token::new("secret");
        assert!(!format!("{token:?}").contains("secret"));
    }
}
