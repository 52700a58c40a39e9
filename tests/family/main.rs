//! Whole programs whose tasks have children, and the tree that a dump of them prints: children below the await of their
//! parent. What changes from run to run, and all numbers, are replaced by `#`.

// Functions that tests call are no tests to clippy.
#![allow(clippy::unwrap_used)]

mod awaited;
mod spawned;
mod sub_executors;

use std::future::Future;
use std::sync::Mutex;
use std::time::Duration;

use backtrace_waker::{Registry, TaskDump, TaskFilter, TaskState};
use tokio::runtime;
use tokio::task::yield_now;

/// Longer than any test runs.
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// Everybody meets in the global registry, since that is where `.traced()` puts them.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Spawns a program, and prints the tree of its tasks when all of them are suspended, so many.
pub(crate) fn tree_of<F>(tasks: usize, program: impl FnOnce() -> F) -> String
where
    F: Future + Send + 'static,
{
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let dump = runtime.block_on(async {
        let program = program();
        tokio::spawn(async { drop(program.await) });
        all_suspended(tasks).await;
        TaskDump::take().await
    });
    stable(&dump.tree())
}

/// Returns when so many tasks are suspended, and no other is traced.
pub(crate) async fn all_suspended(tasks: usize) {
    for _ in 0..1_000 {
        let all = Registry::global().look(&TaskFilter::new());
        let all = all.raw().tasks();
        if all.len() == tasks && all.iter().all(|task| task.status().state == TaskState::Suspended) {
            return;
        }
        yield_now().await;
    }
    panic!("not {tasks} suspended tasks: {:#?}", Registry::global().look(&TaskFilter::new()).raw().tasks());
}

/// Without the first line, which has the time, and with `#` for numbers.
fn stable(printed: &str) -> String {
    let (_summary, rest) = printed.split_once('\n').unwrap();
    let mut stable = String::new();
    for c in rest.chars() {
        match c {
            '0'..='9' if stable.ends_with('#') => {}
            '0'..='9' => stable.push('#'),
            c => stable.push(c),
        }
    }
    stable.replace("polled once", "polled # times")
}

/// A leaf of this program.
pub(crate) async fn wait() {
    tokio::time::sleep(HOUR).await;
}
