//! Spawning one traced task.

use std::borrow::Cow;
use std::future::Future;

use bw_core::TracedExt;

use ::tokio::runtime::Handle;
use ::tokio::task::{self, JoinHandle};

/// As [`tokio::spawn`](::tokio::spawn), traced.
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

/// As [`spawn`], with a name. A `&'static str` costs no allocation.
///
/// # Panics
///
/// Outside of a tokio runtime.
#[track_caller]
pub fn spawn_named<F>(name: impl Into<Cow<'static, str>>, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    task::spawn(future.traced_as(name))
}

/// As [`tokio::task::spawn_local`](::tokio::task::spawn_local), traced.
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

/// As [`spawn_local`], with a name. A `&'static str` costs no allocation.
///
/// # Panics
///
/// Outside of a `LocalSet` and of a `LocalRuntime`.
#[track_caller]
pub fn spawn_local_named<F>(name: impl Into<Cow<'static, str>>, future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    task::spawn_local(future.traced_as(name))
}

/// As [`Handle::spawn`], traced.
#[track_caller]
pub fn spawn_on<F>(handle: &Handle, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    handle.spawn(future.traced())
}

/// As [`spawn_on`], with a name. A `&'static str` costs no allocation.
#[track_caller]
pub fn spawn_on_named<F>(
    name: impl Into<Cow<'static, str>>,
    handle: &Handle,
    future: F,
) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    handle.spawn(future.traced_as(name))
}
