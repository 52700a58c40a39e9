//! Records where an async task waits, as return addresses. Works on stable Rust and any executor, without annotations.
//!
//! A leaf future must clone the [`Waker`](std::task::Waker) it is handed, or it could never be woken. So
//! [`traced`] wraps a future, and on request polls it once with a waker whose `clone` records the call stack. The poll
//! records one stack for each place where the task waits.
//!
//! # What to do
//!
//! Wrap the future a task runs, give the task to the executor, keep the handle, and ask:
//!
//! ```
//! # #[tokio::main]
//! # async fn main() {
//! let (task, handle) = bw_core::traced(async {
//!     tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
//! });
//! tokio::spawn(task);
//!
//! let trace = handle.capture().await.unwrap();
//! for stack in trace.stacks() {
//!     for address in stack.addresses() {
//!         println!("{address}");
//!     }
//! }
//! # assert_eq!(trace.stacks().count(), 1);
//! # assert!(trace.stacks().next().unwrap().len() > 2);
//! # }
//! ```
//!
//! which prints return addresses, leaf first, up to and including the wrapper's own poll:
//!
//! ```text
//! 0x55a16f4c6d52
//! 0x55a16f4b9a6b
//! …
//! 0x55a16f4a7b13
//! ```
//!
//! The crate `bw-symbolize` turns them into functions and lines, `bw-render` prints them as a tree, and
//! `backtrace-waker` has it all in one place.
//!
//! # What it is not for
//!
//! * A future that never touches its waker leaves nothing to record; its trace [is empty](RawTrace::is_empty).
//! * A sub-executor (`FuturesUnordered`) polls only children that were woken, each with its own waker. The trace ends at the
//!   sub-executor; wrap the children to see them.
//! * An executor or future that looks at the waker's data or vtable (embassy does) sees this crate's waker during a traced poll.
//! * The wrapper keeps the task's last waker until the task ends, so that a request can wake the task. On an executor that
//!   frees tasks nobody can wake any more, such a task is never freed.
//!
//! # What it costs
//!
//! One allocation for each traced task and 48 bytes in the future. A poll nobody asked for costs one relaxed
//! load, one compare and a few stores that record the thread and the time. The first traced task starts one background thread: it
//! updates a coarse clock ten times a second and keeps timeouts. A traced poll costs a walk of the stack for each clone of the waker: on
//! Linux (x86-64, AArch64) about 10 ns a frame by [unwind rules](Backend::Rules) that are evaluated once and kept; elsewhere 100 to 600 ns.
//! [`counters`] returns how many captures were made, truncated or dropped.
//!
//! # Unsafe code
//!
//! In these files, each with its reasons:
//!
//! * `hook/recording_waker`: the waker's vtable;
//! * `task/poll_record` and `time/stamp`: what other threads read of a pinned task;
//! * `thread/os_thread` and `time/fork`: calls of the C library;
//! * `unwind/stack_pointer`, `frames` and `fallback`: registers, an uninitialized array, the `backtrace` crate;
//! * `unwind/rules/registers`, `module` and `walk`, and the folders of the architectures: reading the stack and loaded modules.

#![deny(unsafe_code)]

mod dump;
mod hook;
#[cfg(all(test, bw_loom))]
mod loom_models;
mod sync;
mod task;
mod thread;
mod time;
mod trace;
mod unwind;

pub use dump::dump_future::DumpFuture;
pub use task::capture_future::CaptureFuture;
pub use task::handle::TraceHandle;
pub use task::poll_traced::poll_traced;
pub use task::registry::Registry;
pub use task::traced_ext::TracedExt;
pub use task::traced_task::{TracedTask, traced};
pub use task::tracer::Tracer;
pub use trace::address::{LookupAddress, ReturnAddress};
pub use trace::counters::{Counters, counters};
pub use trace::duration::{InvalidDuration, parse_duration};
pub use trace::error::CaptureError;
pub use trace::id::TaskId;
pub use trace::raw_task_dump::{DumpSource, RawTaskDump};
pub use trace::raw_trace::{LeftOut, RawStack, RawTrace, StackFlags, Stacks};
pub use trace::state::{PollingThread, TaskState, TaskStatus};
pub use trace::task_filter::{InvalidTaskFilter, TaskFilter};
pub use trace::task_layout::TaskLayout;
pub use trace::task_record::{NoTrace, SpawnedAt, TaskRecord};
pub use unwind::Backend;

#[cfg(all(test, not(bw_loom)))]
mod tests {
    use core::error::Error;
    use core::fmt::{Debug, Display};
    use core::future::Future;
    use core::hash::Hash;
    use core::str::FromStr;

    use super::*;

    fn is_shared<T: Debug + Send + Sync>() {}
    fn is_data<T: Clone + Eq + Debug + Send + Sync + 'static>() {}
    fn is_key<T: Copy + Eq + Hash + Debug + Send + Sync + 'static>() {}
    fn prints<T: Display>() {}
    fn is_error<T: Error + Clone + Send + Sync + 'static>() {}
    fn is_future<T: Future + Send + Unpin + Debug>() {}

    #[test]
    fn public_types_have_the_standard_traits() {
        is_shared::<TraceHandle>();
        is_shared::<Registry>();
        is_shared::<Tracer>();
        is_shared::<TracedTask<()>>();
        is_future::<CaptureFuture>();
        is_future::<DumpFuture>();
        is_data::<RawTrace>();
        is_data::<TaskFilter>();
        is_data::<TaskState>();
        is_data::<TaskStatus>();
        is_data::<PollingThread>();
        is_data::<SpawnedAt>();
        is_data::<Counters>();
        is_key::<TaskId>();
        is_key::<ReturnAddress>();
        is_key::<LookupAddress>();
        is_key::<StackFlags>();
        is_key::<NoTrace>();
        is_key::<Backend>();
        prints::<TaskId>();
        prints::<TaskState>();
        prints::<TaskStatus>();
        prints::<PollingThread>();
        prints::<SpawnedAt>();
        prints::<NoTrace>();
        prints::<ReturnAddress>();
        is_error::<CaptureError>();
        is_error::<InvalidDuration>();
        is_error::<InvalidTaskFilter>();
        let _: fn(&str) -> Result<TaskFilter, _> = TaskFilter::from_str;
        let _: fn(RawTaskDump) -> RawTaskDump = |dump| dump.clone();
        is_shared::<RawTaskDump>();
        is_shared::<TaskRecord>();
    }
}
