//! A task dump as a profile in the format of [pprof](https://github.com/google/pprof), which `go tool pprof`, Pyroscope, Parca and
//! others read. Made by [`TaskTrees::to_pprof`](crate::TaskTrees::to_pprof).
//!
//! The message `Profile` of `profile.proto`, compressed with gzip. What is in it:
//!
//! | part | is |
//! |---|---|
//! | sample types | `tasks`/`count`, which is shown unless told, and `suspended`/`nanoseconds`: for how long, 0 where that is not known or the task is not suspended |
//! | samples | one for each task and place it waits at, by task id; the leaf comes first |
//! | label `state` | `never_polled`, `suspended`, `woken`, `polling`, `finished`, `dropped`, `panicked` |
//! | label `name` | the task's, if it has one, cut at 200 bytes |
//! | label `spawned_at` | `file:line:column` |
//! | numeric labels `task id`, `parent id` | unique in the process |
//! | labels `thread`, `thread id` (numeric) | who polls it, if it is being polled |
//! | mappings | the program's first, then the executable segments that stacks go through, with path and build id |
//! | locations | the address of each call, of the byte before the one it returns to; names and lines of the functions at it, inlined ones first |
//! | functions | the name as people write it, the compiler's as `system_name` where it differs, the file. The line where they start is not known |
//! | time | when the dump began |
//! | duration | none: the dump is of a moment. Readers take a profile with a duration for one of what happened meanwhile |
//! | period | 1 task: nothing is left out, and nothing has to be scaled |
//! | comments | the process, how long the dump took, and whether it is partial |
//!
//! Labels of text are named so that Pyroscope and Parca can have them for labels of their own, and a series for each of
//! their values: where many tasks have names of their own, [`each_task(false)`](Pprof::each_task) is for them.
//!
//! A task that waits at several places at once has a sample for each, so `tasks` may count more than there are; what is
//! narrowed to one function counts right. The other way to say it would be to share one task among its places, which
//! would count a task that waits in `select!` for three things as a third of one in each. [`Folded`](crate::Folded) does the
//! same. A task without a trace has the frames `(no trace)` and why, such as `never_polled`; one that recorded no stack has
//! `(no stack)`.
//!
//! # Of many processes
//!
//! What [`MergedTrees::to_pprof`](crate::MergedTrees::to_pprof) writes has a sample for each group of tasks that wait at the same places, in the same
//! state and in the same build, and place: how many they are, and for how long together. Labels are `state`, `program`,
//! `build_id`, and `spawned_at` where it is one place; `processes` is a numeric label. Modules are mapped at addresses that no
//! process had.
//!
//! # Size
//!
//! Each task has a sample of its own, since labels tell it from others; what they share is written once. 100,000 tasks, half of which have
//! names of their own, are 5 MB, compressed 1.8 MB. Names and paths are escaped: readers print them to terminals.

mod labels;
mod profile;
mod proto;
mod stacks;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io;
use std::time::{Duration, SystemTime};

use bw_core::{NoTrace, RawTaskDump, TaskRecord, TaskState};
use bw_dump::{ModuleMap, Process};

use self::labels::TaskKeys;
use self::profile::Profile;
use self::proto::Label;
use self::stacks::Stacks;
use crate::dump::merged_trees::MergedTrees;
use crate::dump::task_trees::TaskTrees;
use crate::text::paths::Paths;
use crate::tree::filter::Detail;

/// How to write a profile. Data.
#[derive(Clone, Debug)]
pub struct Pprof<'a> {
    process: &'a Process,
    modules: &'a ModuleMap,
    symbols: bool,
    each_task: bool,
    detail: Detail,
    paths: Paths,
}

impl<'a> Pprof<'a> {
    /// A profile of that process, in which these modules were loaded when the dump was taken.
    #[must_use]
    pub fn new(process: &'a Process, modules: &'a ModuleMap) -> Self {
        Self {
            process,
            modules,
            symbols: true,
            each_task: true,
            detail: Detail::User,
            paths: Paths::default(),
        }
    }

    /// Whether functions and lines are in it; on unless told. Without them there are addresses alone, for servers that find
    /// names by build id. Then no tree is looked at, so nothing has to be symbolized; and every frame is in it but the
    /// first of each stack, which is our waker's.
    #[must_use]
    pub fn symbols(mut self, symbols: bool) -> Self {
        self.symbols = symbols;
        self
    }

    /// Whether each task has a sample of its own; so unless told. Else there is one for all tasks that are in the same state, were
    /// spawned at the same place and wait at the same places, as in Go's profile of goroutines: with how many they are, for how
    /// long together, and without the labels that are of one task. For servers that scrape often: some kilobytes.
    #[must_use]
    pub fn each_task(mut self, each: bool) -> Self {
        self.each_task = each;
        self
    }

    /// Which frames are in it, where symbols are; [`Detail::User`] unless told.
    #[must_use]
    pub fn detail(mut self, detail: Detail) -> Self {
        self.detail = detail;
        self
    }

    /// How source paths are written: short unless told. `go tool pprof -list` finds sources by full paths.
    #[must_use]
    pub fn paths(mut self, paths: Paths) -> Self {
        self.paths = paths;
        self
    }

    fn path<'b>(&self, path: &'b str) -> &'b str {
        self.paths.show(path, false)
    }
}

impl TaskTrees<'_> {
    /// Returns the dump as a profile of pprof, compressed. See [`pprof`](crate::pprof) for what is in it. Allocates; linear in the
    /// number of tasks and of the frames of distinct traces.
    #[must_use]
    pub fn to_pprof(&self, settings: &Pprof<'_>) -> Vec<u8> {
        // It is written to memory, which takes all there is.
        self.try_to_pprof(settings).unwrap_or_default()
    }

    fn try_to_pprof(self, settings: &Pprof<'_>) -> io::Result<Vec<u8>> {
        let dump = self.dump();
        let mut profile = Profile::new(settings.modules, settings.modules.program(settings.process));
        let keys = TaskKeys::new(&mut profile);
        let mut stacks = Stacks::new(self.all_trees(), dump.traces(), settings);
        let mut labels = Vec::new();
        for alike in alike(dump.tasks(), settings.each_task) {
            keys.labels(&mut profile, alike.first, settings, &mut labels);
            sample(&mut profile, &mut stacks, alike.first.trace(), alike.tasks, alike.suspended, &labels)?;
        }
        finish(profile, Some(dump.taken_at()), &comments(dump, settings.process))
    }
}

impl MergedTrees<'_> {
    /// Returns the dumps as a profile of pprof, compressed: a sample for each group and place. See
    /// [`pprof`](crate::pprof#of-many-processes). Allocates.
    #[must_use]
    pub fn to_pprof(&self, settings: &Pprof<'_>) -> Vec<u8> {
        // It is written to memory, which takes all there is.
        self.try_to_pprof(settings).unwrap_or_default()
    }

    fn try_to_pprof(self, settings: &Pprof<'_>) -> io::Result<Vec<u8>> {
        let dump = self.dump();
        let first = dump.programs().first().map(|program| (program.path(), program.build_id()));
        let modules = dump.modules();
        let program = modules.modules().iter().position(|it| Some((it.path(), it.build_id())) == first);
        let mut profile = Profile::new(modules, program);
        let mut stacks = Stacks::new(self.all_trees(), dump.traces(), settings);
        for group in dump.groups() {
            let labels = labels::of_merged_group(&mut profile, dump, group, settings);
            let suspended = match group.state() {
                TaskState::Suspended => group.together(),
                _ => Duration::ZERO,
            };
            sample(&mut profile, &mut stacks, group.trace(), group.tasks(), suspended, &labels)?;
        }
        let mut comments = vec![format!("backtrace-waker: async tasks of {} processes", dump.dumps())];
        if dump.partial() > 0 {
            comments.push(format!("partial: {} of {} dumps", dump.partial(), dump.dumps()));
        }
        finish(profile, dump.taken().map(|(_, last)| last), &comments)
    }
}

/// Writes a sample for each place where these tasks wait.
fn sample(
    profile: &mut Profile<'_>,
    stacks: &mut Stacks<'_>,
    trace: Result<usize, NoTrace>,
    tasks: usize,
    suspended: Duration,
    labels: &[Label],
) -> io::Result<()> {
    let suspended = i64::try_from(suspended.as_nanos()).unwrap_or(i64::MAX);
    let value = [i64::try_from(tasks).unwrap_or(i64::MAX), suspended];
    stacks.of(trace, profile).iter().try_for_each(|stack| profile.sample(stack, &value, labels))
}

/// Tasks that share a sample.
struct Alike<'a> {
    first: &'a TaskRecord,
    tasks: usize,
    /// For how long they have been suspended, together.
    suspended: Duration,
}

/// Tasks in the order of the first of those that share a sample.
fn alike(tasks: &[TaskRecord], each: bool) -> Vec<Alike<'_>> {
    let mut alike: Vec<Alike<'_>> = Vec::new();
    let mut known: HashMap<_, usize> = HashMap::new();
    for task in tasks {
        let state = &task.status().state;
        let suspended = match state {
            TaskState::Suspended => task.status().in_state.unwrap_or_default(),
            _ => Duration::ZERO,
        };
        let next = alike.len();
        let at = match each {
            true => next,
            false => *known.entry((state.name(), task.spawned_at(), task.trace())).or_insert(next),
        };
        match alike.get_mut(at) {
            Some(alike) => {
                alike.tasks += 1;
                alike.suspended = alike.suspended.saturating_add(suspended);
            }
            None => alike.push(Alike { first: task, tasks: 1, suspended }),
        }
    }
    alike
}

/// Writes what is told of the profile as a whole.
fn finish(
    mut profile: Profile<'_>,
    taken_at: Option<SystemTime>,
    comments: &[String],
) -> io::Result<Vec<u8>> {
    let since = taken_at.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok()).unwrap_or_default();
    let tasks = profile.value_type("tasks", "count");
    let rest = proto::Profile {
        sample_type: vec![tasks, profile.value_type("suspended", "nanoseconds")],
        time_nanos: i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
        period_type: Some(tasks),
        period: 1,
        comment: comments.iter().map(|comment| profile.string(comment)).collect(),
        default_sample_type: tasks.r#type,
        ..proto::Profile::default()
    };
    profile.finish(rest)
}

fn comments(dump: &RawTaskDump, process: &Process) -> Vec<String> {
    let mut of = format!("backtrace-waker: async tasks of process {}", process.pid);
    if let Some(executable) = &process.executable {
        // Writing to a string cannot fail.
        let _ = write!(of, ", {}", executable.display());
    }
    let mut comments = vec![of, format!("the dump took {} ms", dump.took().as_millis())];
    if dump.is_partial() {
        let silent = dump.tasks().iter().filter(|task| task.trace().is_err_and(NoTrace::is_for_want_of_time));
        comments.push(format!(
            "partial: {} of {} tasks had not answered by the deadline",
            silent.count(),
            dump.tasks().len()
        ));
    }
    comments
}
