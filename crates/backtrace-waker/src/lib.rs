//! Where is every async task waiting, and how did it get there? On stable Rust, any executor, no annotations.
//!
//! [`traced`] wraps the future of a task. A leaf future must clone its waker to be woken. On request, the wrapper runs one poll with
//! a waker whose `clone` records the call stack. All stacks of that poll, merged, are the logical stack of the task: a tree where it
//! waits for several things at once.
//!
//! # What to do
//!
//! Wrap, spawn, keep the handle, ask. Nothing needs to be annotated:
//!
//! ```
//! #[tokio::main]
//! async fn main() {
//!     let (task, handle) = backtrace_waker::traced(foo());
//!     tokio::spawn(task);
//!
//!     println!("{}", handle.backtrace().await.unwrap());
//! }
//!
//! async fn foo() {
//!     bar().await;
//! }
//!
//! async fn bar() {
//!     tokio::join!(fiz(), fiz());
//! }
//!
//! async fn fiz() {
//!     tokio::time::sleep(std::time::Duration::from_secs(60)).await;
//! }
//! ```
//!
//! The larger example `taskdump` prints:
//!
//! ```text
#![doc = include_str!("../taskdump.txt")]
//! ```
//!
//! `{:#}` prints every frame that was captured. [`TraceHandle::backtrace`] gives up after two seconds unless its timeout says otherwise;
//! [`TraceHandle::backtrace_blocking`] is for threads outside any runtime. If all threads of a runtime may be blocked, ask from such a
//! thread or from another runtime: the returned future needs its own executor to poll it, even to report a timeout.
//!
//! Full names and lines need debug information. For release builds `debug = 1` is enough:
//!
//! ```toml
//! [profile.release]
//! debug = 1
//! ```
//!
//! # All tasks at once
//!
//! [`TaskDump::take`] asks every task of the global registry where it waits. The dump prints tasks that look alike as one group. It
//! needs no handles, so tasks can be wrapped in shorter ways. The first row needs no feature; the features are off by default:
//!
//! | feature | instead of | write |
//! |---|---|---|
//! | | `spawn(future)` | `spawn(future.traced())` or `spawn(future.traced_as("name"))`, with [`TracedExt`] |
//! | `tokio` | `tokio::spawn(future)` | [`backtrace_waker::tokio::spawn(future)`](tokio/index.html) |
//! | `hyper` | an executor for hyper or hyper-util | [`TracedExecutor::new(executor)`](struct.TracedExecutor.html) |
//! | `futures` | a `futures::task::Spawn` or `LocalSpawn` | `TracedExecutor::new(spawner)` |
//! | `smol` | `Executor::new()`, `LocalExecutor::new()` | `TracedExecutor::new(Executor::new())`, ... |
//!
//! With `tokio`, [`TaskDump::take().alive_in(&Handle::current())`](struct.DumpFuture.html#method.alive_in) also says how many of
//! the runtime's tasks are traced. Whatever is wrapped inside of a traced task (the children of a `FuturesUnordered`, say, or what
//! it spawned) is printed below it by [`TaskDump::tree`].
//!
//! # Features
//!
//! All are off by default.
//!
//! | feature | adds |
//! |---|---|
//! | `tokio`, `hyper`, `futures`, `smol` | the ways to spawn above |
//! | `json`, `html`, `pprof` | [`TaskDump`] and what changed since another as JSON, as a page for browsers, as a profile |
//! | `raw` | [`RawDumpFile`] writes and reads raw dump files |
//! | `test-util` | a timeout for tests that prints a dump, and aborts the test program if the test does not end even then |
//!
//! # What it is not for
//!
//! * A request wakes the task that it asks, and the task's executor polls it. A task whose wake had been lost moves on in that poll, and
//!   its trace shows the place after it. [`TaskStatus::polled_late`](bw_core::TaskStatus::polled_late) tells such tasks; every format
//!   says so in words. [`Registry::look`] gives states and ages and asks no task.
//! * A future that never touches its waker, such as `std::future::pending()`, leaves nothing to record. Its trace says so.
//! * A sub-executor (`FuturesUnordered`) polls only children that were woken, each with its own waker. The trace ends there; wrap the
//!   children to see them. After all its children were asked, a `FuturesUnordered` polls them all and wakes itself; the trace marks
//!   this with `(and woke itself)`.
//! * An executor or future that looks at the waker's data or vtable (embassy does) sees this crate's waker during a traced poll.
//! * The wrapper keeps the task's last waker until the task ends. On an executor that frees tasks which nobody can wake any more,
//!   such a task is never freed.
//!
//! # The layers
//!
//! The names at the root of this crate are what daily use needs. The crates below are re-exported: a breaking release of any of them
//! is also a breaking release of this crate.
//!
//! | crate | for |
//! |---|---|
//! | [`bw_core`] | capture: raw addresses, and nothing else. Useful alone |
//! | [`bw_dump`] | raw dump files: written without symbolizing, read and merged elsewhere |
//! | [`bw_symbolize`] | addresses to functions, files and lines |
//! | [`bw_render`] | the tree, and how it is printed |

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../../../README.md")]
struct Readme;

#[cfg(all(doctest, feature = "tokio", feature = "raw"))]
#[doc = include_str!("../../../docs/library.md")]
struct LibraryGuide;

mod dump;
#[cfg(any(feature = "futures", feature = "hyper", feature = "smol"))]
mod executor;
mod task;
#[cfg(feature = "test-util")]
mod test_timeout;
#[cfg(feature = "tokio")]
pub mod tokio;
mod trace;

pub use bw_core::{
    CaptureError, CaptureFuture, InvalidTaskFilter, NoTrace, PollingThread, RawTaskDump, RawTrace, SpawnedAt,
    TaskFilter, TaskId, TaskRecord, TaskState, TaskStatus,
};
pub use bw_dump::RawDumpFile;
#[cfg(feature = "pprof")]
pub use bw_render::Pprof;
pub use bw_render::{Detail, Difference, DumpText, Glyphs, Palette, Paths, TaskTrees, Text, Tree};
pub use bw_symbolize::{SymbolizedTrace, Symbolizer};
pub use {bw_core, bw_dump, bw_render, bw_symbolize};

pub use dump::dump_future::DumpFuture;
pub use dump::task_dump::TaskDump;
#[cfg(any(feature = "futures", feature = "hyper", feature = "smol"))]
pub use executor::TracedExecutor;
pub use task::registry::Registry;
pub use task::trace_handle::{BacktraceFuture, TraceHandle};
pub use task::traced_ext::TracedExt;
pub use task::traced_task::{TracedTask, traced};
pub use task::tracer::Tracer;
#[cfg(feature = "test-util")]
pub use test_timeout::TestTimeout;
pub use trace::{Trace, symbolizer};

#[cfg(test)]
mod tests {
    use std::fmt::{Debug, Display};
    use std::future::Future;

    use super::*;

    fn is_shared<T: Debug + Send + Sync + 'static>() {}
    fn clones<T: Clone>() {}
    fn prints<T: Display>() {}
    fn is_future<T: Future + Send + Unpin + Debug>() {}
    fn converts<A: From<B>, B>() {}

    #[test]
    fn public_types_have_the_standard_traits() {
        is_shared::<TraceHandle>();
        is_shared::<Registry>();
        is_shared::<Tracer>();
        is_shared::<Trace>();
        is_shared::<TaskDump>();
        is_shared::<TracedTask<()>>();
        clones::<TraceHandle>();
        clones::<Registry>();
        clones::<Tracer>();
        clones::<Trace>();
        prints::<Trace>();
        prints::<TaskDump>();
        is_future::<BacktraceFuture>();
        is_future::<DumpFuture>();
        converts::<TraceHandle, bw_core::TraceHandle>();
        converts::<Registry, bw_core::Registry>();
        converts::<bw_core::Registry, Registry>();
        converts::<TracedTask<()>, bw_core::TracedTask<()>>();
        converts::<Trace, RawTrace>();
    }
}
