//! Filters as people write them, in a query and on a command line.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;
use std::error::Error;

use super::filter::TaskFilter;
use crate::id::TaskId;
use crate::state::TaskState;

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
    /// A time is a whole number and `ms`, `s`, `m` or `h`. There is no way to write a comma in a part of a name: give what is
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
        "older" => time(value).map(|age| filter.older_than(age)).ok_or_else(|| wrong(What::Time)),
        "for" => time(value).map(|time| filter.in_state_for(time)).ok_or_else(|| wrong(What::Time)),
        _ => Err(wrong(What::Term)),
    }
}

/// Digits alone: no sign, as `parse` would take it.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn time(text: &str) -> Option<Duration> {
    let unit = text.find(|letter: char| !letter.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit);
    let number = digits(number)?;
    let seconds = |each: u64| number.checked_mul(each).map(Duration::from_secs);
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => seconds(1),
        "m" => seconds(60),
        "h" => seconds(60 * 60),
        _ => None,
    }
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
            What::Time => f.write_str("write a time as 500ms, 90s, 5m or 1h"),
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
            ("older:90", "write a time"),
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
