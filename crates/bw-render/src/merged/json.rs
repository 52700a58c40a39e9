//! Dumps of many processes as JSON. The schema stands at [`MergedTrees::to_json`].

use bw_core::NoTrace;
use bw_dump::BuildId;
use serde::Serialize;

use super::{MergedGroups, MergedPart, MergedTrees};
use crate::format::json::{Trace, VERSION, seconds};
use crate::text::Text;
use crate::text::escape::escaped_json;
use crate::text::paths::Paths;
use bw_dump::rfc3339;

/// Tasks of a group that are told.
const SAMPLES: usize = 10;

/// Places of a group that are told.
const PLACES: usize = 10;

#[derive(Serialize)]
struct Dumps<'a> {
    format: &'static str,
    version: u32,
    dumps: usize,
    tasks: usize,
    taken_first: Option<String>,
    taken_last: Option<String>,
    partial_dumps: usize,
    programs: Vec<Program>,
    groups: Vec<Group<'a>>,
    traces: Vec<Trace<'a>>,
}

#[derive(Serialize)]
struct Program {
    path: String,
    build_id: Option<String>,
    dumps: usize,
}

#[derive(Serialize)]
struct Group<'a> {
    count: usize,
    processes: usize,
    state: &'static str,
    oldest_s: Option<f64>,
    youngest_s: Option<f64>,
    programs: Vec<usize>,
    trace: Option<usize>,
    no_trace: Option<&'static str>,
    spawned_at: Vec<SpawnedAt<'a>>,
    tasks: Vec<Task<'a>>,
}

#[derive(Serialize)]
struct SpawnedAt<'a> {
    file: &'a str,
    line: u32,
    column: u32,
}

#[derive(Serialize)]
struct Task<'a> {
    dump: &'a str,
    pid: u32,
    id: u64,
    name: Option<&'a str>,
    in_state_s: Option<f64>,
}

pub(super) fn text(trees: MergedTrees<'_>, pretty: bool) -> String {
    let groups = trees.groups(&Text::new());
    let dumps = Dumps::new(trees, &groups);
    let text = if pretty { serde_json::to_string_pretty(&dumps) } else { serde_json::to_string(&dumps) };
    // Nothing in it can fail to be written: keys are strings, and numbers are finite.
    escaped_json(text.unwrap_or_default())
}

impl<'a> Dumps<'a> {
    fn new(trees: MergedTrees<'a>, groups: &MergedGroups<'a>) -> Self {
        let dump = trees.dump();
        let programs = dump.programs().iter().map(|program| Program {
            path: program.path().to_string_lossy().into_owned(),
            build_id: program.build_id().map(BuildId::to_string),
            dumps: program.dumps(),
        });
        // Only those that groups speak of, in their order.
        let mut traces = Vec::new();
        let groups = groups.iter().map(|part| {
            let trace = part.trace().and_then(|trace| trees.tree(Ok(trace)).ok()).map(|tree| {
                traces.push(Trace::new(tree, &Paths::default()));
                traces.len() - 1
            });
            Group::new(part, trace)
        });
        Self {
            format: "backtrace-waker merged dumps",
            version: VERSION,
            dumps: dump.dumps(),
            tasks: dump.tasks(),
            taken_first: dump.taken().map(|(first, _)| rfc3339::milliseconds(first)),
            taken_last: dump.taken().map(|(_, last)| rfc3339::milliseconds(last)),
            partial_dumps: dump.partial(),
            programs: programs.collect(),
            groups: groups.collect(),
            traces,
        }
    }
}

impl<'a> Group<'a> {
    fn new(part: &MergedPart<'a>, trace: Option<usize>) -> Self {
        let tasks = part.samples(SAMPLES).into_iter().map(|task| Task {
            dump: task.dump(),
            pid: task.pid(),
            id: task.id().get(),
            name: task.name(),
            in_state_s: task.in_state().map(seconds),
        });
        let (places, _) = part.spawned_at(PLACES);
        Self {
            count: part.tasks(),
            processes: part.processes(),
            state: part.state().name(),
            oldest_s: part.oldest().map(seconds),
            youngest_s: part.youngest().map(seconds),
            programs: part.programs(),
            trace,
            no_trace: part.no_trace().map(NoTrace::name),
            spawned_at: places
                .into_iter()
                .map(|at| SpawnedAt { file: at.file(), line: at.line(), column: at.column() })
                .collect(),
            tasks: tasks.collect(),
        }
    }
}
