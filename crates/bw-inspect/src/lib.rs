//! Finds where the async tasks of an unprepared process wait, by reading its memory.
//!
//! The process needs no wrapper, no agent, no flag of its runtime and no restart. Nothing is written to it, no code runs in it, and no
//! thread of it is stopped. [`inspect`] finds the tasks of tokio and of `async-task` in its memory, polls each idle one in an emulator over
//! a copy, and walks the emulated stack wherever a future clones the task's waker. The result is a task dump with raw return addresses, as
//! a capture inside of the process makes it.
//!
//! ```no_run
//! use bw_inspect::target::LiveProcess;
//! use bw_inspect::{Limits, inspect};
//!
//! let process = LiveProcess::open(4711)?;
//! let inspection = inspect(&process, &Limits::default())?;
//! println!("{} tasks", inspection.dump().tasks().len());
//! # Ok::<(), bw_inspect::target::OpenError>(())
//! ```
//!
//! To print it, symbolize it with the crate `bw-symbolize`, for [its modules](Inspection::modules).
//!
//! A core file is looked at in the same way: [`CoreFile`](target::CoreFile) is a target as well. [`inspect_stopped`] stops all threads of a
//! process for some milliseconds, and shows it as it is at one moment.
//!
//! # What is found
//!
//! * Every task of tokio: of any runtime, also one that nobody drives, of local sets, and of the blocking pool. Tables and headers of tasks
//!   are expected as tokio has them since 1.28; `ci/inspect_matrix` looks at ten versions.
//! * Of an idle task, all places that it waits at: each branch of `select!` and `join!`, and timeouts.
//! * Of a task that blocks its thread in the kernel, the stack of that thread.
//! * Of a task that computes, the stack of its thread. The kernel's profiler copies it (`perf_event_open`), so the thread is not stopped and no
//!   system call of it ends early. This needs `kernel.perf_event_paranoid` of 2 or less for users other than root, and fails where a
//!   container forbids the system call.
//! * Of the children of `FuturesUnordered`, `Shared` and their like, all places, also if nobody woke them: as stacks of the task that polls
//!   them.
//! * Of a thread that waits in `block_on`, where its future waits. That is no task: its record has the number of the thread as its id, and
//!   a name such as `block_on on thread main`.
//! * Every task of the crate `async-task`, with which smol, async-std and `async-executor` make theirs. They have no ids, so their ids are
//!   made from their addresses. A task keeps its id as long as it lives, and a later task may get it again. Tests are with 4.2 and 4.7.
//!
//! # What is wrong with tasks
//!
//! [`diagnose`] finds tasks that wait for each other, that missed a wake, or that block a thread. It decodes the futures of tasks by the types in
//! the debug information (`debug = 2`), and proves who holds a lock by emulating the drop glue of the task.
//!
//! # What can go wrong
//!
//! The process runs on while its memory is read. What a result depends on is read again afterwards, and a task that changed meanwhile is
//! looked at again. A task that never holds still has [no trace](bw_core::NoTrace::Moved). A poll that cannot be emulated to its end says
//! [why](bw_core::TaskRecord::incomplete). Memory of the process is not trusted: every read may fail, every loop is [limited](Limits), and
//! no content makes this crate panic.
//!
//! # Platforms
//!
//! Linux on x86-64 and AArch64. Elsewhere [`LiveProcess::open`](target::LiveProcess::open) returns an error. The program may be for the other
//! architecture than this machine: its core files can be read on either, and so can a program in an emulator of its processor. AArch64 is
//! tested in such an emulator alone. No thread is stopped there: `--stop` is for x86-64.
//!
//! # The parts
//!
//! * [`target`]: what is looked at: a process that runs, or a copy of one.
//! * [`emulate`]: an interpreter of machine code over copy-on-write memory.
#![forbid(unsafe_code)]

mod capture;
mod decode;
mod diagnosis;
pub mod emulate;
mod executor;
mod found_process;
mod graph;
mod inspection;
mod layout;
mod look;
mod stopped_inspection;
pub mod target;
mod task_type;

pub use capture::limits::Limits;
pub use diagnosis::{Diagnosis, diagnose};
pub use graph::{Blocker, Evidence, Finding, FindingKind, InvolvedTask, Line};
pub use inspection::{Figures, Inspection, count_tasks, inspect, runs_tasks};
pub use stopped_inspection::inspect_stopped;
pub use task_type::task_type;
