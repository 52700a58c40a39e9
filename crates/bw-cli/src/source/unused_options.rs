//! Options that have no effect on a source. They are refused: whoever gives one expects something of it.

use super::Origin;
use crate::options::request::RequestOptions;
use crate::options::target::Target;
use crate::output::failure::Failure;

/// An option that has no effect, and what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UnusedOption {
    name: &'static str,
    is_for: &'static str,
}

impl UnusedOption {
    /// Says that an option has no effect on what was named.
    pub(super) fn failure(self, target: &impl std::fmt::Display) -> Failure {
        let Self { name, is_for } = self;
        let message = if name == "--stop" {
            format!("cannot stop {target}: --stop is for processes of this machine")
        } else {
            format!("{name} has no effect on {target}: it is for {is_for}")
        };
        let help = match name {
            "--stop" | "--memory" => format!("name the process by its number, or leave out {name}"),
            _ => format!("leave out {name}"),
        };
        Failure::new(message).with_help(help)
    }
}

/// Returns the options that were given and have no effect on a source.
pub(super) fn of(origin: &Origin, request: &RequestOptions) -> Vec<UnusedOption> {
    // Whether memory is read because the process has no agent is not known before it is asked.
    let is_told_to_read = request.memory || request.stop;
    let is_asked = match origin {
        Origin::Agent(_) => true,
        Origin::Memory(_) => !is_told_to_read,
        Origin::Core(_) | Origin::File(_) | Origin::Stdin(_) => false,
    };
    let is_memory = matches!(origin, Origin::Memory(_));
    let is_file = matches!(origin, Origin::File(_) | Origin::Stdin(_));
    let is_url = matches!(origin, Origin::Agent(agent) if agent.is_at_url());
    let unused = |name, is_for, is_given: bool, has_effect: bool| {
        (is_given && !has_effect).then_some(UnusedOption { name, is_for })
    };
    let options = [
        unused("--stop", "processes of this machine", request.stop, is_memory),
        unused("--memory", "processes of this machine", request.memory, is_memory),
        unused("--exe", "core files", request.exe.is_some(), matches!(origin, Origin::Core(_))),
        unused("--timeout", "agents", request.timeout.is_some(), is_asked),
        unused("--token", "agents at URLs", request.token.is_some(), is_url),
        unused("--max-bytes", "agents and raw dump files", request.most_bytes.is_some(), is_asked || is_file),
    ];
    options.into_iter().flatten().collect()
}

/// Fails if an option was given that has no effect on any of these targets.
pub(super) fn refuse(targets: &[(&Target, &[UnusedOption])]) -> Result<(), Failure> {
    let Some(((first, of_first), others)) = targets.split_first() else { return Ok(()) };
    let is_unused = |option: &&UnusedOption| others.iter().all(|(_, unused)| unused.contains(option));
    match of_first.iter().find(is_unused) {
        Some(option) if others.is_empty() => Err(option.failure(first)),
        Some(option) => {
            let mut named = first.to_string();
            others.iter().for_each(|(target, _)| named.push_str(&format!(" and {target}")));
            Err(option.failure(&named))
        }
        None => Ok(()),
    }
}
