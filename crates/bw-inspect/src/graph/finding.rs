//! What is wrong with tasks of a program.

use core::fmt;

/// Something that is wrong with tasks of a program. Plain data.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What is wrong.
    pub kind: FindingKind,
    /// The tasks that it is wrong with.
    pub tasks: Vec<InvolvedTask>,
    /// How many other tasks cannot go on because of them.
    pub stuck_behind: usize,
}

/// A kind of fault. The worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FindingKind {
    /// Tasks wait for each other, or one for itself.
    Deadlock,
    /// A task waits for a lock that was given to a future of its own, which it does not poll.
    Futurelock,
    /// What a task waited for has happened, and nothing wakes the task.
    MissedWake,
    /// A task blocks the thread that polls it.
    BlockedThread,
}

impl FindingKind {
    /// Returns the name that JSON has for it, such as `deadlock`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deadlock => "deadlock",
            Self::Futurelock => "futurelock",
            Self::MissedWake => "missed-wake",
            Self::BlockedThread => "blocked-thread",
        }
    }
}

impl Finding {
    /// Returns a sentence that says what is wrong.
    #[must_use]
    pub fn summary(&self) -> String {
        match (self.kind, self.tasks.len()) {
            (FindingKind::Futurelock, _) => {
                "A task waits for a lock that one of its own futures has, and does not poll that future."
                    .to_owned()
            }
            (FindingKind::MissedWake, _) => "A task could go on, and nothing wakes it.".to_owned(),
            (FindingKind::BlockedThread, _) => "A task blocks the thread that polls it.".to_owned(),
            (FindingKind::Deadlock, 1) => "A task waits for itself.".to_owned(),
            (FindingKind::Deadlock, tasks) => format!("{tasks} tasks wait for each other."),
        }
    }

    /// Returns a sentence that says what to do.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match (self.kind, self.tasks.len()) {
            (FindingKind::Futurelock, _) => {
                "Poll the kept future to its end, or drop it, before the task waits for the same lock again."
            }
            (FindingKind::MissedWake, _) => {
                "Look at the future that it waits for: it must store the waker of each poll, and wake it when it is ready."
            }
            (FindingKind::BlockedThread, _) => {
                "Use a call that is awaited, or move the call to a thread of its own with spawn_blocking."
            }
            (FindingKind::Deadlock, 1) => "Drop the guard before the task waits for the same lock again.",
            (FindingKind::Deadlock, _) => {
                "Take locks in the same order in all tasks, or drop one guard before waiting for the next."
            }
        }
    }
}

/// A task that something is wrong with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvolvedTask {
    /// The id of the task.
    pub id: u64,
    /// The type of the task.
    pub name: Option<String>,
    /// What it does, such as `waits for Mutex 0x7f1234567890`.
    pub what: String,
    /// The async bodies from the root of the task to the place where it waits, with lines. Of a task that blocks its thread, the
    /// functions that the thread is in.
    pub lines: Vec<Line>,
    /// The tasks without which it cannot go on.
    pub blockers: Vec<Blocker>,
    /// What shows that it waits there, and for nothing else.
    pub evidence: Vec<Evidence>,
    /// Where the typed decode and the emulated poll disagree.
    pub disagreement: Option<String>,
}

/// An async body, and the line that it waits at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Line {
    /// The body, such as `async fn shop::pay`.
    pub body: String,
    /// The source file and the number of the line.
    pub place: Option<(String, u64)>,
}

/// A task without which another one cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Blocker {
    /// The id of the task.
    pub task: u64,
    /// How it blocks the other, such as ``holds it in `guard` of async fn shop::pay``.
    pub how: String,
    /// What shows that.
    pub evidence: Vec<Evidence>,
}

/// What shows that a claim is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Evidence {
    /// The poll of the task was emulated.
    Emulated,
    /// The memory of the task was decoded by the types in the debug information.
    Typed,
    /// The drop glue of the task was emulated, and released it.
    DropGlue,
    /// The thread waited in the kernel at two moments, and did not run in between.
    ThreadStack,
}

impl Evidence {
    /// Returns the words for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Emulated => "emulated",
            Self::Typed => "typed",
            Self::DropGlue => "confirmed by drop glue",
            Self::ThreadStack => "stack of the thread",
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
