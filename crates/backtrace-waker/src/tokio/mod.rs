//! Traced versions of tokio's `spawn`, `spawn_local` and `timeout`, with the same arguments. Requires the feature `tokio`:
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
//! | `handle.spawn(future)`, `join_set.spawn(future)`, … | `handle.spawn(future.traced())`, `join_set.spawn(future.traced())`, …, with [`TracedExt`](crate::TracedExt) |
//! | `tokio::spawn(future)`, with a name for the task | `tokio::spawn(future.traced_as("name"))`, with [`TracedExt`](crate::TracedExt) |
//! | `tokio::time::timeout(time, future)` | `backtrace_waker::tokio::timeout_traced(time, future)`, whose error says where the future waited |
//! | `tokio::time::timeout(time, future).await.unwrap()` in a test | `backtrace_waker::tokio::test_timeout(time, future)` (feature `test-util`), which prints a dump and fails |
//!
//! Tasks from `spawn` and `spawn_local` appear in every [`TaskDump`](crate::TaskDump). Their spawn location is the call. Both functions
//! return tokio's own handles. To get a [`TraceHandle`](crate::TraceHandle), wrap the future with [`traced`](crate::traced) and spawn
//! it with `tokio::spawn`.
//!
//! ```
//! use std::time::Duration;
//!
//! use backtrace_waker::{TaskDump, TracedExt};
//! use tokio::runtime::Handle;
//! use tokio::task::JoinSet;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let mut workers = JoinSet::new();
//! for n in 0..3 {
//!     workers.spawn(tokio::time::sleep(Duration::from_secs(3600)).traced_as(format!("worker {n}")));
//! }
//! backtrace_waker::tokio::spawn(async move { while workers.join_next().await.is_some() {} });
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
//! Write the full path. `use backtrace_waker::tokio;` would shadow the crate `tokio`, also for `#[tokio::main]`.
//!
//! # Cost
//!
//! `spawn` and `spawn_local` cost what [`traced`](crate::traced) does: one allocation for each task, in addition to tokio's own.

mod spawn;
mod timeout;
#[cfg(feature = "test-util")]
mod timeout_in_test;

pub use spawn::{spawn, spawn_local};
pub use timeout::{Elapsed, TimeoutTraced, timeout_traced};
#[cfg(feature = "test-util")]
pub use timeout_in_test::test_timeout;
