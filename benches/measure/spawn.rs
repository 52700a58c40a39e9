//! Tasks that come and go: what it costs to wrap one and to drop another that was wrapped a while ago.
//!
//! Among a thousand that stay, as in a server whose connections come and go; polled by nobody, since the first poll is the
//! same for a task that stays for hours.

use std::sync::LazyLock;
use std::time::Instant;

use crate::measure::name;
use crate::{BoxedTask, Sampler};

/// Tasks of each thread that are alive.
const ALIVE: usize = 1_000;

/// A name, and what makes its tasks come and go.
pub type Kind = (&'static str, fn() -> Sampler);

/// Everybody who keeps a list of all tasks, and who keeps none. One task that comes and one that goes are one iteration.
///
/// async-backtrace keeps one as well, but a task is on it from its first poll only.
pub const KINDS: &[Kind] = &[(name::BARE, bare), (name::OURS, ours), (name::AWAIT_TREE, await_tree)];

fn bare() -> Sampler {
    come_and_go(|| Box::pin(work()))
}

fn ours() -> Sampler {
    come_and_go(|| Box::pin(bw_core::traced(work()).0))
}

fn await_tree() -> Sampler {
    /// One for all threads, as ours is.
    static REGISTRY: LazyLock<await_tree::Registry> =
        LazyLock::new(|| await_tree::Registry::new(await_tree::Config::default()));
    come_and_go(|| Box::pin(REGISTRY.register_anonymous("task").instrument(work())))
}

async fn work() {
    std::future::pending::<()>().await;
}

fn come_and_go(spawn: impl Fn() -> BoxedTask + 'static) -> Sampler {
    let mut tasks: Vec<BoxedTask> = (0..ALIVE).map(|_| spawn()).collect();
    let mut at = 0;
    Box::new(move |count| {
        let start = Instant::now();
        for _ in 0..count {
            // The oldest goes.
            tasks[at] = spawn();
            at = (at + 1) % tasks.len();
        }
        start.elapsed()
    })
}
