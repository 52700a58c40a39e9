//! The paths an agent answers at, and the names of parameters, values and headers.
//!
//! Every request is a `GET`. An agent answers 200, or another status and one line of text that says what to do.

use std::time::Duration;

/// The path that all others begin with. It ends with a slash, and is the page for browsers itself. A program may mount it below a
/// path of its own.
pub const BASE: &str = "/debug/async/";

/// The path below [`BASE`] of a dump of all tasks. With [`FORMAT`]`=`[`RAW`] it is a raw dump file.
pub const DUMP: &str = "dump";

/// The path below [`BASE`] of the list of tasks, which asks none of them. The path of one task is `tasks/ID`.
pub const TASKS: &str = "tasks";

/// The path below [`BASE`] of the [`ProcessDescription`](super::ProcessDescription).
pub const PROCESS: &str = "process";

/// The parameter of the format of a dump or list: [`TEXT`], [`JSON`], [`FOLDED`], [`PPROF`], [`RAW`] or [`HTML`].
pub const FORMAT: &str = "format";
/// A value of [`FORMAT`]: text for people.
pub const TEXT: &str = "text";
/// A value of [`FORMAT`]: JSON.
pub const JSON: &str = "json";
/// A value of [`FORMAT`]: folded stacks.
pub const FOLDED: &str = "folded";
/// A value of [`FORMAT`]: a profile for pprof.
pub const PPROF: &str = "pprof";
/// A value of [`FORMAT`]: a raw dump file, compressed.
pub const RAW: &str = "raw";
/// A value of [`FORMAT`]: a page for browsers.
pub const HTML: &str = "html";

/// The parameter that chooses between texts of a dump, with the values of Go's `/debug/pprof/goroutine`: `0` is [`PPROF`], `1`
/// groups tasks, `2` has every task by itself.
pub const DEBUG: &str = "debug";

/// The parameter of how long to wait for tasks: a whole number of milliseconds that [`timeout_of_millis`] takes.
pub const TIMEOUT_MS: &str = "timeout_ms";

/// The parameter of which tasks to ask: a filter as [`TaskFilter`](crate::TaskFilter) parses it. It may be repeated; a task must
/// pass all of them.
pub const FILTER: &str = "filter";

/// The parameter of how much of a trace is shown: [`USER`], [`LIBRARY`] or [`FULL`].
pub const DETAIL: &str = "detail";
/// A value of [`DETAIL`]: the frames of the program alone.
pub const USER: &str = "user";
/// A value of [`DETAIL`]: also the frames of libraries.
pub const LIBRARY: &str = "library";
/// A value of [`DETAIL`] and of [`PATHS`]: everything.
pub const FULL: &str = "full";

/// The parameter of how source paths are shown: [`SHORT`] or [`FULL`].
pub const PATHS: &str = "paths";
/// A value of [`PATHS`]: without the parts that all paths of a crate have in common.
pub const SHORT: &str = "short";

/// The parameter of whether a profile has names: [`YES`] or [`NO`].
pub const SYMBOLS: &str = "symbols";
/// A value of [`SYMBOLS`].
pub const YES: &str = "yes";
/// A value of [`SYMBOLS`].
pub const NO: &str = "no";

/// The parameter of whether a profile tells tasks apart: [`EACH`] or [`ALIKE`]. It has the same name as the path [`TASKS`].
pub const PROFILED_TASKS: &str = "tasks";
/// A value of [`PROFILED_TASKS`]: each task has its labels.
pub const EACH: &str = "each";
/// A value of [`PROFILED_TASKS`]: tasks that look alike are one sample.
pub const ALIKE: &str = "alike";

/// The header of an answer that lacks the traces of some tasks, since they did not answer in time. Its value is `true`.
pub const PARTIAL_HEADER: &str = "backtrace-waker-partial";

/// The scheme of the header `authorization` in front of the token, with the space between them.
pub const BEARER: &str = "Bearer ";

/// The longest timeout of a dump.
pub const LONGEST_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a dump waits for tasks unless told otherwise.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);

/// Returns the timeout of this many milliseconds, if it is at least one and at most [`LONGEST_TIMEOUT`].
#[must_use]
pub fn timeout_of_millis(millis: u64) -> Option<Duration> {
    let timeout = Duration::from_millis(millis);
    (millis >= 1 && timeout <= LONGEST_TIMEOUT).then_some(timeout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_have_bounds() {
        assert_eq!(
            [0, 1, 60_000, 60_001].map(|millis| timeout_of_millis(millis).is_some()),
            [false, true, true, false]
        );
    }
}
