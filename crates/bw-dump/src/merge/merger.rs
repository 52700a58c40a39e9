//! Takes raw dumps one at a time.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use bw_core::{NoTrace, RawTaskDump, SpawnedAt, TaskRecord, TaskState};

use super::build_table::BuildTable;
use super::group_totals::{DumpName, GroupTotals};
use super::merged_dump::{MergedDump, MergedGroup, MergedProgram};
use super::trace_table::TraceTable;
use crate::module_map::ModuleMap;
use crate::raw_dump::file::RawDumpFile;

/// Merges many raw dumps into one: what the tasks of a fleet wait for, with each distinct trace there once.
///
/// Takes dumps one at a time and in any order: the result is the same. It keeps groups of tasks, not the dumps.
///
/// A module is loaded at other addresses in each process, so builds and offsets distinguish traces: a frame is the build id of its
/// module and the address in the file. Thousands of dumps of one program have few of those, and only they are symbolized, each
/// once.
///
/// Two builds are never taken for one another. Modules without a build id are, if they have the same path and take the same
/// addresses in their file; [`MergedDump::guessed`] counts them.
///
/// One dump counts as one process. Two of one process, taken one after the other, count as two: to see what changed between
/// them, compare them instead.
///
/// Memory grows with distinct traces, builds and places, not with tasks, and with dumps by a bit for each group. Adding a dump allocates, and takes about
/// a tenth of the time that it took to read it.
#[derive(Debug, Default)]
pub struct Merge {
    builds: BuildTable,
    traces: TraceTable,
    /// By build of the program, and how many dumps are of each.
    programs: HashMap<ProgramKey, usize>,
    groups: HashMap<GroupKey, GroupTotals>,
    dumps: usize,
    tasks: usize,
    partial: usize,
    guessed: usize,
    traced: usize,
    alive: usize,
    tell_alive: usize,
    taken: Option<(SystemTime, SystemTime)>,
}

/// Which program a dump is of: its build, or its path where that is not known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum ProgramKey {
    Build(u32),
    Path(Arc<str>),
}

/// What tasks of a group have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct GroupKey {
    program: ProgramKey,
    state: &'static str,
    waits: Waits,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Waits {
    /// There, by number.
    Trace(u32),
    /// Nobody knows where, and where they were spawned.
    Unknown(NoTrace, SpawnedAt),
}

/// What tasks of one dump have in common.
#[derive(PartialEq, Eq, Hash)]
struct Alike<'a> {
    state: &'static str,
    waits: Result<usize, (NoTrace, &'a SpawnedAt)>,
}

/// The tasks of a dump, by what they have in common: so that it is compared with other dumps once for all of them.
fn alike(dump: &RawTaskDump) -> HashMap<Alike<'_>, Vec<&TaskRecord>> {
    let mut alike: HashMap<_, Vec<_>> = HashMap::new();
    for task in dump.tasks() {
        let waits = match task.trace() {
            Ok(trace) if trace < dump.traces().len() => Ok(trace),
            Ok(_) => Err((NoTrace::NotAsked, task.spawned_at())),
            Err(reason) => Err((reason, task.spawned_at())),
        };
        alike.entry(Alike { state: task.status().state.name(), waits }).or_default().push(task);
    }
    alike
}

/// For each trace, the type of the tasks that have it, of which there is one; `None` where no task tells.
fn types_of_traces(dump: &RawTaskDump) -> Vec<Option<&str>> {
    let mut types = vec![None; dump.traces().len()];
    for task in dump.tasks() {
        if let Ok(trace) = task.trace()
            && let Some(known) = types.get_mut(trace)
        {
            *known = known.or(task.type_name());
        }
    }
    types
}

impl Merge {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a dump of that name, such as its file's, which samples of its tasks are told with.
    pub fn add(&mut self, name: &str, file: &RawDumpFile<'_>) {
        let (dump, modules) = (file.dump(), file.modules());
        let builds: Vec<Option<u32>> =
            modules.modules().iter().map(|module| self.builds.number(module)).collect();
        let traces: Vec<u32> = dump
            .traces()
            .iter()
            .zip(types_of_traces(dump))
            .map(|(trace, of_type)| self.traces.number(trace, of_type, modules, &builds))
            .collect();
        let program = modules.program(file.process());
        let is_guessed = program.is_some_and(|at| modules.modules()[at].build_id().is_none());
        let program = match program.and_then(|at| builds[at]) {
            Some(build) => ProgramKey::Build(build),
            None => {
                let executable = file.process().executable.as_deref();
                ProgramKey::Path(executable.map(|path| path.to_string_lossy()).unwrap_or_default().into())
            }
        };
        *self.programs.entry(program.clone()).or_default() += 1;
        let of = DumpName { number: self.dumps, name: name.into(), pid: file.process().pid };
        for (alike, tasks) in alike(dump) {
            let waits = match alike.waits {
                Ok(trace) => Waits::Trace(traces[trace]),
                Err((reason, at)) => Waits::Unknown(reason, at.clone()),
            };
            let key = GroupKey { program: program.clone(), state: alike.state, waits };
            self.groups.entry(key).or_default().add(&of, &tasks);
        }
        self.dumps += 1;
        self.tasks += dump.tasks().len();
        self.partial += usize::from(dump.is_partial());
        self.guessed += usize::from(is_guessed);
        if let Some(alive) = dump.alive() {
            self.alive = self.alive.saturating_add(alive);
            let traced = dump.registered().saturating_sub(dump.nested().saturating_add(dump.unpolled()));
            self.traced = self.traced.saturating_add(traced);
            self.tell_alive += 1;
        }
        let at = dump.taken_at();
        self.taken = Some(self.taken.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
    }

    /// How many dumps were added.
    #[must_use]
    pub fn dumps(&self) -> usize {
        self.dumps
    }

    /// What came of it. Orders everything by what it is, so that the order of the dumps does not show.
    #[must_use]
    pub fn finish(self) -> MergedDump {
        let modules = self.builds.place();
        let (traces, place_of) = self.traces.place(&modules);
        let (traces, types) = traces.into_iter().unzip();
        let program = |(key, dumps): (&ProgramKey, &usize)| {
            let (path, build_id) = match key {
                ProgramKey::Build(build) => {
                    let module = &modules[*build as usize];
                    (module.path().to_owned(), module.build_id().cloned())
                }
                ProgramKey::Path(path) => (PathBuf::from(&**path), None),
            };
            (MergedProgram { path, build_id, dumps: *dumps }, key.clone(), module_start(key, &modules))
        };
        let mut programs: Vec<_> = self.programs.iter().map(program).collect();
        // Most dumps first.
        programs.sort_by(|(a, _, a_start), (b, _, b_start)| {
            let rest =
                |program: &MergedProgram, start: u64| (program.path.clone(), program.build_id.clone(), start);
            b.dumps.cmp(&a.dumps).then_with(|| rest(a, *a_start).cmp(&rest(b, *b_start)))
        });
        let number_of: HashMap<_, _> =
            programs.iter().enumerate().map(|(number, (_, key, _))| (key.clone(), number)).collect();
        let group = |(key, totals): (GroupKey, GroupTotals)| MergedGroup {
            program: number_of[&key.program],
            // There is no group without a task.
            state: totals.state.clone().unwrap_or(TaskState::Suspended),
            trace: match key.waits {
                Waits::Trace(number) => Ok(place_of[number as usize]),
                Waits::Unknown(reason, _) => Err(reason),
            },
            totals,
        };
        let mut groups: Vec<_> = self.groups.into_iter().map(group).collect();
        groups.sort_by(|a, b| a.rank().cmp(&b.rank()));
        MergedDump {
            dumps: self.dumps,
            tasks: self.tasks,
            partial: self.partial,
            guessed: self.guessed,
            coverage: (self.tell_alive > 0).then_some((self.traced, self.alive, self.tell_alive)),
            taken: self.taken,
            programs: programs.into_iter().map(|(program, ..)| program).collect(),
            modules: ModuleMap::new(modules),
            traces,
            types,
            groups,
        }
    }
}

fn module_start(key: &ProgramKey, modules: &[crate::module_map::Module]) -> u64 {
    match key {
        ProgramKey::Build(build) => modules[*build as usize].range().start,
        ProgramKey::Path(_) => 0,
    }
}
