//! tokio's `spawn`, `spawn_local` and `timeout`, traced: the same arguments and results. Feature `tokio`:
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
//! | the same in a test, with `unwrap` | `backtrace_waker::tokio::test_timeout(time, future)` (feature `test-util`), which prints a dump and fails |
//!
//! What `spawn` and `spawn_local` spawn is in every [`TaskDump`](crate::TaskDump), with the place of the call as the place it was
//! spawned at. They return tokio's own handles; for a [`TraceHandle`](crate::TraceHandle) wrap with [`traced`](crate::traced) and
//! spawn with tokio.
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
//! Write the path in full, as here. With `use backtrace_waker::tokio;` the name `tokio` would mean this module only, also in
//! `#[tokio::main]`.
//!
//! # Cost
//!
//! That of [`traced`](crate::traced): one allocation for each task, beside tokio's own.

mod spawn;
mod timeout;
#[cfg(feature = "test-util")]
mod timeout_in_test;

pub use spawn::{spawn, spawn_local};
pub use timeout::{Elapsed, TimeoutTraced, timeout_traced};
#[cfg(feature = "test-util")]
pub use timeout_in_test::test_timeout;
