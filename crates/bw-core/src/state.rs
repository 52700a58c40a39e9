//! What a traced task is doing.

use core::fmt;
use std::sync::Arc;
use std::thread::ThreadId;

/// What a traced task is doing, as seen from outside at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskState {
    /// Nothing has polled it yet.
    NeverPolled,
    /// It returned `Pending` and waits to be woken, or was woken and waits for its executor.
    Suspended,
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
            Self::Polling(thread) => write!(f, "is being polled on thread {thread}"),
            Self::Finished => f.write_str("has finished"),
            Self::Dropped => f.write_str("was dropped before it finished"),
            Self::Panicked => f.write_str("panicked"),
        }
    }
}

/// The thread that polls a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PollingThread {
    pub(crate) id: ThreadId,
    pub(crate) name: Option<Arc<str>>,
}

impl PollingThread {
    /// The thread's id in this process, as the standard library numbers threads.
    #[must_use]
    pub fn id(&self) -> ThreadId {
        self.id
    }

    /// The name it had when it first polled a traced task.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

impl fmt::Display for PollingThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name:?} ({:?})", self.id),
            None => write!(f, "{:?}", self.id),
        }
    }
}
