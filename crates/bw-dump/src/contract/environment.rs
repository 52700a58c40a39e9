//! The environment variables of agents and of the command. An empty variable counts as absent.

/// Whether an agent starts when the program starts one: see [`parse_switch`].
pub const SWITCH: &str = "BACKTRACE_WAKER";
/// The path of an agent's socket.
pub const SOCKET: &str = "BACKTRACE_WAKER_SOCKET";
/// The address and port that an agent also listens on.
pub const TCP: &str = "BACKTRACE_WAKER_TCP";
/// The token that whoever asks over TCP must send. The command sends it.
pub const TOKEN: &str = "BACKTRACE_WAKER_TOKEN";
/// How long dumps wait for tasks: see [`timeout_of_millis`](super::endpoints::timeout_of_millis).
pub const TIMEOUT_MS: &str = "BACKTRACE_WAKER_TIMEOUT_MS";
/// The folder that reports are written to.
pub const REPORTS: &str = "BACKTRACE_WAKER_REPORTS";
/// The signal that has an agent report: `USR1`, `USR2`, `QUIT` or `off`.
pub const SIGNAL: &str = "BACKTRACE_WAKER_SIGNAL";
/// Whether an agent reports when a thread panics: see [`parse_switch`].
pub const PANIC: &str = "BACKTRACE_WAKER_PANIC";
/// The milliseconds after which a task that waits or blocks is reported, or `off`.
pub const STALL_MS: &str = "BACKTRACE_WAKER_STALL_MS";

/// The names of all variables of this project.
pub const NAMES: [&str; 9] = [SWITCH, SOCKET, TCP, TOKEN, TIMEOUT_MS, REPORTS, SIGNAL, PANIC, STALL_MS];

/// Returns the name of the variable that somebody may have meant who set a variable of this name. `None` if it is the name of one
/// of [`NAMES`], or does not begin as they do.
#[must_use]
pub fn nearest(name: &str) -> Option<&'static str> {
    if !name.starts_with(SWITCH) || NAMES.contains(&name) {
        return None;
    }
    NAMES.into_iter().min_by_key(|known| distance(name, known))
}

/// How many characters must be added, removed or replaced to make one text of the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (above, removed) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], above + 1);
        for (at, &added) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(removed != added);
            diagonal = row[at + 1];
            row[at + 1] = replaced.min(diagonal + 1).min(row[at] + 1);
        }
    }
    row[to.len()]
}

/// The folder of the user's session, which has the folder of the sockets in it. Not a variable of this project.
pub const RUNTIME_DIR: &str = "XDG_RUNTIME_DIR";

/// Returns whether a variable says on or off: `on` or `1`, `off` or `0`. `None` for every other value.
#[must_use]
pub fn parse_switch(value: &str) -> Option<bool> {
    match value {
        "on" | "1" => Some(true),
        "off" | "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_of_a_misspelt_variable_is_found() {
        for (misspelt, meant) in [
            ("BACKTRACE_WAKER_TOKN", TOKEN),
            ("BACKTRACE_WAKER_TIMEOUT", TIMEOUT_MS),
            ("BACKTRACE_WAKER_STALLMS", STALL_MS),
            ("BACKTRACE_WAKER_SOKCET", SOCKET),
            ("BACKTRACE_WAKER_TPC", TCP),
            ("BACKTRACE_WAKER_", SWITCH),
        ] {
            assert_eq!(nearest(misspelt), Some(meant), "{misspelt}");
        }
        for name in NAMES.into_iter().chain(["PATH", "", "XDG_RUNTIME_DIR"]) {
            assert_eq!(nearest(name), None, "{name}");
        }
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn switches_are_on_or_off_or_neither() {
        assert_eq!(["on", "1"].map(parse_switch), [Some(true); 2]);
        assert_eq!(["off", "0"].map(parse_switch), [Some(false); 2]);
        assert_eq!(["", "ON", "true", "2"].map(parse_switch), [None; 4]);
    }
}
