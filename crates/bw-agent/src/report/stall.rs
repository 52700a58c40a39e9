//! What the stall watch has to report: plain data.

use std::fmt;
use std::time::Duration;

use backtrace_waker::{SpawnedAt, TaskId, TaskState, TaskStatus};
use bw_render::{Count, Elapsed};

/// Tasks that are stuck, in groups: what the stall watch reports. Those that hold a thread come first, then those that are
/// stuck longest.
#[derive(Clone, Debug)]
pub struct Stall {
    pub(crate) threshold: Duration,
    pub(crate) groups: Vec<StalledGroup>,
}

impl Stall {
    /// For how long a task is in one state before it counts as stuck.
    #[must_use]
    pub fn threshold(&self) -> Duration {
        self.threshold
    }

    /// At most twenty; the rest is in the next report.
    #[must_use]
    pub fn groups(&self) -> &[StalledGroup] {
        &self.groups
    }
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tasks = self.groups.iter().map(StalledGroup::len).sum::<usize>();
        let s = if tasks == 1 { " is" } else { "s are" };
        write!(f, "{} task{s} stuck for {} or more", Count(tasks), Elapsed(self.threshold))?;
        for group in &self.groups {
            write!(f, "\n  {group}")?;
        }
        Ok(())
    }
}

/// Tasks that were spawned at one place, under names that differ in numbers at most, and are stuck in the same way.
#[derive(Clone, Debug)]
pub struct StalledGroup {
    pub(crate) name: Option<String>,
    pub(crate) spawned_at: SpawnedAt,
    pub(crate) tasks: usize,
    pub(crate) longest: TaskStatus,
    pub(crate) ids: Vec<TaskId>,
}

impl StalledGroup {
    /// Their name, with a `#` for each number: `conn #`.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Where they were wrapped.
    #[must_use]
    pub fn spawned_at(&self) -> &SpawnedAt {
        &self.spawned_at
    }

    /// How many they are.
    #[must_use]
    #[allow(clippy::len_without_is_empty)] // None is empty.
    pub fn len(&self) -> usize {
        self.tasks
    }

    /// What the one does that is stuck longest: suspended, woken and not polled, or in one poll; and on which thread.
    #[must_use]
    pub fn longest(&self) -> &TaskStatus {
        &self.longest
    }

    /// Those of them that are in the report's dump: the ones that are stuck longest, ten at most.
    #[must_use]
    pub fn ids(&self) -> &[TaskId] {
        &self.ids
    }
}

impl fmt::Display for StalledGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} task{}", Count(self.tasks), if self.tasks == 1 { "" } else { "s" })?;
        if let Some(name) = self.name() {
            write!(f, " {name:?}")?;
        }
        let up_to = if self.tasks == 1 { "" } else { "up to " };
        let span = Elapsed(self.longest.in_state.unwrap_or_default());
        match &self.longest.state {
            TaskState::Polling(thread) => write!(f, " in one poll for {up_to}{span} on {thread}")?,
            TaskState::Woken => write!(f, " woken but not polled for {up_to}{span}")?,
            _ => write!(f, " suspended for {up_to}{span}")?,
        }
        let at = &self.spawned_at;
        write!(f, ", spawned at {}:{}:{}", at.file().escape_debug(), at.line(), at.column())
    }
}
