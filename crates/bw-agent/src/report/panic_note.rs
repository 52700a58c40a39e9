//! What is known of a panic.

use std::any::Any;
use std::fmt;
use std::panic::PanicHookInfo;
use std::thread;

use backtrace_waker::{Registry, TaskId};

use super::task_label;

/// What is known of a panic. Plain data.
#[derive(Clone, Debug)]
pub struct PanicNote {
    pub(crate) thread: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) task: Option<(TaskId, Option<String>)>,
    pub(crate) others: u64,
}

/// Bytes of a message that are kept.
const MESSAGE: usize = 1_024;

impl PanicNote {
    pub(crate) fn of(info: &PanicHookInfo<'_>) -> Self {
        let task = TaskId::current().map(|id| {
            let task = Registry::global().get(id);
            (id, task.and_then(|task| task.name().map(str::to_owned)))
        });
        Self {
            thread: thread::current().name().map(str::to_owned),
            location: info.location().map(ToString::to_string),
            message: message(info.payload()),
            task,
            others: 0,
        }
    }

    /// The name of the thread.
    #[must_use]
    pub fn thread(&self) -> Option<&str> {
        self.thread.as_deref()
    }

    /// Where, as file, line and column.
    #[must_use]
    pub fn location(&self) -> Option<&str> {
        self.location.as_deref()
    }

    /// With what words, the first 1,024 bytes of them. `None` where the payload is no text.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// The traced task that the thread was polling, the innermost.
    #[must_use]
    pub fn task(&self) -> Option<TaskId> {
        self.task.as_ref().map(|(id, _)| *id)
    }

    /// How many panics there were since the last report that have none.
    #[must_use]
    pub fn others(&self) -> u64 {
        self.others
    }
}

fn message(payload: &dyn Any) -> Option<String> {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))?;
    let end = (0..=MESSAGE.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    Some(text[..end.unwrap_or(0)].to_owned())
}

impl fmt::Display for PanicNote {
    /// All of it is the program's, and escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.thread() {
            Some(thread) => write!(f, "thread {thread:?} panicked")?,
            None => f.write_str("a thread panicked")?,
        }
        if let Some(location) = &self.location {
            write!(f, " at {}", location.escape_debug())?;
        }
        if let Some((id, name)) = &self.task {
            write!(f, " in a poll of {}", task_label(*id, name.as_deref()))?;
        }
        if let Some(message) = &self.message {
            write!(f, ": {message:?}")?;
        }
        match self.others {
            0 => Ok(()),
            1 => f.write_str("; another panic before it was not reported"),
            others => write!(f, "; {others} others before it were not reported"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_cut_between_characters() {
        assert_eq!(message(&"short").as_deref(), Some("short"));
        assert_eq!(message(&String::from("owned")).as_deref(), Some("owned"));
        assert_eq!(message(&7), None);
        let long = format!("x{}", "ü".repeat(MESSAGE));
        assert_eq!(message(&long).map(|text| text.len()), Some(MESSAGE - 1));
    }

    #[test]
    fn a_headline_escapes_what_the_program_says() {
        let note = PanicNote {
            thread: Some("a \x1b[31m".into()),
            location: Some("src/\nmain.rs:1:2".into()),
            message: Some("no\nway".into()),
            task: None,
            others: 3,
        };
        assert_eq!(
            note.to_string(),
            "thread \"a \\u{1b}[31m\" panicked at src/\\nmain.rs:1:2: \"no\\nway\"; 3 others before it were not reported"
        );
    }
}
