//! One task of a dump: plain data.

use core::fmt;
use core::time::Duration;
use std::panic::Location;
use std::sync::Arc;

use crate::trace::id::TaskId;
use crate::trace::name::Name;
use crate::trace::state::{TaskState, TaskStatus};

/// One task of a [`RawTaskDump`](crate::RawTaskDump). Plain data, of this process or another.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskRecord {
    pub(crate) id: TaskId,
    pub(crate) name: Option<Name>,
    pub(crate) spawned_at: SpawnedAt,
    pub(crate) type_name: Option<Name>,
    pub(crate) parent: Option<TaskId>,
    pub(crate) nested: bool,
    pub(crate) status: TaskStatus,
    pub(crate) trace: Result<u32, NoTrace>,
    pub(crate) incomplete: Option<Arc<str>>,
}

/// Why a task of a dump gave no trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NoTrace {
    /// It was never polled, so it waits nowhere yet, and was not waited for.
    NeverPolled,
    /// It was asked, and not polled to an end before the dump's deadline.
    NotPolled,
    /// The deadline had passed before it could be asked.
    NotAsked,
    /// It is over; its state says how it ended.
    Over,
    /// The dump was asked for, by a thread that blocks, in the middle of this task's own poll.
    AsksItself,
    /// Nobody was asked: no thread could be started that would have kept the deadline.
    NoTimer,
    /// Its poll runs on a thread whose stack could not be read. Only in dumps that were read from memory.
    Running,
    /// It is in the queue of its executor, which has not polled it since. Only in dumps that were read from memory.
    Queued,
    /// It was aborted, and its executor has not dropped its future yet. Only in dumps that were read from memory.
    Aborted,
    /// It has finished, and something keeps it. Only in dumps that were read from memory.
    Retained,
    /// It ran while its memory was read. Only in dumps that were read from memory.
    Moved,
    /// Its poll could not be emulated; the record [says why](TaskRecord::incomplete). Only in dumps that were read from memory.
    Incomplete,
}

impl NoTrace {
    /// A word for it that stays the same: `never_polled`, `not_polled`, `not_asked`, `over`, `asks_itself`, `no_timer`, `running`, `queued`,
    /// `aborted`, `retained`, `moved`, `incomplete`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NeverPolled => "never_polled",
            Self::NotPolled => "not_polled",
            Self::NotAsked => "not_asked",
            Self::Over => "over",
            Self::AsksItself => "asks_itself",
            Self::NoTimer => "no_timer",
            Self::Running => "running",
            Self::Queued => "queued",
            Self::Aborted => "aborted",
            Self::Retained => "retained",
            Self::Moved => "moved",
            Self::Incomplete => "incomplete",
        }
    }
}

impl NoTrace {
    /// Whether it might have given one, had the dump waited longer, or been able to wait at all.
    #[must_use]
    pub fn is_for_want_of_time(self) -> bool {
        matches!(self, Self::NotPolled | Self::NotAsked | Self::NoTimer)
    }
}

impl fmt::Display for NoTrace {
    /// A clause, such as `it was asked, but not polled before the deadline`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NeverPolled => "it has never been polled, so it waits nowhere yet",
            Self::NotPolled => "it was asked, but its poll did not come, or did not end, before the deadline",
            Self::NotAsked => "the deadline passed before it could be asked",
            Self::Over => "it is over",
            Self::AsksItself => {
                "the dump was asked for in its own poll, which cannot end before the dump does"
            }
            Self::NoTimer => "nobody was asked: the thread that keeps deadlines could not be started",
            Self::Running => "a thread polls it, and the stack of that thread could not be read",
            Self::Queued => "it is in the queue of its executor, and was not polled since it came there",
            Self::Aborted => "it was aborted, and its executor has not dropped it yet",
            Self::Retained => "it has finished, and something keeps it, such as its JoinHandle",
            Self::Moved => "it ran while its memory was read",
            Self::Incomplete => "its poll could not be emulated",
        })
    }
}

/// The place in the source where a task was wrapped.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpawnedAt {
    file: Name,
    line: u32,
    column: u32,
}

impl SpawnedAt {
    /// A place by hand, or of another process.
    #[must_use]
    pub fn new(file: impl Into<Arc<str>>, line: u32, column: u32) -> Self {
        Self { file: Name::Shared(file.into()), line, column }
    }

    /// The place of a task of which nothing says where it was wrapped: its file has no name.
    #[must_use]
    pub fn unknown() -> Self {
        // As a reader of a raw dump makes it, so that the two are equal.
        Self::new("", 0, 0)
    }

    /// Whether anything says where the task was wrapped.
    #[must_use]
    pub fn is_known(&self) -> bool {
        !self.file().is_empty()
    }

    /// The file, as the compiler was given it.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// From 1.
    #[must_use]
    pub fn line(&self) -> u32 {
        self.line
    }

    /// From 1.
    #[must_use]
    pub fn column(&self) -> u32 {
        self.column
    }
}

impl From<&'static Location<'static>> for SpawnedAt {
    fn from(at: &'static Location<'static>) -> Self {
        Self { file: Name::Static(at.file()), line: at.line(), column: at.column() }
    }
}

impl fmt::Display for SpawnedAt {
    /// `file:line:column`. Control characters are printed as they are; renderers escape them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file(), self.line, self.column)
    }
}

impl fmt::Debug for SpawnedAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TaskRecord {
    /// A record by hand: for tests of what reads dumps, and for dumps that came from elsewhere.
    #[must_use]
    pub fn new(id: TaskId, spawned_at: SpawnedAt, status: TaskStatus) -> Self {
        Self {
            id,
            name: None,
            spawned_at,
            type_name: None,
            parent: None,
            nested: false,
            status,
            trace: Err(NoTrace::NotAsked),
            incomplete: None,
        }
    }

    /// The same record, with why its trace may lack something: a clause without a period.
    #[must_use]
    pub fn with_incomplete(mut self, reason: impl Into<Arc<str>>) -> Self {
        self.incomplete = Some(reason.into());
        self
    }

    /// The same record with a name.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(Name::Shared(name.into()));
        self
    }

    /// The same record with the type of its future.
    #[must_use]
    pub fn with_type_name(mut self, type_name: impl Into<Arc<str>>) -> Self {
        self.type_name = Some(Name::Shared(type_name.into()));
        self
    }

    /// The same record with a parent that wrapped it and does not poll it.
    #[must_use]
    pub fn with_parent(mut self, parent: TaskId) -> Self {
        (self.parent, self.nested) = (Some(parent), false);
        self
    }

    /// The same record with a parent that polls it.
    #[must_use]
    pub fn with_poller(mut self, parent: TaskId) -> Self {
        (self.parent, self.nested) = (Some(parent), true);
        self
    }

    /// The same record with what it said: the number of its trace in the dump, or why there is none.
    #[must_use]
    pub fn with_trace(mut self, trace: Result<u32, NoTrace>) -> Self {
        self.trace = trace;
        self
    }

    /// So much time has passed since the record was made.
    pub(crate) fn age_by(&mut self, passed: Duration) {
        let status = &mut self.status;
        // Of a task that has ended, how long it had waited before.
        let is_over = status.state.is_over();
        let times =
            [status.in_state.as_mut(), status.since_request.as_mut()].into_iter().filter(|_| !is_over);
        for time in times.chain([status.age.as_mut()]).flatten() {
            *time = time.saturating_add(passed);
        }
    }

    /// The dump that makes the record has polled the task, which waits on.
    pub(crate) fn polled_by_dump(&mut self) {
        if self.status.state == TaskState::Suspended {
            self.status.since_request.get_or_insert(Duration::ZERO);
        }
    }

    /// The task ended so since the record was made.
    pub(crate) fn end(&mut self, state: TaskState) {
        let status = &mut self.status;
        // Dropped is no poll's outcome.
        if status.state == TaskState::Suspended && matches!(state, TaskState::Finished | TaskState::Panicked)
        {
            status.since_request.get_or_insert(Duration::ZERO);
        } else {
            (status.in_state, status.since_request) = (None, None);
        }
        status.state = state;
    }

    /// The task's id.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.id
    }

    /// The task's name; see [`Tracer::named`](crate::Tracer::named).
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Where it was wrapped.
    #[must_use]
    pub fn spawned_at(&self) -> &SpawnedAt {
        &self.spawned_at
    }

    /// The type of its future, as [`core::any::type_name`] writes it: `app::transfer::{{closure}}` of an `async fn`. `None` in a
    /// dump of a process that did not record it.
    #[must_use]
    pub fn type_name(&self) -> Option<&str> {
        self.type_name.as_deref()
    }

    /// The task in whose poll it is polled, or else in whose poll it was wrapped. See
    /// [`TraceHandle::parent`](crate::TraceHandle::parent).
    #[must_use]
    pub fn parent(&self) -> Option<TaskId> {
        self.parent
    }

    /// Whether its [`parent`](Self::parent) polls it: then it is no task of the executor's, but a future inside of one.
    #[must_use]
    pub fn is_nested(&self) -> bool {
        self.nested
    }

    /// What it was doing when the dump came to it, and for how long; of a task that did not answer, when the dump ended.
    #[must_use]
    pub fn status(&self) -> &TaskStatus {
        &self.status
    }

    /// Why its trace may lack something, or why there is none. `None` unless the dump was read from memory.
    #[must_use]
    pub fn incomplete(&self) -> Option<&str> {
        self.incomplete.as_deref()
    }

    /// The number of its trace among the [traces](crate::RawTaskDump::traces) of the dump.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub fn trace(&self) -> Result<usize, NoTrace> {
        self.trace.map(|trace| trace as usize)
    }
}
