//! Which tasks a dump is about.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;
use std::error::Error;

use crate::trace::duration::parse_duration;
use crate::trace::id::TaskId;
use crate::trace::state::{TaskState, TaskStatus};
use crate::trace::task_record::TaskRecord;

/// Which tasks a dump is about: those that pass everything that was said. The default lets all pass.
///
/// ```
/// use std::time::Duration;
///
/// let stuck_connections = bw_core::TaskFilter::new().name_contains("conn").in_state_for(Duration::from_secs(60));
/// # let _ = bw_core::Registry::global().dump().only(stuck_connections);
/// ```
///
/// Written as text, and [read](#impl-FromStr-for-TaskFilter) from it, this one is `name:conn,for:60s`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct TaskFilter {
    names: Vec<String>,
    ids: Vec<TaskId>,
    states: Vec<&'static str>,
    age: Option<Duration>,
    in_state: Option<Duration>,
}

impl TaskFilter {
    /// Lets every task pass.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only tasks whose name has this in it. Tasks without a name do not pass. Said again, all of it.
    pub fn name_contains(mut self, part: impl Into<String>) -> Self {
        self.names.push(part.into());
        self
    }

    /// Only the task of this id. Said again, of any of them.
    pub fn id(mut self, id: TaskId) -> Self {
        self.ids.push(id);
        self
    }

    /// Only tasks in this state; which thread polls a task does not count. Said again, in any of them.
    pub fn state(self, state: &TaskState) -> Self {
        self.state_named(state.name())
    }

    pub(super) fn state_named(mut self, state: &'static str) -> Self {
        self.states.push(state);
        self
    }

    /// Only tasks that were wrapped at least so long ago. To the clock's resolution, 100 ms; where the clock does not run,
    /// all pass. Said again, the longest counts.
    pub fn older_than(mut self, age: Duration) -> Self {
        self.age = self.age.max(Some(age));
        self
    }

    /// Only tasks that have been for at least so long in the state they are in, or, where that is not known, all.
    /// Said again, the longest counts.
    pub fn in_state_for(mut self, time: Duration) -> Self {
        self.in_state = self.in_state.max(Some(time));
        self
    }

    /// Whether a task of a dump passes, as it was when the dump came to it.
    #[must_use]
    pub fn passes(&self, task: &TaskRecord) -> bool {
        self.lets_pass(task.id(), task.name(), task.status())
    }

    /// Whether the times that this asks for are known.
    pub(crate) fn can_judge(&self, status: &TaskStatus) -> bool {
        let is_known = |known: Option<Duration>, least: Option<Duration>| known.is_some() || least.is_none();
        is_known(status.age, self.age) && is_known(status.in_state, self.in_state)
    }

    /// Whether it asks for times.
    #[must_use]
    pub fn needs_times(&self) -> bool {
        self.age.is_some() || self.in_state.is_some()
    }

    /// Whether a task of that id and name passes, as it is now.
    pub(crate) fn lets_pass(&self, id: TaskId, name: Option<&str>, status: &TaskStatus) -> bool {
        let at_least = |known: Option<Duration>, least: Option<Duration>| match (known, least) {
            (Some(known), Some(least)) => known >= least,
            _ => true,
        };
        self.names.iter().all(|part| name.is_some_and(|name| name.contains(&**part)))
            && (self.ids.is_empty() || self.ids.contains(&id))
            && (self.states.is_empty() || self.states.contains(&status.state.name()))
            && at_least(status.age, self.age)
            && at_least(status.in_state, self.in_state)
    }
}

/// Characters of a wrong term that an error repeats.
const MOST_CHARS: usize = 80;

impl FromStr for TaskFilter {
    type Err = InvalidTaskFilter;

    /// Reads terms with commas between them. A task passes if all of them hold; of several ids, and of several states, one
    /// is enough. No text at all lets every task pass.
    ///
    /// | term | only tasks |
    /// |---|---|
    /// | `name:PART` | whose name has that part in it |
    /// | `id:N` | of that id |
    /// | `state:NAME` | in that state, by its [name](TaskState::name): `suspended`, `polling`, ... |
    /// | `older:TIME` | that were wrapped at least so long ago |
    /// | `for:TIME` | that have been for at least so long in their state |
    ///
    /// A time is as [`parse_duration`](crate::parse_duration) reads it: `500ms`, `1.5s`, `5m`, `1h`. There is no way to write a comma in a part of a name: give what is
    /// left and what is right of it, as two terms.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use bw_core::{TaskFilter, TaskState};
    ///
    /// let filter: TaskFilter = "name:conn,state:suspended,for:90s".parse()?;
    /// let same = TaskFilter::new().name_contains("conn").state(&TaskState::Suspended);
    /// assert_eq!(filter, same.in_state_for(Duration::from_secs(90)));
    /// # Ok::<(), bw_core::InvalidTaskFilter>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The first term that cannot be read, and what could stand there.
    fn from_str(text: &str) -> Result<Self, InvalidTaskFilter> {
        if text.is_empty() {
            return Ok(Self::new());
        }
        text.split(',').try_fold(Self::new(), with_term)
    }
}

fn with_term(filter: TaskFilter, term: &str) -> Result<TaskFilter, InvalidTaskFilter> {
    let wrong = |what| InvalidTaskFilter { term: term.into(), what };
    let time = |value| parse_duration(value).map_err(|_| wrong(What::Time));
    let (key, value) = term.split_once(':').ok_or_else(|| wrong(What::Term))?;
    match key {
        "name" if value.is_empty() => Err(wrong(What::Name)),
        "name" => Ok(filter.name_contains(value)),
        "id" => {
            digits(value).and_then(TaskId::from_u64).map(|id| filter.id(id)).ok_or_else(|| wrong(What::Id))
        }
        "state" => {
            let state = TaskState::NAMES.into_iter().find(|&name| name == value);
            state.map(|state| filter.state_named(state)).ok_or_else(|| wrong(What::State))
        }
        "older" => time(value).map(|age| filter.older_than(age)),
        "for" => time(value).map(|time| filter.in_state_for(time)),
        _ => Err(wrong(What::Term)),
    }
}

/// Digits alone: no sign, as `parse` would take it.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// A [`TaskFilter`] that cannot be read. Its message repeats the term that is wrong, and says what could stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidTaskFilter {
    term: Box<str>,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Term,
    Name,
    Id,
    State,
    Time,
}

impl fmt::Display for InvalidTaskFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let term = &*self.term;
        let kept = term.char_indices().nth(MOST_CHARS).map_or(term, |(end, _)| &term[..end]);
        // Escaped: it may come from a stranger, and go to a terminal.
        write!(
            f,
            "{kept:?}{} is no valid term of a filter: ",
            if kept.len() < term.len() { "…" } else { "" }
        )?;
        match self.what {
            What::Term => f.write_str(
                "write name:PART, id:N, state:NAME, older:TIME or for:TIME, several with commas between them",
            ),
            What::Name => f.write_str("after name: stands a part of the names that are to pass"),
            What::Id => f.write_str("an id is a whole number from 1"),
            What::State => write!(f, "states are {}", TaskState::NAMES.join(", ")),
            What::Time => f.write_str("write a time as 500ms, 1.5s, 5m or 1h"),
        }
    }
}

impl Error for InvalidTaskFilter {}

#[cfg(all(test, not(bw_loom)))]
mod tests {
    use super::*;

    fn parsed(text: &str) -> TaskFilter {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn every_term_is_what_the_method_of_that_name_says() {
        let id = |id| TaskId::from_u64(id).unwrap();
        let at_least = TaskFilter::new().older_than(Duration::from_secs(3_600));
        for (text, filter) in [
            ("", TaskFilter::new()),
            ("name:conn", TaskFilter::new().name_contains("conn")),
            ("name:a:b", TaskFilter::new().name_contains("a:b")),
            ("name:a,name:b", TaskFilter::new().name_contains("a").name_contains("b")),
            ("id:7,id:8", TaskFilter::new().id(id(7)).id(id(8))),
            ("state:suspended", TaskFilter::new().state(&TaskState::Suspended)),
            ("older:1h", at_least.clone()),
            ("older:60m", at_least),
            ("for:1.5s", TaskFilter::new().in_state_for(Duration::from_millis(1_500))),
            ("for:500ms", TaskFilter::new().in_state_for(Duration::from_millis(500))),
        ] {
            assert_eq!(parsed(text), filter, "{text}");
        }
    }

    #[test]
    fn a_wrong_term_is_named_with_what_could_stand_there() {
        for (text, said) in [
            ("conn", "write name:PART"),
            ("name:a,", "write name:PART"),
            ("size:3", "write name:PART"),
            ("name:", "a part of the names"),
            ("id:0", "whole number from 1"),
            ("id:+1", "whole number from 1"),
            ("id:18446744073709551616", "whole number from 1"),
            (
                "state:asleep",
                "states are never_polled, suspended, woken, polling, finished, dropped, panicked",
            ),
            ("older:9d", "write a time"),
            ("older:s", "write a time"),
            ("for:-1s", "write a time"),
            ("for:18446744073709551615h", "write a time"),
            ("for:1é", "write a time"),
        ] {
            let error = text.parse::<TaskFilter>().unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn a_hostile_term_is_neither_repeated_whole_nor_raw() {
        let error = format!("\u{1b}[2J{}", "x".repeat(10_000)).parse::<TaskFilter>().unwrap_err().to_string();
        assert!(error.len() < 400 && !error.contains('\u{1b}'), "{error}");
    }
}
