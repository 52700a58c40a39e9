//! Writes version 1 of the format.
//!
//! Straight from the dump to the output: what is built on the way are tables of what is written once, not the JSON.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::Hash;
use std::io::{self, BufWriter, Write};

use bw_core::{DumpSource, NoTrace, RawStack, RawTaskDump, ReturnAddress, SpawnedAt, TaskRecord};
use serde::Serialize;
use serde::ser::Serializer;

use super::field_values::{Address, path_fields, whole_nanoseconds};
use super::file::RawDumpFile;
use super::line_formatter::LineFormatter;
use super::task_writer::TaskWriter;
use super::{FORMAT, VERSION};
use crate::module_map::{CodeSegment, Module, ModuleMap};
use crate::process::Process;
use crate::rfc3339;

/// Bytes written at once.
const BUFFER: usize = 64 * 1024;

pub(super) fn write(file: &RawDumpFile<'_>, out: impl Write) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(BUFFER, out);
    let tables = Tables::new(file.dump());
    Dump::new(file, &tables)
        .serialize(&mut serde_json::Serializer::with_formatter(&mut out, LineFormatter::left_open()))?;
    out.write_all(b",\n\"tasks\":[")?;
    let mut writer = TaskWriter::default();
    for (number, (task, &(place, of_type))) in
        file.dump().tasks().iter().zip(&tables.place_and_type_of).enumerate()
    {
        out.write_all(if number == 0 { b"\n" } else { b",\n" })?;
        out.write_all(writer.line(task, place, of_type, tables.trace_of(task)))?;
    }
    out.write_all(b"]}\n")?;
    out.into_inner().map(drop).map_err(io::IntoInnerError::into_error)
}

/// What is written once, with numbers in the order in which tasks first mention it, whatever order the dump has.
struct Tables<'a> {
    places: Numbered<&'a SpawnedAt>,
    types: Numbered<&'a str>,
    /// For each task, the number of its place, and that of its type if it has one.
    place_and_type_of: Vec<(u32, Option<u32>)>,
    stacks: Numbered<RawStack<'a>>,
    /// Those that tasks have.
    traces: Vec<Trace>,
    /// For each trace of the dump, its index in `traces`.
    trace_numbers: Vec<Option<u32>>,
}

#[derive(Serialize)]
struct Trace {
    stacks: Vec<u32>,
    #[serde(skip_serializing_if = "is_zero")]
    dropped: usize,
}

impl<'a> Tables<'a> {
    fn new(dump: &'a RawTaskDump) -> Self {
        let mut tables = Self {
            places: Numbered::default(),
            types: Numbered::default(),
            place_and_type_of: Vec::with_capacity(dump.tasks().len()),
            stacks: Numbered::default(),
            traces: Vec::new(),
            trace_numbers: vec![None; dump.traces().len()],
        };
        for task in dump.tasks() {
            let of_type = task.type_name().map(|name| tables.types.number(name));
            tables.place_and_type_of.push((tables.places.number(task.spawned_at()), of_type));
            let (Ok(number), Some(trace)) = (task.trace(), dump.trace_of(task)) else { continue };
            if tables.trace_numbers[number].is_none() {
                tables.trace_numbers[number] = u32::try_from(tables.traces.len()).ok();
                let stacks = trace.stacks().map(|stack| tables.stacks.number(stack)).collect();
                tables.traces.push(Trace { stacks, dropped: trace.dropped() });
            }
        }
        tables
    }

    /// The number of a task's trace, or why there is none. A trace that is not in the dump is one that nobody asked for;
    /// `RawTaskDump::new` sees to that.
    fn trace_of(&self, task: &TaskRecord) -> Result<u32, NoTrace> {
        task.trace()
            .and_then(|number| self.trace_numbers.get(number).copied().flatten().ok_or(NoTrace::NotAsked))
    }
}

/// Each value once, in the order of their numbers.
struct Numbered<T> {
    values: Vec<T>,
    numbers: HashMap<T, u32>,
    last: u32,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self { values: Vec::new(), numbers: HashMap::new(), last: 0 }
    }
}

impl<T: Copy + Eq + Hash> Numbered<T> {
    /// The number of a value, from now on if it had none. Neighbours are often alike, and comparing is cheaper than hashing.
    fn number(&mut self, value: T) -> u32 {
        if self.values.get(self.last as usize) != Some(&value) {
            // More than 2^32 do not fit into memory.
            let next = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
            self.last = *self.numbers.entry(value).or_insert_with(|| {
                self.values.push(value);
                next
            });
        }
        self.last
    }
}

/// A sequence whose elements are made as they are written.
struct Each<F>(F);

impl<F, I> Serialize for Each<F>
where
    F: Fn() -> I,
    I: IntoIterator<Item: Serialize>,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

/// All but the tasks.
#[derive(Serialize)]
struct Dump<'a, M, P, S> {
    format: &'static str,
    version: u32,
    process: ProcessText<'a>,
    taken_at: String,
    took_ns: u64,
    registered: usize,
    nested: usize,
    unpolled: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    alive: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pause_ns: Option<u64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    notes: &'a [String],
    modules: M,
    places: P,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    types: &'a [&'a str],
    stacks: S,
    traces: &'a [Trace],
}

impl<'a> Dump<'a, (), (), ()> {
    #[allow(clippy::new_ret_no_self)] // The same with something to serialize.
    fn new(file: &'a RawDumpFile<'_>, tables: &'a Tables<'a>) -> impl Serialize + 'a {
        let (dump, modules) = (file.dump(), file.modules());
        Dump {
            format: FORMAT,
            version: VERSION,
            process: ProcessText::new(file.process()),
            taken_at: rfc3339::nanoseconds(dump.taken_at()),
            took_ns: whole_nanoseconds(dump.took()),
            registered: dump.registered(),
            nested: dump.nested(),
            unpolled: dump.unpolled(),
            alive: dump.alive(),
            source: (dump.source() != DumpSource::Requests).then(|| dump.source().name()),
            pause_ns: dump.pause().map(whole_nanoseconds),
            notes: dump.notes(),
            modules: Each(move || modules.modules().iter().map(ModuleText::new)),
            places: Each(move || tables.places.values.iter().map(|place| Place::new(place))),
            types: &tables.types.values,
            stacks: Each(move || tables.stacks.values.iter().map(move |&stack| Stack::new(stack, modules))),
            traces: &tables.traces,
        }
    }
}

#[derive(Serialize)]
struct ProcessText<'a> {
    pid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    executable: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    executable_hex: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<String>,
    os: &'a str,
    architecture: &'a str,
}

impl<'a> ProcessText<'a> {
    fn new(process: &'a Process) -> Self {
        let (executable, executable_hex) = process.executable.as_deref().map(path_fields).unzip();
        Self {
            pid: process.pid,
            executable,
            executable_hex: executable_hex.flatten(),
            started_at: process.started_at.map(rfc3339::nanoseconds),
            os: &process.os,
            architecture: &process.architecture,
        }
    }
}

#[derive(Serialize)]
struct ModuleText<'a> {
    path: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    build_id: Option<String>,
    start: Address,
    end: Address,
    bias: Address,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    code: Vec<Code>,
}

#[derive(Serialize)]
struct Code {
    start: Address,
    end: Address,
    file_offset: Address,
}

impl<'a> ModuleText<'a> {
    fn new(module: &'a Module) -> Self {
        let (path, path_hex) = path_fields(module.path());
        Self {
            path,
            path_hex,
            build_id: module.build_id().map(ToString::to_string),
            start: Address(module.range().start),
            end: Address(module.range().end),
            bias: Address(module.bias()),
            code: module.code().iter().map(Code::new).collect(),
        }
    }
}

impl Code {
    fn new(code: &CodeSegment) -> Self {
        Self { start: Address(code.start), end: Address(code.end), file_offset: Address(code.file_offset) }
    }
}

#[derive(Serialize)]
struct Place<'a> {
    file: &'a str,
    line: u32,
    column: u32,
}

impl<'a> Place<'a> {
    fn new(at: &'a SpawnedAt) -> Self {
        Self { file: at.file(), line: at.line(), column: at.column() }
    }
}

#[derive(Serialize)]
struct Stack<F> {
    frames: F,
    #[serde(skip_serializing_if = "is_false")]
    truncated: bool,
    #[serde(skip_serializing_if = "is_false")]
    foreign: bool,
    #[serde(rename = "yield", skip_serializing_if = "is_false")]
    is_yield: bool,
    #[serde(skip_serializing_if = "is_false")]
    blocked: bool,
    #[serde(skip_serializing_if = "is_false")]
    short_of_stack: bool,
    #[serde(skip_serializing_if = "is_false")]
    too_deep: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<FramesLeftOut>,
}

#[derive(Serialize)]
struct FramesLeftOut {
    after: usize,
    frames: usize,
}

impl Stack<()> {
    #[allow(clippy::new_ret_no_self)] // The same with something to serialize.
    fn new<'a>(stack: RawStack<'a>, modules: &'a ModuleMap) -> impl Serialize + 'a {
        let frame = move |address: ReturnAddress| {
            let (found, avma) = (modules.find(address), address.get() as u64);
            let bias = found.map_or(0, |found| modules.modules()[found].bias());
            (found, Address(avma.wrapping_sub(bias)))
        };
        Stack {
            frames: Each(move || stack.addresses().map(frame)),
            truncated: stack.is_truncated(),
            foreign: stack.is_foreign(),
            is_yield: stack.is_yield(),
            blocked: stack.is_blocked(),
            short_of_stack: stack.is_short_of_stack(),
            too_deep: stack.is_too_deep(),
            left_out: stack.left_out().map(|it| FramesLeftOut { after: it.after, frames: it.frames }),
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
fn is_false(mark: &bool) -> bool {
    !mark
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
fn is_zero(number: &usize) -> bool {
    *number == 0
}
