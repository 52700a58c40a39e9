//! Allocations, counted and not timed. The scoreboard's allocator reports them here, in a child that does nothing else.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use crate::measure::name;
use crate::measure::request::{LEVELS, levels};
use crate::{answer_of, waker};

static COUNTING: AtomicBool = AtomicBool::new(false);
static ALLOCATED: AtomicU64 = AtomicU64::new(0);
static FREED: AtomicU64 = AtomicU64::new(0);

/// For the allocator: it gave out memory.
#[inline]
pub fn note_allocated() {
    // Ordering: Relaxed, here and below: counts of one thread.
    if COUNTING.load(Ordering::Relaxed) {
        ALLOCATED.fetch_add(1, Ordering::Relaxed);
    }
}

/// For the allocator: it took memory back.
#[inline]
pub fn note_freed() {
    if COUNTING.load(Ordering::Relaxed) {
        FREED.fetch_add(1, Ordering::Relaxed);
    }
}

/// What a child counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// To wrap a task, the boxed future itself and its first poll not counted.
    Task,
    /// In one clone of the waker in a traced poll, after others.
    Hook,
    /// That a raw trace of one stack holds.
    Trace,
}

/// Who can take part.
#[must_use]
pub fn names(part: Part) -> &'static [&'static str] {
    match part {
        Part::Task => &[name::OURS, name::TASKTRACE, name::ASYNC_BACKTRACE, name::AWAIT_TREE],
        Part::Hook => &[name::OURS, name::TASKTRACE],
        Part::Trace if cfg!(all(tokio_unstable, feature = "taskdump")) => {
            &[name::OURS, name::TASKTRACE, name::TOKIO]
        }
        Part::Trace => &[name::OURS, name::TASKTRACE],
    }
}

/// The child: a number of allocations. `None` for a name that takes no part.
#[must_use]
pub fn count(part: Part, name: &str) -> Option<f64> {
    COUNTING.store(true, Ordering::Relaxed);
    let count = match part {
        Part::Task => for_a_task(name)?,
        Part::Hook => in_the_hook(name)?,
        Part::Trace => in_a_trace(name)?,
    };
    // Counts are small, so this is exact.
    #[allow(clippy::cast_precision_loss)]
    Some(count as f64)
}

/// The allocations that `f` makes.
fn allocated<T>(f: impl FnOnce() -> T) -> (u64, T) {
    let before = ALLOCATED.load(Ordering::Relaxed);
    let value = f();
    (ALLOCATED.load(Ordering::Relaxed) - before, value)
}

/// The allocations that go with `value`.
fn freed(value: impl Sized) -> u64 {
    let before = FREED.load(Ordering::Relaxed);
    drop(value);
    FREED.load(Ordering::Relaxed) - before
}

fn for_a_task(name: &str) -> Option<u64> {
    let registry = await_tree::Registry::new(await_tree::Config::default());
    // Twice, and the second counts: registries and thread-locals are then there. A wrapper that allocates in its first
    // poll does it for each task, so that poll counts too.
    let one = || -> Option<u64> {
        Some(match name {
            name::OURS => wrapped(bw_core::traced, |(task, _)| task),
            name::TASKTRACE => wrapped(tasktrace::traced, |(task, _)| task),
            name::ASYNC_BACKTRACE => wrapped(|work| async_backtrace::frame!(work), |task| task),
            name::AWAIT_TREE => {
                wrapped(|work| registry.register_anonymous("task").instrument(work), |task| task)
            }
            _ => return None,
        })
    };
    one()?;
    one()
}

/// Wraps a future that allocates nothing, and polls it once.
fn wrapped<W, T: Future<Output = ()>>(
    wrap: impl FnOnce(std::future::Pending<()>) -> W,
    task: impl FnOnce(W) -> T,
) -> u64 {
    let waker = waker();
    let (count, ()) = allocated(|| {
        let mut task = pin!(task(wrap(std::future::pending())));
        assert!(task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    });
    count
}

fn in_the_hook(name: &str) -> Option<u64> {
    let counted = Rc::new(Cell::new(0));
    let work = {
        let counted = Rc::clone(&counted);
        poll_fn(move |cx| {
            let (count, ()) = allocated(|| drop(black_box(cx.waker().clone())));
            counted.set(count);
            Poll::Pending
        })
    };
    ask_thrice(name, work)?;
    Some(counted.get())
}

fn in_a_trace(name: &str) -> Option<u64> {
    #[cfg(all(tokio_unstable, feature = "taskdump"))]
    if name == name::TOKIO {
        use tokio::runtime::dump::Trace;
        let mut task = pin!(Trace::root(levels(LEVELS)));
        let waker = waker();
        let mut cx = Context::from_waker(&waker);
        // Only where it waits already does a leaf of tokio's record.
        assert!(task.as_mut().poll(&mut cx).is_pending());
        let (_, trace) = Trace::capture(|| task.as_mut().poll(&mut cx));
        return Some(freed(trace));
    }
    ask_thrice(name, levels(LEVELS))
}

/// Asks a task three times, and counts what the last answer holds.
fn ask_thrice(name: &str, work: impl Future<Output = ()>) -> Option<u64> {
    let mut count = 0;
    match name {
        name::OURS => {
            let (task, handle) = bw_core::traced(work);
            let mut task = pin!(task);
            for _ in 0..3 {
                count = freed(answer_of(pin!(handle.capture().no_timeout()), task.as_mut()));
            }
        }
        name::TASKTRACE => {
            let (task, handle) = tasktrace::traced(work);
            let mut task = pin!(task);
            for _ in 0..3 {
                count = freed(answer_of(pin!(handle.backtrace()), task.as_mut()));
            }
        }
        _ => return None,
    }
    Some(count)
}
