//! What a traced task is doing.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;
use std::thread::ThreadId;

/// What a traced task is doing, as seen from outside at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskState {
    /// Nothing has polled it yet.
    NeverPolled,
    /// It returned `Pending` and waits to be woken.
    Suspended,
    /// It was woken, because somebody asked it, and its executor has not polled it since. Whether somebody else woke it is
    /// not known: that would cost every wake.
    Woken,
    /// It is being polled right now.
    Polling(PollingThread),
    /// It returned `Ready`.
    Finished,
    /// It was dropped before it finished: aborted, cancelled, or lost with its executor.
    Dropped,
    /// A poll of it panicked.
    Panicked,
}

impl TaskState {
    /// The [names](Self::name) of all of them.
    pub(crate) const NAMES: [&'static str; 7] =
        ["never_polled", "suspended", "woken", "polling", "finished", "dropped", "panicked"];

    /// A word for it that stays the same: `never_polled`, `suspended`, `woken`, `polling`, `finished`, `dropped`, `panicked`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::NeverPolled => "never_polled",
            Self::Suspended => "suspended",
            Self::Woken => "woken",
            Self::Polling(_) => "polling",
            Self::Finished => "finished",
            Self::Dropped => "dropped",
            Self::Panicked => "panicked",
        }
    }

    /// Whether the task will never wait anywhere again.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Finished | Self::Dropped | Self::Panicked)
    }
}

impl fmt::Display for TaskState {
    /// A predicate for a sentence about the task, such as `has never been polled`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverPolled => f.write_str("has never been polled"),
            Self::Suspended => f.write_str("is suspended"),
            Self::Woken => f.write_str("was woken and has not been polled since"),
            Self::Polling(thread) => write!(f, "is being polled on {thread}"),
            Self::Finished => f.write_str("has finished"),
            Self::Dropped => f.write_str("was dropped before it finished"),
            Self::Panicked => f.write_str("panicked"),
        }
    }
}

/// What a traced task is doing, for how long, and what it did before: one moment's picture.
///
/// Times come from a clock that advances every 100 ms, and are up to that much too long; more when the thread that advances
/// it gets no processor. `None` where they are not known: the thread could not be started.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskStatus {
    /// What it is doing.
    pub state: TaskState,
    /// For how long: since the last poll returned that no request caused, since the poll that runs now began, since it was woken or, for a task that
    /// was never polled, since it was wrapped. Of a task that was suspended and ended in the poll that a dump caused: how long it had been
    /// suspended then. `None` for every other task that is over.
    pub in_state: Option<Duration>,
    /// How long ago a request first polled it since [`in_state`](Self::in_state) began; for a poll that a dump caused, since the dump asked.
    /// `None` if no request has. In a dump, a span no longer than the dump took is the dump's own poll. See
    /// [`polled_late`](Self::polled_late).
    pub since_request: Option<Duration>,
    /// How long ago it was wrapped.
    pub age: Option<Duration>,
    /// How many polls of it have returned or panicked, without those that were made to answer somebody and found it waiting.
    pub polls: u64,
}

impl TaskStatus {
    /// Of a task that was wrapped long ago or far away: times unknown, no polls. Set what is known.
    #[must_use]
    pub fn new(state: TaskState) -> Self {
        Self { state, in_state: None, since_request: None, age: None, polls: 0 }
    }

    /// Returns how long ago a request first polled it, if by then no other poll had come for a second or longer.
    ///
    /// A request wakes the task that it asks. A task whose wake had been lost moves on in that poll, and its trace shows the place
    /// after it, while `in_state` is the time at the place before.
    #[must_use]
    pub fn polled_late(&self) -> Option<Duration> {
        let since_request = self.since_request?;
        let before = self.in_state?.saturating_sub(since_request);
        (before >= Duration::from_secs(1)).then_some(since_request)
    }
}

impl fmt::Display for TaskStatus {
    /// A predicate for a sentence about the task, such as `is suspended (for 3.2s)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.in_state {
            Some(in_state) if !self.state.is_over() => {
                write!(f, "{} (for {in_state:.1?}", self.state)?;
                if let Some(since_request) = self.polled_late() {
                    write!(f, "; a request polled it {since_request:.1?} ago")?;
                }
                f.write_str(")")
            }
            _ => self.state.fmt(f),
        }
    }
}

/// The thread that polls a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PollingThread {
    pub(crate) id: Option<ThreadId>,
    pub(crate) os_id: Option<u64>,
    pub(crate) name: Option<Arc<str>>,
}

impl PollingThread {
    /// A thread of another process, or by hand. It has the number of no thread here.
    #[must_use]
    pub fn elsewhere(name: Option<Arc<str>>, os_id: Option<u64>) -> Self {
        Self { id: None, os_id, name }
    }

    /// The thread's id in this process, as the standard library numbers threads. `None` for one of another process.
    #[must_use]
    pub fn id(&self) -> Option<ThreadId> {
        self.id
    }

    /// The number by which the operating system knows it, as in `top -H`, `gdb` and `/proc`. `None` except on Linux.
    #[must_use]
    pub fn os_id(&self) -> Option<u64> {
        self.os_id
    }

    /// The name it had when it first polled a traced task.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

impl fmt::Display for PollingThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.name(), self.os_id, self.id) {
            (Some(name), Some(os_id), _) => write!(f, "{name:?} (thread {os_id})"),
            (Some(name), None, _) => write!(f, "{name:?}"),
            (None, Some(os_id), _) => write!(f, "thread {os_id}"),
            (None, None, Some(id)) => write!(f, "{id:?}"),
            (None, None, None) => f.write_str("a thread"),
        }
    }
}

#[cfg(all(test, not(bw_loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_its_name_among_all() {
        let states = [
            TaskState::NeverPolled,
            TaskState::Suspended,
            TaskState::Woken,
            TaskState::Polling(PollingThread::elsewhere(None, None)),
            TaskState::Finished,
            TaskState::Dropped,
            TaskState::Panicked,
        ];
        assert_eq!(states.map(|state| state.name()), TaskState::NAMES);
    }
}
