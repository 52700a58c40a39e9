//! Reads version 1 of the format. It stays as it is when there are later ones.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bw_core::{
    DumpSource, LeftOut, NoTrace, PollingThread, RawTaskDump, RawTrace, ReturnAddress, SpawnedAt, StackFlags,
    TaskId, TaskRecord, TaskState, TaskStatus,
};
use serde::Deserialize;

use super::error::RawDumpError;
use super::field_values::{Address, path_from_fields};
use super::file::RawDumpFile;
use crate::build_id::BuildId;
use crate::{module_map, process, rfc3339};

pub(super) fn read(bytes: &[u8], most_addresses: usize) -> Result<RawDumpFile<'static>, RawDumpError> {
    let dump: Dump = serde_json::from_slice(bytes).map_err(RawDumpError::syntax)?;
    dump.check(most_addresses)
}

#[derive(Deserialize)]
struct Dump {
    process: Process,
    taken_at: String,
    took_ns: u64,
    registered: usize,
    nested: Option<usize>,
    unpolled: Option<usize>,
    alive: Option<usize>,
    source: Option<String>,
    pause_ns: Option<u64>,
    notes: Option<Vec<String>>,
    modules: Vec<Module>,
    places: Vec<Place>,
    types: Option<Vec<String>>,
    stacks: Vec<Stack>,
    traces: Vec<Trace>,
    tasks: Vec<Task>,
}

#[derive(Deserialize)]
struct Process {
    pid: u32,
    executable: Option<String>,
    executable_hex: Option<String>,
    started_at: Option<String>,
    os: Option<String>,
    architecture: Option<String>,
}

#[derive(Deserialize)]
struct Module {
    path: String,
    path_hex: Option<String>,
    build_id: Option<String>,
    start: Address,
    end: Address,
    bias: Address,
    code: Option<Vec<Code>>,
}

#[derive(Deserialize)]
struct Code {
    start: Address,
    end: Address,
    file_offset: Address,
}

#[derive(Deserialize)]
struct Place {
    file: String,
    line: u32,
    column: u32,
}

#[derive(Deserialize)]
struct Stack {
    frames: Vec<(Option<usize>, Address)>,
    truncated: Option<bool>,
    foreign: Option<bool>,
    #[serde(rename = "yield")]
    is_yield: Option<bool>,
    blocked: Option<bool>,
    short_of_stack: Option<bool>,
    too_deep: Option<bool>,
    left_out: Option<FramesLeftOut>,
}

#[derive(Clone, Copy, Deserialize)]
struct FramesLeftOut {
    after: usize,
    frames: usize,
}

#[derive(Deserialize)]
struct Trace {
    stacks: Vec<usize>,
    dropped: Option<usize>,
}

#[derive(Deserialize)]
struct Task {
    id: u64,
    name: Option<String>,
    parent: Option<u64>,
    nested: Option<bool>,
    spawned_at: usize,
    #[serde(rename = "type")]
    of_type: Option<usize>,
    polls: u64,
    age_ns: Option<u64>,
    state: State,
    in_state_ns: Option<u64>,
    since_request_ns: Option<u64>,
    thread: Option<Thread>,
    trace: Option<u32>,
    no_trace: Option<Reason>,
    incomplete: Option<String>,
}

#[derive(Deserialize)]
struct Thread {
    name: Option<String>,
    id: Option<u64>,
}

/// [`TaskState::name`].
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    NeverPolled,
    Suspended,
    Woken,
    Polling,
    Finished,
    Dropped,
    Panicked,
}

/// [`NoTrace::name`].
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reason {
    NeverPolled,
    NotPolled,
    NotAsked,
    Over,
    AsksItself,
    NoTimer,
    Running,
    Queued,
    Aborted,
    Retained,
    Moved,
    Incomplete,
}

impl Dump {
    fn check(self, most_addresses: usize) -> Result<RawDumpFile<'static>, RawDumpError> {
        let process = self.process.check()?;
        let taken_at = rfc3339::parse(&self.taken_at)
            .map_err(|error| RawDumpError::invalid("taken_at", error.to_string()))?;
        let modules = map(self.modules)?;
        let places: Vec<SpawnedAt> = self
            .places
            .into_iter()
            .map(|place| SpawnedAt::new(place.file, place.line, place.column))
            .collect();
        // Shared by all tasks of a type.
        let types: Vec<Arc<str>> = self.types.unwrap_or_default().into_iter().map(Into::into).collect();
        let stacks = each("stacks", self.stacks, |place, stack| stack.check(&modules, place))?;
        // Before any of them is built.
        let mut addresses: usize = 0;
        for (number, trace) in self.traces.iter().enumerate() {
            for &stack in &trace.stacks {
                let stack = stacks.get(stack).ok_or_else(|| {
                    let problem = format!("names stack {stack}, but there are {}", stacks.len());
                    RawDumpError::invalid(format!("traces[{number}]"), problem)
                })?;
                // A stack without addresses takes a word as well.
                addresses = addresses.saturating_add(stack.0.len() + 1);
            }
        }
        if addresses > most_addresses {
            return Err(RawDumpError::too_large("addresses in its traces", most_addresses));
        }
        let traces: Vec<RawTrace> = self.traces.into_iter().map(|trace| trace.build(&stacks)).collect();
        let tasks =
            each("tasks", self.tasks, |place, task| task.check(&places, &types, traces.len(), place))?;
        let dump = RawTaskDump::new(taken_at, Duration::from_nanos(self.took_ns), tasks, traces)
            .with_registered(self.registered);
        let uncounted = (self.nested.unwrap_or(dump.nested()), self.unpolled.unwrap_or(dump.unpolled()));
        let dump = dump.with_uncounted(uncounted.0, uncounted.1);
        // A source that this reader does not know changes nothing in how the rest is read.
        let source = self.source.and_then(|name| DumpSource::from_name(&name)).unwrap_or_default();
        let dump = dump.with_source(source).with_notes(self.notes.unwrap_or_default());
        let dump = dump.with_pause(self.pause_ns.map(Duration::from_nanos));
        let dump = match self.alive {
            Some(alive) => dump.with_alive(alive),
            None => dump,
        };
        Ok(RawDumpFile::new(process, modules, Cow::Owned(dump)))
    }
}

/// Checks the elements of an array, each with its place for the error.
fn each<T, U>(
    name: &str,
    elements: Vec<T>,
    mut check: impl FnMut(&dyn Fn(&str) -> RawDumpError, T) -> Result<U, RawDumpError>,
) -> Result<Vec<U>, RawDumpError> {
    let element = |(number, element)| {
        let invalid = |problem: &str| RawDumpError::invalid(format!("{name}[{number}]"), problem);
        check(&invalid, element)
    };
    elements.into_iter().enumerate().map(element).collect()
}

/// Makes an error of a problem with the element that is being checked.
type Invalid<'a> = &'a dyn Fn(&str) -> RawDumpError;

impl Process {
    fn check(self) -> Result<process::Process, RawDumpError> {
        let invalid = |field: &str, problem| RawDumpError::invalid(format!("process.{field}"), problem);
        let executable = path(self.executable, self.executable_hex.as_deref());
        let started_at = self.started_at.as_deref().map(rfc3339::parse).transpose();
        let mut process = process::Process::new(self.pid);
        process.executable = executable.map_err(|problem| invalid("executable_hex", problem))?;
        process.started_at = started_at.map_err(|error| invalid("started_at", error.to_string()))?;
        process.os = self.os.unwrap_or_default();
        process.architecture = self.architecture.unwrap_or_default();
        Ok(process)
    }
}

fn path(text: Option<String>, hex: Option<&str>) -> Result<Option<PathBuf>, String> {
    text.map(|text| path_from_fields(text, hex)).transpose()
}

fn map(modules: Vec<Module>) -> Result<module_map::ModuleMap, RawDumpError> {
    let mut start = 0;
    let modules = each("modules", modules, |invalid, module| {
        // Frames name them by number, so their order must be the map's.
        if module.start.0 < start {
            return Err(invalid("begins before the one in front of it"));
        }
        start = module.start.0;
        module.check(invalid)
    })?;
    Ok(module_map::ModuleMap::new(modules))
}

impl Module {
    fn check(self, invalid: Invalid<'_>) -> Result<module_map::Module, RawDumpError> {
        let path = path_from_fields(self.path, self.path_hex.as_deref())
            .map_err(|problem| invalid(&format!("path_hex {problem}")))?;
        let build_id: Option<BuildId> = self
            .build_id
            .map(|id| id.parse())
            .transpose()
            .map_err(|problem| invalid(&format!("build_id: {problem}")))?;
        let module = module_map::Module::new(path, self.start.0..self.end.0, self.bias.0);
        let code = self.code.unwrap_or_default().into_iter().map(|code| module_map::CodeSegment {
            start: code.start.0,
            end: code.end.0,
            file_offset: code.file_offset.0,
        });
        let module = module.ok_or_else(|| invalid("ends before it begins"))?;
        Ok(module.with_code(code.collect()).with_build_id(build_id))
    }
}

/// The return addresses in the process, leaf first, and the marks of a stack.
type CheckedStack = (Vec<usize>, StackFlags);

impl Stack {
    fn check(
        self,
        modules: &module_map::ModuleMap,
        invalid: Invalid<'_>,
    ) -> Result<CheckedStack, RawDumpError> {
        let address = |(number, &(module, address)): (usize, &(Option<usize>, Address))| {
            avma(modules, module, address).map_err(|problem| invalid(&format!("frames[{number}] {problem}")))
        };
        let addresses: Vec<usize> = self.frames.iter().enumerate().map(address).collect::<Result<_, _>>()?;
        let flags = StackFlags::default()
            .with_truncated(self.truncated.unwrap_or_default())
            .with_foreign(self.foreign.unwrap_or_default())
            .with_yield(self.is_yield.unwrap_or_default())
            .with_blocked(self.blocked.unwrap_or_default())
            .with_short_of_stack(self.short_of_stack.unwrap_or_default())
            .with_too_deep(self.too_deep.unwrap_or_default())
            .with_left_out(self.left_out.map(|it| LeftOut::new(it.after, it.frames)));
        if let Some(it) = self.left_out
            && it.after > addresses.len()
        {
            return Err(invalid(&format!(
                "leaves out frames after {}, but has {}",
                it.after,
                addresses.len()
            )));
        }
        Ok((addresses, flags))
    }
}

/// The return address in the process.
fn avma(
    modules: &module_map::ModuleMap,
    module: Option<usize>,
    Address(address): Address,
) -> Result<usize, String> {
    let bias = match module.map(|module| modules.modules().get(module)) {
        Some(Some(module)) => module.bias(),
        Some(None) => {
            return Err(format!(
                "names module {}, but there are {}",
                module.unwrap_or(0),
                modules.modules().len()
            ));
        }
        None => 0,
    };
    let avma = address.wrapping_add(bias);
    let known = usize::try_from(avma).map_err(|_| {
        format!("is address {avma:#x}, which this machine has no room for: read it on one of 64 bits")
    })?;
    let address = ReturnAddress::new(known).ok_or("returns to address 0")?;
    if module.is_some() && modules.find(address) != module {
        return Err(format!("lies at {avma:#x} in the process, which is outside of its module"));
    }
    Ok(known)
}

impl Trace {
    fn build(self, stacks: &[CheckedStack]) -> RawTrace {
        let stacks = self.stacks.iter().filter_map(|&stack| stacks.get(stack));
        RawTrace::from_stacks(stacks.map(|(addresses, flags)| (addresses.iter().copied(), *flags)))
            .with_dropped(self.dropped.unwrap_or_default())
    }
}

impl Task {
    fn check(
        self,
        places: &[SpawnedAt],
        types: &[Arc<str>],
        traces: usize,
        invalid: Invalid<'_>,
    ) -> Result<TaskRecord, RawDumpError> {
        let id = |id| TaskId::from_u64(id).ok_or_else(|| invalid(&format!("{id} is no task's id here")));
        let spawned_at = places.get(self.spawned_at).ok_or_else(|| {
            invalid(&format!("names place {}, but there are {}", self.spawned_at, places.len()))
        })?;
        let trace = match (self.trace, self.no_trace) {
            (Some(trace), None) if (trace as usize) < traces => Ok(trace),
            (Some(trace), None) => {
                return Err(invalid(&format!("names trace {trace}, but there are {traces}")));
            }
            (None, Some(reason)) => Err(reason.into()),
            (Some(_), Some(_)) => return Err(invalid("has a trace and a reason for having none")),
            (None, None) => return Err(invalid("has neither a trace nor a reason for having none")),
        };
        let mut status = TaskStatus::new(self.state.with(self.thread));
        status.in_state = self.in_state_ns.map(Duration::from_nanos);
        status.since_request = self.since_request_ns.map(Duration::from_nanos);
        status.age = self.age_ns.map(Duration::from_nanos);
        status.polls = self.polls;
        let mut record = TaskRecord::new(id(self.id)?, spawned_at.clone(), status).with_trace(trace);
        if let Some(name) = self.name {
            record = record.with_name(name);
        }
        if let Some(reason) = self.incomplete {
            record = record.with_incomplete(reason);
        }
        if let Some(number) = self.of_type {
            let name = types
                .get(number)
                .ok_or_else(|| invalid(&format!("names type {number}, but there are {}", types.len())))?;
            record = record.with_type_name(Arc::clone(name));
        }
        if let Some(parent) = self.parent {
            let parent = id(parent)?;
            let is_nested = self.nested.unwrap_or(false);
            record = if is_nested { record.with_poller(parent) } else { record.with_parent(parent) };
        }
        Ok(record)
    }
}

impl State {
    fn with(self, thread: Option<Thread>) -> TaskState {
        match self {
            Self::NeverPolled => TaskState::NeverPolled,
            Self::Suspended => TaskState::Suspended,
            Self::Woken => TaskState::Woken,
            Self::Polling => {
                let (name, id) = thread.map(|thread| (thread.name, thread.id)).unwrap_or_default();
                TaskState::Polling(PollingThread::elsewhere(name.map(Into::into), id))
            }
            Self::Finished => TaskState::Finished,
            Self::Dropped => TaskState::Dropped,
            Self::Panicked => TaskState::Panicked,
        }
    }
}

impl From<Reason> for NoTrace {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::NeverPolled => Self::NeverPolled,
            Reason::NotPolled => Self::NotPolled,
            Reason::NotAsked => Self::NotAsked,
            Reason::Over => Self::Over,
            Reason::AsksItself => Self::AsksItself,
            Reason::NoTimer => Self::NoTimer,
            Reason::Running => Self::Running,
            Reason::Queued => Self::Queued,
            Reason::Aborted => Self::Aborted,
            Reason::Retained => Self::Retained,
            Reason::Moved => Self::Moved,
            Reason::Incomplete => Self::Incomplete,
        }
    }
}
