//! What came of many dumps: plain data.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bw_core::{NoTrace, RawTrace, SpawnedAt, TaskId, TaskState};

use super::group_totals::{GroupTotals, Members};
use crate::build_id::BuildId;
use crate::module_map::ModuleMap;

/// What many processes did at about the same time: groups of tasks, and where they wait, as addresses of a process that has
/// every build of them loaded at once. That one there is not, but [its modules](Self::modules) are what a
/// `Symbolizer` of bw-symbolize takes.
#[derive(Clone, Debug)]
pub struct MergedDump {
    pub(super) dumps: usize,
    pub(super) tasks: usize,
    pub(super) partial: usize,
    pub(super) guessed: usize,
    pub(super) coverage: Option<(usize, usize, usize)>,
    pub(super) taken: Option<(SystemTime, SystemTime)>,
    pub(super) programs: Vec<MergedProgram>,
    pub(super) modules: ModuleMap,
    pub(super) traces: Vec<RawTrace>,
    pub(super) types: Vec<Option<Arc<str>>>,
    pub(super) groups: Vec<MergedGroup>,
}

/// A build of a program that dumps are of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergedProgram {
    pub(super) path: PathBuf,
    pub(super) build_id: Option<BuildId>,
    pub(super) dumps: usize,
}

/// Tasks that wait at the same places, in the same build of the same program, in the same state.
#[derive(Clone, Debug)]
pub struct MergedGroup {
    pub(super) program: usize,
    pub(super) state: TaskState,
    pub(super) trace: Result<usize, NoTrace>,
    pub(super) totals: GroupTotals,
}

/// A task of one of the dumps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergedTask {
    pub(super) dump: Arc<str>,
    pub(super) pid: u32,
    pub(super) id: TaskId,
    pub(super) name: Option<Arc<str>>,
    pub(super) in_state: Option<Duration>,
}

impl MergedDump {
    /// How many dumps there were.
    #[must_use]
    pub fn dumps(&self) -> usize {
        self.dumps
    }

    /// How many tasks they had.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.tasks
    }

    /// How many of the dumps are partial; see [`RawTaskDump::is_partial`](bw_core::RawTaskDump::is_partial).
    #[must_use]
    pub fn partial(&self) -> usize {
        self.partial
    }

    /// How many of the dumps are of programs without a build id, which are taken for the same where they have the same path and take
    /// the same addresses.
    #[must_use]
    pub fn guessed(&self) -> usize {
        self.guessed
    }

    /// How many tasks are traced, how many are alive, and how many dumps tell that. `None` if none does.
    #[must_use]
    pub fn coverage(&self) -> Option<(usize, usize, usize)> {
        self.coverage
    }

    /// When the first and the last of them were taken. `None` if there are none.
    #[must_use]
    pub fn taken(&self) -> Option<(SystemTime, SystemTime)> {
        self.taken
    }

    /// The builds of the programs that were dumped, those with most dumps first.
    #[must_use]
    pub fn programs(&self) -> &[MergedProgram] {
        &self.programs
    }

    /// Every build that was loaded somewhere, at addresses that no process had.
    #[must_use]
    pub fn modules(&self) -> &ModuleMap {
        &self.modules
    }

    /// The distinct traces of each type of task, as addresses in [those modules](Self::modules).
    #[must_use]
    pub fn traces(&self) -> &[RawTrace] {
        &self.traces
    }

    /// The type of the futures of the tasks that have [that trace](Self::traces): all are of one type. `None` where the dumps do not
    /// tell.
    #[must_use]
    pub fn type_of_trace(&self, trace: usize) -> Option<&str> {
        self.types.get(trace)?.as_deref()
    }

    /// In how many of the dumps groups of these indices have tasks, together.
    #[must_use]
    pub fn processes_of(&self, groups: impl IntoIterator<Item = usize>) -> usize {
        let mut members = Members::default();
        for group in groups.into_iter().filter_map(|at| self.groups.get(at)) {
            members.add(&group.totals.processes);
        }
        members.count()
    }

    /// The tasks, that with the one that has been longest where it is first.
    #[must_use]
    pub fn groups(&self) -> &[MergedGroup] {
        &self.groups
    }
}

impl MergedProgram {
    /// Where it was started from; of several such places the first by name. Empty where not even that is known.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What tells this build of it from others.
    #[must_use]
    pub fn build_id(&self) -> Option<&BuildId> {
        self.build_id.as_ref()
    }

    /// How many dumps are of it.
    #[must_use]
    pub fn dumps(&self) -> usize {
        self.dumps
    }
}

impl MergedGroup {
    /// What orders groups: all that tells them apart.
    pub(super) fn rank(&self) -> impl Ord + '_ {
        let (trace, reason) = (self.trace.ok(), self.trace.err().map(NoTrace::name));
        let sample = self.totals.samples.first().map(MergedTask::rank);
        (
            Reverse(self.totals.oldest),
            Reverse(self.totals.tasks),
            self.program,
            self.state.name(),
            trace,
            reason,
            sample,
        )
    }

    /// The index of the program among the [programs](MergedDump::programs).
    #[must_use]
    pub fn program(&self) -> usize {
        self.program
    }

    /// What they do. A thread that polls is no particular one.
    #[must_use]
    pub fn state(&self) -> &TaskState {
        &self.state
    }

    /// The index of their trace among the [traces](MergedDump::traces).
    ///
    /// # Errors
    ///
    /// Why they have none.
    pub fn trace(&self) -> Result<usize, NoTrace> {
        self.trace
    }

    /// How many tasks it has; at least one.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.totals.tasks
    }

    /// In how many of the dumps.
    #[must_use]
    pub fn processes(&self) -> usize {
        self.totals.processes.count()
    }

    /// For how long the first of them has been where it is.
    #[must_use]
    pub fn oldest(&self) -> Option<Duration> {
        self.totals.oldest
    }

    /// For how long the last of them has been where it is.
    #[must_use]
    pub fn youngest(&self) -> Option<Duration> {
        self.totals.youngest
    }

    /// How many of them a request polled late; see [`TaskStatus::polled_late`](bw_core::TaskStatus::polled_late).
    #[must_use]
    pub fn polled_late(&self) -> usize {
        self.totals.polled_late
    }

    /// For how long all of them have been where they are, together.
    #[must_use]
    pub fn together(&self) -> Duration {
        self.totals.together
    }

    /// Where they were wrapped: the first ten places, by name.
    #[must_use]
    pub fn spawned_at(&self) -> impl ExactSizeIterator<Item = &SpawnedAt> {
        self.totals.spawned_at.iter()
    }

    /// Whether some were wrapped at other places than [those](Self::spawned_at).
    #[must_use]
    pub fn is_spawned_elsewhere(&self) -> bool {
        self.totals.elsewhere
    }

    /// The ten that have been longest where they are.
    #[must_use]
    pub fn samples(&self) -> &[MergedTask] {
        &self.totals.samples
    }
}

impl MergedTask {
    /// What orders samples: the one that has waited longest comes first.
    pub(super) fn rank(&self) -> (Reverse<Option<Duration>>, &str, TaskId) {
        (Reverse(self.in_state), &self.dump, self.id)
    }

    /// The name of the dump it is in.
    #[must_use]
    pub fn dump(&self) -> &str {
        &self.dump
    }

    /// The number of its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Its id there.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.id
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// For how long it has been where it is.
    #[must_use]
    pub fn in_state(&self) -> Option<Duration> {
        self.in_state
    }
}
