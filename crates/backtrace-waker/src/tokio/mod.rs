//! tokio's ways to spawn, and its `timeout`, traced: the same names, arguments and results. Feature `tokio`:
//!
//! ```toml
//! [dependencies]
//! backtrace-waker = { version = "0.1", features = ["tokio"] }
//! ```
//!
//! | instead of | write |
//! |---|---|
//! | `tokio::spawn(future)` | `backtrace_waker::tokio::spawn(future)` |
//! | `tokio::task::spawn_local(future)` | `backtrace_waker::tokio::spawn_local(future)` |
//! | `handle.spawn(future)` | `backtrace_waker::tokio::spawn_on(&handle, future)` |
//! | `tokio::task::JoinSet` | `backtrace_waker::tokio::JoinSet` |
//! | `tokio::time::timeout(time, future)` | `backtrace_waker::tokio::timeout_traced(time, future)`, whose error says where the future waited |
//! | the same in a test, with `unwrap` | `backtrace_waker::tokio::deadline(time, future)`, which prints a dump and fails |
//!
//! Each that spawns has a sibling that also gives the task a name. What they spawn is in every [`TaskDump`](crate::TaskDump), with the place of
//! the call as the place it was spawned at. They give tokio's own handles; for a [`TraceHandle`](crate::TraceHandle) wrap with
//! [`traced`](crate::traced) and spawn with tokio.
//!
//! ```
//! use std::time::Duration;
//!
//! use backtrace_waker::TaskDump;
//! use backtrace_waker::tokio as traced_tokio;
//! use tokio::runtime::Handle;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let mut workers = traced_tokio::JoinSet::new();
//! for n in 0..3 {
//!     workers.spawn_named(format!("worker {n}"), tokio::time::sleep(Duration::from_secs(3600)));
//! }
//! traced_tokio::spawn(async move { while workers.join_next().await.is_some() {} });
//! tokio::spawn(tokio::time::sleep(Duration::from_secs(3600)));
//! # for _ in 0..4 { tokio::task::yield_now().await; }
//!
//! let dump = TaskDump::take().alive_in(&Handle::current()).await;
//! println!("{dump}");
//! # assert!(dump.to_string().contains("traced 4 of 5 tasks alive"), "{dump}");
//! # assert!(dump.to_string().contains("\"worker 2\""), "{dump}");
//! # }
//! ```
//!
//! which begins with
//!
//! ```text
//! 4 tasks: 4 suspended; taken at 2026-11-25T14:49:22Z in 0 ms
//! traced 4 of 5 tasks alive
//! ```
//!
//! (Import it under another name, as here, or write the path in full: with `use backtrace_waker::tokio;` the name `tokio` would
//! mean this module only, also in `#[tokio::main]`.)
//!
//! # Cost
//!
//! That of [`traced`](crate::traced): one allocation for each task, beside tokio's own. Where it was spawned costs nothing more, nor
//! does a name that is a constant; any other costs one allocation.

mod deadline;
mod join_set;
mod spawn;
mod timeout;

pub use deadline::deadline;
pub use join_set::JoinSet;
pub use spawn::{spawn, spawn_local, spawn_local_named, spawn_named, spawn_on, spawn_on_named};
pub use timeout::{Elapsed, TimeoutTraced, timeout_traced};
