//! What the benches share: a stack of a known depth, and traced tasks that are polled by hand.
//!
//! The peer is tasktrace 0.1.1. Its traces are empty in optimized builds, so the root manifest compiles its dependency
//! scoped-trace without optimization for benches (`profile.bench.package.scoped-trace`), and every figure of tasktrace
//! is taken under that override. [`tasktrace_clones`] asserts that its traces are then whole.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

/// Clones in one traced poll. A slot of bw-core holds 4,096 words and skips the walk when it is full, so a batch must
/// fit: 32 stacks of up to 127 frames do.
const BATCH: u64 = 32;

/// A waker as executors have it, behind an `Arc`, whose wake does nothing.
#[must_use]
pub fn waker() -> Waker {
    struct Nobody;
    impl Wake for Nobody {
        fn wake(self: Arc<Self>) {}
    }
    Waker::from(Arc::new(Nobody))
}

/// Clones and drops the recording waker of bw-core so many times, that many physical frames below the root of a traced
/// poll, and tells how long the clones and drops took.
///
/// # Panics
///
/// When a trace is not whole, or not of that depth: the figure would mean nothing.
pub fn bw_core_clones(frames: usize) -> impl FnMut(u64) -> Duration {
    let batch = |probe: &Rc<Probe>| {
        let (task, handle) = bw_core::traced(Probe::run(Rc::clone(probe)));
        let mut task = Box::pin(task);
        move || {
            let mut request = pin!(handle.capture().no_deadline());
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
    move |clones| probe.in_batches(clones, || drop(poll()))
}

/// As [`bw_core_clones`], for tasktrace, at the same depth.
///
/// # Panics
///
/// When its rendered trace does not show every level: the figure would mean nothing.
pub fn tasktrace_clones(frames: usize) -> impl FnMut(u64) -> Duration {
    // What the probe and the wrapper have beside the levels: the vtable function, the closures, the root.
    let levels = frames.saturating_sub(4);
    let probe = Probe::new(levels);
    let (task, handle) = tasktrace::traced(Probe::run(Rc::clone(&probe)));
    let mut task = Box::pin(task);
    let mut poll = move || {
        let mut request = pin!(handle.backtrace());
        answer_of(request.as_mut(), task.as_mut()).expect("a suspended task has a trace")
    };
    let rendered = poll().to_string();
    let found = rendered.matches("benches::level").count();
    assert_eq!(
        found,
        levels + 1,
        "tasktrace did not see the whole stack, so its figure means nothing:\n{rendered}"
    );
    move |clones| probe.in_batches(clones, || drop(poll()))
}

/// Polls the request, then the task, then the request again.
fn answer_of<T>(mut request: Pin<&mut impl Future<Output = T>>, task: Pin<&mut impl Future>) -> T {
    let waker = waker();
    let mut cx = Context::from_waker(&waker);
    assert!(request.as_mut().poll(&mut cx).is_pending());
    assert!(task.poll(&mut cx).is_pending());
    match request.poll(&mut cx) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the traced poll did not answer the request"),
    }
}

/// A future that clones its waker at the bottom of some levels of calls, and takes the time.
struct Probe {
    levels: usize,
    clones: Cell<u64>,
    took: Cell<Duration>,
}

impl Probe {
    fn new(levels: usize) -> Rc<Self> {
        Rc::new(Self { levels, clones: Cell::new(1), took: Cell::new(Duration::ZERO) })
    }

    /// Each poll of it clones and drops `clones` times, and adds what that took to `took`.
    fn run(self: Rc<Self>) -> impl Future<Output = ()> {
        poll_fn(move |cx| {
            descend(self.levels, &mut || {
                let start = Instant::now();
                for _ in 0..self.clones.get() {
                    drop(black_box(cx.waker().clone()));
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
