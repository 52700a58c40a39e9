//! A poll that nobody asked for: the only poll that matters in production.
//!
//! Tasks are polled as executors do it: through a pointer to a box of their own, so that nothing of the task is inlined
//! into the loop, and many tasks in another order than that of their memory.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::measure::name;
use crate::{BoxedTask, Sampler};

/// Suspended tasks, and whatever must live so that they are traced.
#[allow(missing_debug_implementations)] // Futures have none.
pub struct Tasks {
    tasks: Vec<BoxedTask>,
    kept: Box<dyn Any>,
}

/// A name, and what makes so many tasks of that kind, each with one level of async code.
pub type Kind = (&'static str, fn(usize) -> Tasks);

/// Everybody who can wrap a task.
pub const KINDS: &[Kind] = &[
    (name::BARE, bare),
    (name::OURS, ours),
    (name::TASKTRACE, tasktrace),
    (name::ASYNC_BACKTRACE, async_backtrace),
    (name::AWAIT_TREE, await_tree),
    #[cfg(all(tokio_unstable, feature = "taskdump"))]
    (name::TOKIO, tokio),
];

/// The least a future does: it looks at its waker. It stores nothing, so that what a wrapper adds cannot hide behind a
/// cache miss of the future.
fn work() -> impl Future<Output = ()> {
    // Not `black_box(Poll::Pending)`: that goes through the stack, which takes longer than all we want to see.
    poll_fn(|cx| if cx.waker().data().is_null() { Poll::Ready(()) } else { Poll::Pending })
}

fn bare(count: usize) -> Tasks {
    Tasks::new(count, || Box::pin(work()), ())
}

fn ours(count: usize) -> Tasks {
    with_handles(count, || {
        let (task, handle) = bw_core::traced(work());
        (Box::pin(task), handle)
    })
}

/// Without its handle a task of tasktrace has nothing to check for, so the handles live.
fn tasktrace(count: usize) -> Tasks {
    with_handles(count, || {
        let (task, handle) = tasktrace::traced(work());
        (Box::pin(task), handle)
    })
}

fn async_backtrace(count: usize) -> Tasks {
    Tasks::new(count, || Box::pin(async_backtrace::frame!(work())), ())
}

fn await_tree(count: usize) -> Tasks {
    let registry = await_tree::Registry::new(await_tree::Config::default());
    let task = || -> BoxedTask { Box::pin(registry.register_anonymous("task").instrument(work())) };
    let tasks = (0..count).map(|_| task()).collect();
    Tasks::shuffled(tasks, Box::new(registry))
}

#[cfg(all(tokio_unstable, feature = "taskdump"))]
fn tokio(count: usize) -> Tasks {
    Tasks::new(count, || Box::pin(tokio::runtime::dump::Trace::root(work())), ())
}

fn with_handles<H: 'static>(count: usize, mut make: impl FnMut() -> (BoxedTask, H)) -> Tasks {
    let (tasks, handles): (_, Vec<H>) = (0..count).map(|_| make()).unzip();
    Tasks::shuffled(tasks, Box::new(handles))
}

impl Tasks {
    fn new(count: usize, mut make: impl FnMut() -> BoxedTask, kept: impl Any) -> Self {
        Self::shuffled((0..count).map(|_| make()).collect(), Box::new(kept))
    }

    fn shuffled(mut tasks: Vec<BoxedTask>, kept: Box<dyn Any>) -> Self {
        // Xorshift from a fixed seed: the same order in every run.
        let mut random = 0x9e37_79b9_u32;
        for left in (1..tasks.len()).rev() {
            random ^= random << 13;
            random ^= random >> 17;
            random ^= random << 5;
            tasks.swap(left, random as usize % (left + 1));
        }
        Self { tasks, kept }
    }
}

/// Times polls of one task after the other, over and over, always with the same waker. One poll is one iteration.
#[must_use]
pub fn polls(tasks: Tasks) -> Sampler {
    let Tasks { mut tasks, kept } = tasks;
    let waker = crate::waker();
    let mut at = 0;
    Box::new(move |polls| {
        // Named, so that the closure owns it.
        let _kept = &kept;
        poll_in_turn(&mut tasks, &mut at, &waker, polls)
    })
}

fn poll_in_turn(tasks: &mut [BoxedTask], at: &mut usize, waker: &Waker, polls: u64) -> Duration {
    let mut cx = Context::from_waker(waker);
    if let [task] = tasks {
        let mut task = black_box(task.as_mut());
        let start = Instant::now();
        for _ in 0..polls {
            // The pointer is opaque, so the call stays one through the vtable.
            let _ = task.as_mut().poll(&mut cx);
        }
        return start.elapsed();
    }
    let start = Instant::now();
    let mut left = usize::try_from(polls).expect("a count that fits");
    while left > 0 {
        let end = tasks.len().min(*at + left);
        for task in &mut tasks[*at..end] {
            let _ = task.as_mut().poll(&mut cx);
        }
        left -= end - *at;
        *at = end % tasks.len();
    }
    start.elapsed()
}

/// Times polls of one task whose waker is another at every poll: what a future sees that is moved between combinators
/// with wakers of their own.
#[must_use]
pub fn polls_with_changing_wakers(tasks: Tasks) -> Sampler {
    let Tasks { mut tasks, kept } = tasks;
    let wakers = [crate::waker(), crate::waker()];
    Box::new(move |polls| {
        let _kept = &kept;
        let mut contexts = wakers.each_ref().map(Context::from_waker);
        let mut task = black_box(tasks[0].as_mut());
        let start = Instant::now();
        for poll in 0..polls {
            let _ = task.as_mut().poll(&mut contexts[usize::from(poll % 2 == 0)]);
        }
        start.elapsed()
    })
}
