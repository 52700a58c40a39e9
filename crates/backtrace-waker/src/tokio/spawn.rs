//! Spawning one traced task.

use std::future::Future;

use ::tokio::task::{self, JoinHandle};

use crate::task::traced_ext::TracedExt;

/// Spawns a traced task, as [`tokio::spawn`](::tokio::spawn) does.
///
/// # Panics
///
/// Outside of a tokio runtime.
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    task::spawn(future.traced())
}

/// Spawns a traced task that stays on its thread, as [`tokio::task::spawn_local`](::tokio::task::spawn_local) does.
///
/// # Panics
///
/// Outside of a `LocalSet` and of a `LocalRuntime`.
#[track_caller]
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    task::spawn_local(future.traced())
}
