//! Task dumps as files, to be symbolized elsewhere: on another machine, later, by someone who has the debug information.
//!
//! A process writes one without opening a file of its own or reading any debug information; see [`RawDumpFile`](crate::RawDumpFile). Below is
//! what stands in it.
//!
//! # The format, version 1
//!
//! JSON in UTF-8, one object. It may be compressed with gzip; readers tell by the first two bytes. What is written has a line
//! for each module, stack and task, and is the same for the same dump.
//!
//! Fields that are absent and those that are `null` mean the same: not known, or does not apply. Readers leave out fields they
//! do not know. A number of the format's `version` is kept as long as readers of that number read right what is written: fields
//! may be added, none changes its meaning or goes.
//!
//! | field | is |
//! |---|---|
//! | `format` | `"backtrace-waker raw dump"`, always |
//! | `version` | 1, always |
//! | `process.pid` | the number of the process, as it saw itself: in a container, the container's |
//! | `process.executable` | a path, see below; may be absent |
//! | `process.started_at` | a time, to about 10 ms; may be absent. With the number, it tells the process from others |
//! | `process.os`, `.architecture` | as Rust names them: `linux`, `x86_64` |
//! | `taken_at` | a time: when the dump began |
//! | `took_ns` | how long it took |
//! | `registered` | how many traced tasks there were, whether they passed the dump's filter or not |
//! | `nested`, `unpolled` | how many of those are polled by other traced tasks, and how many were never polled; if absent, as many as are in the file |
//! | `alive` | how many tasks the runtime said are alive, traced or not; may be absent |
//! | `source` | `"memory"` if the memory of the process was read from outside, `"core"` if a core file was read; absent if its tasks were asked |
//! | `pause_ns` | for how long the threads of the process were stopped while its memory was read; absent if they were not |
//! | `notes` | sentences about what is missing in the dump; absent if there are none |
//! | `modules` | what was loaded when the dump was written, by where it begins |
//! | `modules[].path` | a path, see below. Empty where not known, without a slash where there is no file (the vDSO) |
//! | `modules[].build_id` | the GNU build id as hexadecimal digits; absent in modules that were linked without |
//! | `modules[].start`, `.end` | addresses in the process: the first of its first segment, the first after its last |
//! | `modules[].bias` | address in the process minus address in the file, modulo 2⁶⁴ |
//! | `modules[].code` | its executable segments, by where they begin; absent where not known |
//! | `modules[].code[].start`, `.end`, `.file_offset` | addresses in the process as above; the position in the file of the first byte, written like an address |
//! | `places` | places in the source where tasks were wrapped, each once |
//! | `places[].file`, `.line`, `.column` | as the compiler was given it, from 1 |
//! | `types` | the types of the tasks' futures, each once, as `core::any::type_name` writes them; absent where none is known |
//! | `stacks` | stacks, each once |
//! | `stacks[].frames` | its return addresses, **leaf first**, see below |
//! | `stacks[].truncated`, `.foreign`, `.yield`, `.blocked`, `.short_of_stack`, `.too_deep` | `true` or absent; see [`RawStack`](bw_core::RawStack) |
//! | `stacks[].left_out.after`, `.frames` | frames that are missing in the middle: after how many of `frames`, and how many they are; absent where none is |
//! | `traces` | what tasks answered, each once for each type of task that has it, in the order of the first tasks that have them |
//! | `traces[].stacks` | indices in `stacks`, in the order they were recorded |
//! | `traces[].dropped` | stacks that were recorded but did not fit; absent for 0 |
//! | `tasks` | every task of the dump, by id |
//! | `tasks[].id`, `.parent` | numbers that are unique in the process; not 0. A parent need not be in the dump |
//! | `tasks[].nested` | `true` if its parent polls it, and absent if it only wrapped it |
//! | `tasks[].name` | may be absent |
//! | `tasks[].spawned_at` | an index in `places`; the file of the place is empty if nothing says where the task was wrapped |
//! | `tasks[].type` | an index in `types`; may be absent |
//! | `tasks[].polls` | how many polls have returned |
//! | `tasks[].age_ns` | how long ago it was wrapped; may be absent |
//! | `tasks[].state` | `never_polled`, `suspended`, `woken`, `polling`, `finished`, `dropped` or `panicked` |
//! | `tasks[].in_state_ns` | for how long; may be absent. Of a task that ended in the poll that the dump caused: for how long it was suspended before |
//! | `tasks[].since_request_ns` | how long ago a request first polled it since then; no more than `took_ns` if this dump did; may be absent |
//! | `tasks[].thread.name`, `.id` | who polls it, if it is `polling`; the id is the operating system's. Both may be absent |
//! | `tasks[].trace` | an index in `traces`, |
//! | `tasks[].no_trace` | or else why there is none: `never_polled`, `not_polled`, `not_asked`, `over`, `asks_itself`, `no_timer`, `running`, `queued`, `aborted`, `retained`, `moved`, `incomplete`; see [`NoTrace`](bw_core::NoTrace) |
//! | `tasks[].incomplete` | why its trace may lack something, or why there is none: a clause; absent unless the memory of the process was read |
//!
//! An **address** is a string of `"0x"` and one to sixteen hexadecimal digits, since not every reader of JSON has integers of 64
//! bits. A **time** is RFC 3339 in UTC, such as `"2026-09-21T14:13:20.123456789Z"`. Spans of time are integers, in nanoseconds.
//!
//! A **path** is a string. Where a path is not UTF-8, the string has U+FFFD for what is not, and a second field named alike
//! but for `_hex` at its end (`path_hex`, `executable_hex`) has all its bytes as hexadecimal digits.
//!
//! A **frame** is an array of two: the index of the module that the call lies in, and the return address *as an address in
//! the module's file* (an SVMA): return address in the process minus bias, modulo 2⁶⁴. It is the address *after* the call, which
//! may already belong to the next function or lie at the very end of the module. Subtract one before you look it up, or ask
//! `addr2line` for it. It is no position in the file in bytes. For a call that lies in no module the index is `null`, and
//! the address is the one in the process.
//!
//! Neither arguments nor environment of the process are written. Names of tasks are: what a program puts into them is in the
//! file.
//!
//! ```json
//! {
//! "format":"backtrace-waker raw dump",
//! "version":1,
//! "process":{"pid":4711,"executable":"/srv/shop","started_at":"2026-09-21T13:00:00.120000000Z","os":"linux","architecture":"x86_64"},
//! "taken_at":"2026-09-21T14:13:20.123456789Z",
//! "took_ns":84000000,
//! "registered":2,
//! "nested":0,
//! "unpolled":1,
//! "modules":[
//! {"path":"/srv/shop","build_id":"c1d0ffee","start":"0x5581e7a00000","end":"0x5581e7b6f000","bias":"0x5581e7a00000","code":[{"start":"0x5581e7a1f000","end":"0x5581e7b2c000","file_offset":"0x1e000"}]}],
//! "places":[
//! {"file":"src/main.rs","line":12,"column":9}],
//! "stacks":[
//! {"frames":[[0,"0x1fe43"],[0,"0x2a310"],[null,"0x7f0000001000"]]}],
//! "traces":[
//! {"stacks":[0]}],
//! "tasks":[
//! {"id":1,"name":"accept","spawned_at":0,"polls":3,"age_ns":7500000000,"state":"suspended","in_state_ns":7200000000,"trace":0},
//! {"id":2,"parent":1,"spawned_at":0,"polls":0,"age_ns":100000000,"state":"never_polled","in_state_ns":100000000,"no_trace":"never_polled"}]}
//! ```
//!
//! # Versions
//!
//! Version 1 is the only one so far, and every later reader will read it: `tests/raw_dumps` keeps files of each version. A
//! reader looks at `format` and `version` alone at first, wherever they stand, and then reads the rest as that version says. To a
//! version it does not know it says so, and which one it knows.

#[cfg(feature = "file")]
mod content;
#[cfg(feature = "file")]
pub(crate) mod error;
#[cfg(feature = "file")]
mod field_values;
pub(crate) mod file;
#[cfg(feature = "file")]
mod line_formatter;
#[cfg(feature = "file")]
pub(crate) mod reader;
#[cfg(feature = "file")]
mod task_writer;
#[cfg(feature = "file")]
mod version_1;
#[cfg(feature = "file")]
mod writer;

/// The version of the format that is written, and the newest that is read.
pub const VERSION: u32 = 1;

/// What every file of this format says it is.
#[cfg(feature = "file")]
const FORMAT: &str = "backtrace-waker raw dump";
