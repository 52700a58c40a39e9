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
    fn switches_are_on_or_off_or_neither() {
        assert_eq!(["on", "1"].map(parse_switch), [Some(true); 2]);
        assert_eq!(["off", "0"].map(parse_switch), [Some(false); 2]);
        assert_eq!(["", "ON", "true", "2"].map(parse_switch), [None; 4]);
    }
}
