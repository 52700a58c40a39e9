//! Every way of getting tasks in: that they are traced, under the name and the place they were given, and that they do what
//! they would do untraced.

// Functions that tests call are no tests to clippy.
#![allow(clippy::unwrap_used)]

mod coverage;
mod futures_spawn;
mod http2;
mod join_set;
mod smol_executor;
mod tokio_spawn;

use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backtrace_waker::{Registry, SpawnedAt, TaskFilter};
use tokio::runtime;
use tokio::task::LocalSet;

/// Longer than any test runs.
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// Everybody meets in the global registry, since that is where tasks are unless told otherwise.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

pub(crate) fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a test's future, alone, on a tokio runtime of one thread.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let _alone = alone();
    runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// The same, on a `LocalSet`, which is gone with its tasks when the next test begins.
pub(crate) fn on_local_set<T>(future: impl Future<Output = T>) -> T {
    block_on(async { LocalSet::new().run_until(future).await })
}

/// The name of every traced task, and the place it was spawned at, by id.
pub(crate) fn traced() -> Vec<(Option<String>, SpawnedAt)> {
    let dump = Registry::global().look(&TaskFilter::new());
    let tasks = dump.raw().tasks().iter();
    tasks.map(|task| (task.name().map(str::to_owned), task.spawned_at().clone())).collect()
}

/// The name of the only traced task, which was spawned in this file on this line.
#[track_caller]
pub(crate) fn name_of_the_one_spawned_at(file: &str, line: u32) -> Option<String> {
    let traced = traced();
    let [(name, at)] = &traced[..] else { panic!("not one task: {traced:?}") };
    assert_eq!((at.file(), at.line()), (file, line));
    name.clone()
}

pub(crate) async fn wait() {
    tokio::time::sleep(HOUR).await;
}
