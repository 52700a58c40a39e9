//! What a dump found: plain data.

use core::time::Duration;
use std::collections::HashMap;
use std::time::SystemTime;

use crate::trace::id::TaskId;
use crate::trace::name::Name;
use crate::trace::raw_trace::RawTrace;
use crate::trace::state::TaskState;
use crate::trace::task_filter::TaskFilter;
use crate::trace::task_record::{NoTrace, TaskRecord};

/// How a dump learned where tasks wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DumpSource {
    /// Each task was asked, and answered in a poll of its own.
    #[default]
    Requests,
    /// The memory of the process was read from outside. Nothing was woken, and no thread was stopped unless there is a
    /// [pause](RawTaskDump::pause).
    Memory,
    /// A core file was read: the memory of a process as it was at one moment.
    CoreFile,
}

impl DumpSource {
    /// A word for it that stays the same: `requests`, `memory`, `core`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Memory => "memory",
            Self::CoreFile => "core",
        }
    }

    /// The source that has this [name](Self::name). `None` if this version knows none.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Requests, Self::Memory, Self::CoreFile].into_iter().find(|source| source.name() == name)
    }

    /// Whether memory was read, and no task was asked.
    #[must_use]
    pub fn is_memory(self) -> bool {
        matches!(self, Self::Memory | Self::CoreFile)
    }
}

/// Every task of a registry, and where it waits, as raw addresses. Plain `Send + Sync` data; each distinct trace is kept once for each
/// [type](TaskRecord::type_name) of task that has it.
#[derive(Clone, Debug, PartialEq)]
pub struct RawTaskDump {
    pub(crate) taken_at: SystemTime,
    pub(crate) took: Duration,
    pub(crate) registered: usize,
    pub(crate) nested: usize,
    pub(crate) unpolled: usize,
    pub(crate) alive: Option<usize>,
    pub(crate) tasks: Vec<TaskRecord>,
    pub(crate) traces: Vec<RawTrace>,
    pub(crate) source: DumpSource,
    pub(crate) pause: Option<Duration>,
    pub(crate) notes: Vec<String>,
}

impl RawTaskDump {
    /// A dump by hand: for tests of what reads dumps, and for dumps that came from elsewhere. Tasks are ordered by id; a task
    /// whose trace is not there has [`NoTrace::NotAsked`].
    #[must_use]
    pub fn new(
        taken_at: SystemTime,
        took: Duration,
        mut tasks: Vec<TaskRecord>,
        mut traces: Vec<RawTrace>,
    ) -> Self {
        tasks.sort_by_key(TaskRecord::id);
        for task in &mut tasks {
            if task.trace().is_ok_and(|trace| trace >= traces.len()) {
                task.trace = Err(NoTrace::NotAsked);
            }
        }
        tell_types_apart(&mut tasks, &mut traces);
        let nested = tasks.iter().filter(|task| task.nested).count();
        let unpolled = tasks.iter().filter(|task| task.status.state == TaskState::NeverPolled).count();
        let registered = tasks.len();
        let (alive, source, pause, notes) = (None, DumpSource::Requests, None, Vec::new());
        Self { taken_at, took, registered, nested, unpolled, alive, tasks, traces, source, pause, notes }
    }

    /// The same dump, learned in another way.
    #[must_use]
    pub fn with_source(mut self, source: DumpSource) -> Self {
        self.source = source;
        self
    }

    /// The same dump, for which all threads of the process were stopped for so long.
    #[must_use]
    pub fn with_pause(mut self, pause: Option<Duration>) -> Self {
        self.pause = pause;
        self
    }

    /// The same dump, in which tasks without a name get one.
    #[must_use]
    pub fn with_names(mut self, mut name: impl FnMut(TaskId) -> Option<String>) -> Self {
        for task in self.tasks.iter_mut().filter(|task| task.name.is_none()) {
            task.name = name(task.id).map(|name| Name::Shared(name.into()));
        }
        self
    }

    /// The same dump without some tasks, as if they had never been registered. Traces that only they have stay. Linear in the number of
    /// tasks.
    #[must_use]
    pub fn without(mut self, mut is_left_out: impl FnMut(&TaskRecord) -> bool) -> Self {
        let before = self.tasks.len();
        self.tasks.retain(|task| !is_left_out(task));
        self.registered = self.registered.saturating_sub(before - self.tasks.len());
        self
    }

    /// The same dump, with sentences about what is missing in it.
    #[must_use]
    pub fn with_notes(mut self, notes: Vec<String>) -> Self {
        self.notes = notes;
        self
    }

    /// The same dump, with how many tasks the runtime says are alive, traced or not.
    #[must_use]
    pub fn with_alive(mut self, alive: usize) -> Self {
        self.alive = Some(alive);
        self
    }

    /// The same dump, with how many tasks were registered, whether they passed the filter or not.
    #[must_use]
    pub fn with_registered(mut self, registered: usize) -> Self {
        self.registered = registered;
        self
    }

    /// The same dump, with how many of the [registered](Self::registered) others [poll](Self::nested), and how many were never
    /// [polled](Self::unpolled). Unless told, as many as are in it.
    #[must_use]
    pub fn with_uncounted(mut self, nested: usize, unpolled: usize) -> Self {
        (self.nested, self.unpolled) = (nested, unpolled);
        self
    }

    /// The same dump without the tasks that do not [pass](TaskFilter::passes), and without the traces that only they have: what
    /// [`Dump::only`](crate::DumpFuture::only) would have left out. Of a dump that was not asked for but read, a filter by time leaves out
    /// tasks whose times are not known, too. How many were registered stays. Linear in the number of tasks.
    #[must_use]
    pub fn only(mut self, filter: &TaskFilter) -> Self {
        // Memory has times of wrapped tasks only. Where tasks were asked, they are missing only if the clock stands still.
        let may_lack_times = self.source == DumpSource::Requests;
        self.tasks.retain(|task| filter.passes(task) && (may_lack_times || filter.can_judge(task.status())));
        let mut is_kept = vec![false; self.traces.len()];
        for number in self.tasks.iter().filter_map(|task| task.trace().ok()) {
            is_kept[number] = true;
        }
        let mut kept = 0;
        let number_of: Vec<u32> = is_kept
            .iter()
            .map(|&is_kept| {
                let number = kept;
                kept += u32::from(is_kept);
                number
            })
            .collect();
        for task in &mut self.tasks {
            task.trace = task.trace.map(|number| number_of[number as usize]);
        }
        let mut is_kept = is_kept.into_iter();
        self.traces.retain(|_| is_kept.next().unwrap_or(false));
        self
    }

    /// How it learned where tasks wait.
    #[must_use]
    pub fn source(&self) -> DumpSource {
        self.source
    }

    /// For how long all threads of the process were stopped; `None` if none was.
    #[must_use]
    pub fn pause(&self) -> Option<Duration> {
        self.pause
    }

    /// Sentences about what is missing in it, without a period at the end. Empty unless it was read from memory.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// When it began.
    #[must_use]
    pub fn taken_at(&self) -> SystemTime {
        self.taken_at
    }

    /// How long it took.
    #[must_use]
    pub fn took(&self) -> Duration {
        self.took
    }

    /// How many tasks the registry had, whether they passed the filter or not.
    #[must_use]
    pub fn registered(&self) -> usize {
        self.registered
    }

    /// How many of the [registered](Self::registered) were futures that other traced tasks poll, and so no tasks of a runtime;
    /// see [`TaskRecord::is_nested`].
    #[must_use]
    pub fn nested(&self) -> usize {
        self.nested
    }

    /// How many of the [registered](Self::registered) were never polled: they may have been spawned, or not.
    #[must_use]
    pub fn unpolled(&self) -> usize {
        self.unpolled
    }

    /// How many tasks the runtime said are alive, traced or not; `None` where nobody asked it.
    #[must_use]
    pub fn alive(&self) -> Option<usize> {
        self.alive
    }

    /// The tasks, by id.
    #[must_use]
    pub fn tasks(&self) -> &[TaskRecord] {
        &self.tasks
    }

    /// The traces, each once, in no order that means anything. A [record](TaskRecord::trace) has the number of its own. All tasks
    /// of one number have futures of one type.
    #[must_use]
    pub fn traces(&self) -> &[RawTrace] {
        &self.traces
    }

    /// Where that task of this dump waits.
    #[must_use]
    pub fn trace_of(&self, task: &TaskRecord) -> Option<&RawTrace> {
        self.traces.get(task.trace().ok()?)
    }

    /// Whether a task that was to be asked gave no answer: the deadline ended the dump.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.tasks
            .iter()
            .any(|task| matches!(task.trace, Err(NoTrace::NotPolled | NoTrace::NotAsked | NoTrace::NoTimer)))
    }
}

/// Gives tasks of different types traces of their own. Two types may share all their code, since compilers and linkers fold functions
/// of the same instructions; where nothing but the type tells what a task is, its tasks must not be taken for those of the other.
///
/// Copies pointers, not traces. Linear in the number of tasks.
pub(crate) fn tell_types_apart(tasks: &mut [TaskRecord], traces: &mut Vec<RawTrace>) {
    // For each trace, the type of the first task that has it.
    let mut type_of: Vec<Option<Option<Name>>> = vec![None; traces.len()];
    let mut copies: HashMap<(u32, Option<Name>), u32> = HashMap::new();
    for task in tasks {
        let Ok(number) = task.trace else { continue };
        let Some(known) = type_of.get_mut(number as usize) else { continue };
        match known {
            None => *known = Some(task.type_name.clone()),
            Some(known) if *known == task.type_name => {}
            Some(_) => {
                let copy = copies.entry((number, task.type_name.clone())).or_insert_with(|| {
                    let trace = traces[number as usize].clone();
                    traces.push(trace);
                    // More than 2^32 do not fit into memory.
                    u32::try_from(traces.len() - 1).unwrap_or(number)
                });
                task.trace = Ok(*copy);
            }
        }
    }
}

#[cfg(all(test, not(bw_loom)))]
mod tests {
    use super::*;
    use crate::trace::id::TaskId;
    use crate::trace::raw_trace::StackFlags;
    use crate::trace::state::TaskStatus;
    use crate::trace::task_record::SpawnedAt;

    fn trace(word: usize) -> RawTrace {
        RawTrace::from_stacks([(vec![word], StackFlags::default())])
    }

    #[test]
    fn who_does_not_pass_leaves_with_traces_of_its_own_alone() {
        let task = |id, name: &str, trace| {
            let status = TaskStatus::new(TaskState::Suspended);
            TaskRecord::new(TaskId::from_u64(id).unwrap(), SpawnedAt::new("a.rs", 1, 1), status)
                .with_name(name.to_owned())
                .with_trace(trace)
        };
        let tasks = vec![
            task(1, "leaves", Ok(0)),
            task(2, "stays", Ok(1)),
            task(3, "leaves", Ok(1)),
            task(4, "stays", Ok(2)),
            task(5, "stays", Err(NoTrace::NotPolled)),
        ];
        let dump = RawTaskDump::new(
            SystemTime::UNIX_EPOCH,
            Duration::ZERO,
            tasks,
            vec![trace(10), trace(11), trace(12)],
        );
        let only = dump.clone().only(&TaskFilter::new().name_contains("stays"));
        assert_eq!(only.tasks().iter().map(|task| task.id().get()).collect::<Vec<_>>(), [2, 4, 5]);
        assert_eq!(only.traces(), [trace(11), trace(12)]);
        assert_eq!(only.trace_of(&only.tasks()[0]), Some(&trace(11)));
        assert_eq!(only.trace_of(&only.tasks()[1]), Some(&trace(12)));
        assert_eq!(only.tasks()[2].trace(), Err(NoTrace::NotPolled));
        assert_eq!(only.registered(), 5);
        assert_eq!(dump.clone().only(&TaskFilter::new()), dump);
        assert!(dump.only(&TaskFilter::new().name_contains("nobody")).traces().is_empty());
    }

    #[test]
    fn a_filter_by_time_lets_tasks_pass_of_which_memory_shows_no_time() {
        let task = |id, known: Option<u64>| {
            let mut status = TaskStatus::new(TaskState::Suspended);
            status.age = known.map(Duration::from_secs);
            status.in_state = status.age;
            TaskRecord::new(TaskId::from_u64(id).unwrap(), SpawnedAt::unknown(), status)
        };
        let tasks = vec![task(1, None), task(2, Some(10)), task(3, Some(1))];
        let asked = RawTaskDump::new(SystemTime::UNIX_EPOCH, Duration::ZERO, tasks, Vec::new());
        let read = asked.clone().with_source(DumpSource::Memory);
        let passing = |dump: &RawTaskDump, filter: TaskFilter| {
            dump.clone().only(&filter).tasks().iter().map(|task| task.id().get()).collect::<Vec<_>>()
        };
        let five = Duration::from_secs(5);
        for filter in [TaskFilter::new().older_than(five), TaskFilter::new().in_state_for(five)] {
            assert_eq!(passing(&read, filter.clone()), [2]);
            assert_eq!(passing(&asked, filter), [1, 2], "there the clock stands still");
        }
        assert_eq!(passing(&read, TaskFilter::new()), [1, 2, 3]);
    }

    #[test]
    fn tasks_of_different_types_never_share_a_trace() {
        let task = |id, type_name: &str| {
            let status = TaskStatus::new(TaskState::Suspended);
            TaskRecord::new(TaskId::from_u64(id).unwrap(), SpawnedAt::new("a.rs", 1, 1), status)
                .with_type_name(type_name)
                .with_trace(Ok(0))
        };
        let tasks = vec![task(1, "a"), task(2, "b"), task(3, "a"), task(4, "b"), task(5, "c")];
        let dump = RawTaskDump::new(SystemTime::UNIX_EPOCH, Duration::ZERO, tasks, vec![trace(10)]);
        let numbers: Vec<_> = dump.tasks().iter().map(|task| task.trace().unwrap()).collect();
        assert_eq!(numbers, [0, 1, 0, 1, 2]);
        assert_eq!(dump.traces(), [trace(10), trace(10), trace(10)]);
    }
}
