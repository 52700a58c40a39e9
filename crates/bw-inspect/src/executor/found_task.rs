//! One task as it was when it was found, whichever executor it is of.

use super::async_task_list;
use super::async_task_state::AsyncTaskWord;
use super::task_list;
use super::task_state::{Activity, TaskWord};
use super::task_vtables::TaskVtable;
use crate::target::memory::{Memory, Unreadable};

/// One task as it was when it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FoundTask {
    /// The address of its header, which is also the data of its wakers.
    pub(crate) header: u64,
    /// Its table.
    pub(crate) table: TaskVtable,
    /// The address of its state word.
    pub(crate) state: u64,
    /// Its state word.
    pub(crate) word: StateWord,
    /// The id of the runtime or local set that owns it; 0 for one of the blocking pool, and where executors have none.
    pub(crate) owner: u64,
    /// Its id, as `tokio::task::Id` has it, or a number where executors have none.
    pub(crate) id: u64,
}

/// The state word of a task, by its executor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StateWord {
    Tokio(TaskWord),
    AsyncTask(AsyncTaskWord),
}

impl FoundTask {
    /// Whether an executor polls it: what nobody owns runs in tokio's blocking pool, and its workers are among that.
    pub(crate) fn is_of_executor(&self) -> bool {
        matches!(self.word, StateWord::AsyncTask(_)) || self.owner != 0
    }

    /// Reads it again. `None` if it has ended.
    pub(crate) fn read_again(&self, memory: &dyn Memory) -> Result<Option<Self>, Unreadable> {
        match self.word {
            StateWord::Tokio(_) => task_list::read_task(memory, self.header, self.table),
            StateWord::AsyncTask(_) => Ok(async_task_list::read_again(memory, self)),
        }
    }
}

impl StateWord {
    /// Returns what a task of the same executor does that has another word. `None` if none can have it.
    pub(crate) fn activity_of(self, other: u64) -> Option<Activity> {
        self.with(other).map(Self::activity)
    }

    /// Returns another word of a task of the same executor. `None` if none can have it.
    pub(crate) fn with(self, other: u64) -> Option<Self> {
        match self {
            Self::Tokio(_) => TaskWord::of_living(other).map(Self::Tokio),
            Self::AsyncTask(_) => AsyncTaskWord::of_living(other).map(Self::AsyncTask),
        }
    }

    /// Returns how many references to the task there are.
    pub(crate) fn references(self) -> u64 {
        match self {
            Self::Tokio(word) => word.references(),
            Self::AsyncTask(word) => word.references(),
        }
    }

    /// Returns what the task does.
    pub(crate) fn activity(self) -> Activity {
        match self {
            Self::Tokio(word) => word.activity(),
            Self::AsyncTask(word) => word.activity(),
        }
    }

    /// Whether the task was aborted, and its future is not dropped yet.
    pub(crate) fn is_aborted(self) -> bool {
        matches!(self, Self::Tokio(word) if word.is_aborted())
    }

    /// Returns the word as the executor has it right before it polls the task.
    pub(crate) fn scheduled(self) -> u64 {
        match self {
            Self::Tokio(word) => word.scheduled(),
            Self::AsyncTask(word) => word.scheduled(),
        }
    }
}
