//! A clone of the waker while a poll is traced: the hook, at a known depth.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::measure::name;
use crate::{Sampler, answer_of, waker};

/// Clones in one traced poll. A slot of bw-core holds 4,096 words and skips the walk when it is full, so a batch must
/// fit: 32 stacks of up to 127 frames do.
const BATCH: u64 = 32;

/// A name, and what makes a sampler for so many frames.
pub type Hook = (&'static str, fn(usize) -> Sampler);

/// Everybody whose hook can be put at a known depth.
pub const HOOKS: &[Hook] = &[(name::OURS, ours), (name::TASKTRACE, tasktrace), (name::BACKTRACE, backtrace)];

/// Clones and drops a waker that nobody traces with.
#[must_use]
pub fn untraced() -> Sampler {
    let waker = waker();
    Box::new(move |clones| {
        let start = Instant::now();
        for _ in 0..clones {
            drop(black_box(black_box(&waker).clone()));
        }
        start.elapsed()
    })
}

/// Clones and drops the recording waker of bw-core so many times, that many physical frames below the root of a traced
/// poll, and tells how long the clones and drops took.
///
/// # Panics
///
/// When a trace is not whole, or not of that depth: the figure would mean nothing.
#[must_use]
pub fn ours(frames: usize) -> Sampler {
    let batch = |probe: &Rc<Probe>| {
        let (task, handle) = bw_core::traced(Probe::run(Rc::clone(probe), clone_and_drop));
        let mut task = Box::pin(task);
        move || {
            let mut request = pin!(handle.capture().no_timeout());
            let trace = answer_of(request.as_mut(), task.as_mut()).expect("a suspended task has a trace");
            assert_eq!(trace.dropped(), 0, "the slot was full, so walks were skipped");
            assert!(trace.stacks().all(|stack| !stack.is_truncated()));
            trace
        }
    };
    let shallow = Probe::new(0);
    let trace = batch(&shallow)();
    let least = trace.stacks().next().expect("the probe cloned").len();
    let probe = Probe::new(frames.checked_sub(least).expect("deeper than the probe itself"));
    let mut poll = batch(&probe);
    assert!(poll().stacks().all(|stack| stack.len() == frames));
    Box::new(move |clones| probe.in_batches(clones, || drop(poll())))
}

/// As [`ours`], for tasktrace, at the same depth.
///
/// # Panics
///
/// When its rendered trace does not show every level: the figure would mean nothing.
#[must_use]
pub fn tasktrace(frames: usize) -> Sampler {
    // What the probe and the wrapper have beside the levels: the vtable function, the closures, the root.
    let levels = frames.saturating_sub(4);
    let probe = Probe::new(levels);
    let (task, handle) = tasktrace::traced(Probe::run(Rc::clone(&probe), clone_and_drop));
    let mut task = Box::pin(task);
    let mut poll = move || {
        let mut request = pin!(handle.backtrace());
        answer_of(request.as_mut(), task.as_mut()).expect("a suspended task has a trace")
    };
    let rendered = poll().to_string();
    let found = rendered.matches("clones::level").count();
    assert_eq!(
        found,
        levels + 1,
        "tasktrace did not see the whole stack, so its figure means nothing:\n{rendered}"
    );
    Box::new(move |clones| probe.in_batches(clones, || drop(poll())))
}

/// Walks so many frames with `backtrace::trace`, which takes its lock each time, on the same stack as [`ours`].
///
/// # Panics
///
/// When sampled, if a walk ended early.
#[must_use]
pub fn backtrace(frames: usize) -> Sampler {
    // The probe's own frames make up for those of the `backtrace` crate.
    let probe = Probe::new(frames);
    let mut task = Box::pin(Probe::run(Rc::clone(&probe), move |_| {
        let mut left = frames;
        backtrace::trace(|frame| {
            black_box(frame.ip());
            left -= 1;
            left > 0
        });
        assert_eq!(left, 0, "the stack was not as deep as that");
    }));
    let waker = waker();
    Box::new(move |walks| {
        probe.in_batches(walks, || assert!(task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending()))
    })
}

/// Asks for the trace of a task that waits at so many places at once, a few frames deep, over and over: what the slot
/// costs, each stack published and the trace finished.
///
/// # Panics
///
/// When a trace has not that many stacks.
#[must_use]
pub fn requests_for_branches(branches: usize) -> Sampler {
    let probe = Probe::new(0);
    probe.clones.set(branches as u64);
    let (task, handle) = bw_core::traced(Probe::run(probe, clone_and_drop));
    let mut task = Box::pin(task);
    let mut ask = move || {
        let mut request = pin!(handle.capture().no_timeout());
        answer_of(request.as_mut(), task.as_mut()).expect("a suspended task has a trace")
    };
    // What does not fit into the first gets a larger slot from the next one on.
    ask();
    assert_eq!(ask().stacks().count(), branches);
    Box::new(move |requests| {
        let start = Instant::now();
        for _ in 0..requests {
            drop(black_box(ask()));
        }
        start.elapsed()
    })
}

fn clone_and_drop(cx: &mut Context<'_>) {
    drop(black_box(cx.waker().clone()));
}

/// A future that does something at the bottom of some levels of calls, and takes the time.
struct Probe {
    levels: usize,
    clones: Cell<u64>,
    took: Cell<Duration>,
}

impl Probe {
    fn new(levels: usize) -> Rc<Self> {
        Rc::new(Self { levels, clones: Cell::new(1), took: Cell::new(Duration::ZERO) })
    }

    /// Each poll of it acts `clones` times, and adds what that took to `took`.
    fn run(self: Rc<Self>, act: impl Fn(&mut Context<'_>)) -> impl Future<Output = ()> {
        poll_fn(move |cx| {
            descend(self.levels, &mut || {
                let start = Instant::now();
                for _ in 0..self.clones.get() {
                    act(cx);
                }
                self.took.set(self.took.get() + start.elapsed());
            });
            Poll::Pending
        })
    }

    fn in_batches(&self, clones: u64, mut poll: impl FnMut()) -> Duration {
        self.took.set(Duration::ZERO);
        let mut left = clones;
        while left > 0 {
            self.clones.set(BATCH.min(left));
            left -= self.clones.get();
            poll();
        }
        self.took.get()
    }
}

/// Calls `leaf` below `levels + 1` frames. The frames repeat only after 24, since a walk that sees one return address
/// again and again is faster than any real one.
fn descend(levels: usize, leaf: &mut dyn FnMut()) {
    LEVELS[levels % LEVELS.len()](levels, leaf);
}

type Level = fn(usize, &mut dyn FnMut());

#[rustfmt::skip]
static LEVELS: [Level; 24] = [
    level::<0>, level::<1>, level::<2>, level::<3>, level::<4>, level::<5>, level::<6>, level::<7>,
    level::<8>, level::<9>, level::<10>, level::<11>, level::<12>, level::<13>, level::<14>, level::<15>,
    level::<16>, level::<17>, level::<18>, level::<19>, level::<20>, level::<21>, level::<22>, level::<23>,
];

#[inline(never)]
fn level<const N: usize>(levels: usize, leaf: &mut dyn FnMut()) {
    if levels == 0 {
        leaf();
    } else {
        let next = levels - 1;
        LEVELS[next % LEVELS.len()](next, leaf);
    }
    // After the call, so that it is no tail call; and of `N`, so that no two levels are merged.
    black_box(N);
}
