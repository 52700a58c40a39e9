//! From a request to its raw answer: a suspended task of eight async levels on tokio's current-thread runtime.
//!
//! Raw means that nothing is symbolized or rendered. async-backtrace is missing, since it gives nothing but text.

use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::time::Instant;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

use crate::Sampler;
use crate::measure::name;

/// Async levels of the task.
pub const LEVELS: usize = 8;

type BoxedLevel = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Everybody who can be asked for a raw trace. One request is one iteration.
#[must_use]
pub fn samplers() -> Vec<(&'static str, Sampler)> {
    vec![
        (name::OURS, ours()),
        (name::TASKTRACE, tasktrace()),
        (name::AWAIT_TREE, await_tree()),
        #[cfg(all(tokio_unstable, feature = "taskdump"))]
        (name::TOKIO, tokio_capture()),
    ]
}

/// A task of so many levels. Each level is boxed, so that each is a physical frame.
#[must_use]
pub fn levels(left: usize) -> BoxedLevel {
    levels_over(left, Box::pin(async { Notify::new().notified().await }))
}

/// As [`levels`], over a leaf of the caller's.
#[must_use]
pub fn levels_over(left: usize, leaf: BoxedLevel) -> BoxedLevel {
    match left {
        0 => leaf,
        _ => Box::pin(async move { levels_over(left - 1, leaf).await }),
    }
}

fn ours() -> Sampler {
    let runtime = runtime();
    let (task, handle) = bw_core::traced(levels(LEVELS));
    runtime.spawn(task);
    timed(runtime, async move || {
        let trace = handle.capture().await.expect("a suspended task has a trace");
        assert_eq!(trace.stacks().count(), 1);
    })
}

fn tasktrace() -> Sampler {
    let runtime = runtime();
    let (task, handle) = tasktrace::traced(levels(LEVELS));
    runtime.spawn(task);
    let rendered = runtime.block_on(handle.backtrace()).expect("a suspended task has a trace").to_string();
    assert!(rendered.contains("request::levels_over"), "tasktrace saw nothing:\n{rendered}");
    timed(runtime, async move || {
        black_box(handle.backtrace().await.expect("a suspended task has a trace"));
    })
}

/// Every level annotated. It keeps the tree up to date in each poll, so an answer is a copy and needs no poll.
fn await_tree() -> Sampler {
    use await_tree::InstrumentAwait as _;
    fn levels(left: usize) -> BoxedLevel {
        Box::pin(async move {
            match left {
                0 => Notify::new().notified().await,
                _ => levels(left - 1).instrument_await("level").await,
            }
        })
    }
    let runtime = runtime();
    let registry = await_tree::Registry::new(await_tree::Config::default());
    runtime.spawn(registry.register("task", "task").instrument(levels(LEVELS)));
    runtime.block_on(tokio::task::yield_now());
    let rendered = registry.get("task").expect("a tree").to_string();
    assert_eq!(rendered.matches("level").count(), LEVELS, "await-tree saw less:\n{rendered}");
    timed(runtime, async move || drop(black_box(registry.get("task").expect("a tree"))))
}

/// Not `Handle::dump`, which captures all tasks of the runtime: just this one, polled by who asks.
#[cfg(all(tokio_unstable, feature = "taskdump"))]
fn tokio_capture() -> Sampler {
    use std::cell::RefCell;
    use std::future::poll_fn;
    use std::task::Poll;
    use tokio::runtime::dump::Trace;

    let runtime = runtime();
    let mut task = Box::pin(Trace::root(levels(LEVELS)));
    // Only where it waits already does a leaf of tokio's record.
    runtime.block_on(poll_fn(|cx| {
        assert!(task.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    }));
    let task = RefCell::new(task);
    let capture = async move || {
        let mut task = task.borrow_mut();
        poll_fn(|cx| {
            let (poll, trace) = Trace::capture(|| task.as_mut().poll(cx));
            assert!(poll.is_pending());
            Poll::Ready(trace)
        })
        .await
    };
    let rendered = runtime.block_on(capture()).to_string();
    assert!(rendered.contains("request::levels_over"), "tokio saw nothing:\n{rendered}");
    timed(runtime, async move || drop(black_box(capture().await)))
}

fn runtime() -> Runtime {
    Builder::new_current_thread().build().expect("a runtime")
}

fn timed(runtime: Runtime, ask: impl AsyncFn() + 'static) -> Sampler {
    Box::new(move |requests| {
        runtime.block_on(async {
            let start = Instant::now();
            for _ in 0..requests {
                ask().await;
            }
            start.elapsed()
        })
    })
}
