//! Stacks that are switched inside one poll.

use std::ffi::c_void;
use std::future::poll_fn;
use std::num::NonZero;
use std::task::{Context, Poll, Waker};

use corosensei::stack::{Stack, StackPointer};
use corosensei::{Coroutine, CoroutineResult, Yielder};

use crate::drive::{Cases, EITHER, Expect, Leaf, PLAIN, leaf};

/// A part of a region of memory. No guard page: what runs here is known.
#[derive(Clone, Copy)]
struct Part {
    base: StackPointer,
    limit: StackPointer,
}

impl Part {
    const SIZE: usize = 4 << 20;

    /// Two, the lower one first.
    fn two() -> [Self; 2] {
        const WORDS: usize = 2 * Part::SIZE / size_of::<u128>();
        static mut MEMORY: [u128; WORDS] = [0; WORDS];
        let start = (&raw mut MEMORY).expose_provenance();
        let at = |offset| NonZero::new(start + offset).expect("no memory is at 0");
        [0, Self::SIZE].map(|offset| Self { base: at(offset + Self::SIZE), limit: at(offset) })
    }
}

// SAFETY: memory that is never freed, used by one coroutine at a time, aligned to 16 bytes, and large enough.
unsafe impl Stack for Part {
    fn base(&self) -> StackPointer {
        self.base
    }

    fn limit(&self) -> StackPointer {
        self.limit
    }
}

type Erased = (fn(*mut c_void), *mut c_void);

/// Calls it on another stack.
#[inline(never)]
fn on<F: FnMut()>(stack: Part, mut call: F) {
    fn run<F: FnMut()>(call: *mut c_void) {
        // SAFETY: what `on` passes, borrowed until the coroutine has returned.
        let call = unsafe { &mut *call.cast::<F>() };
        call();
    }
    let mut coroutine =
        Coroutine::with_stack(stack, |_: &Yielder<Erased, ()>, (run, call): Erased| run(call));
    let call: Erased = (run::<F>, (&raw mut call).cast());
    assert!(matches!(coroutine.resume(call), CoroutineResult::Return(())));
}

fn polls(stack: Part, cx: &Context<'_>) -> Poll<()> {
    let waker: &Waker = cx.waker();
    on(stack, || leaf(waker));
    Poll::Pending
}

pub(crate) fn run(cases: &mut Cases) {
    let [lower, upper] = Part::two();
    // Whether rules can step over the switch is the coroutine crate's affair.
    let name = "coroutine below the program's stack";
    if cases.wanted_on_another_stack(name, upper.base.get()) {
        cases.check(name, EITHER, poll_fn(|cx| polls(lower, cx)));
    }
    // An executor on a coroutine: root and leaf are on one stack, which is not a thread's.
    on(upper, || cases.check("executor on a coroutine", PLAIN, Leaf));
    // The root lies below its leaf, so nothing ends the walk there. It sees the driver as well, which the optimizer may let
    // poll from several places.
    if cfg!(debug_assertions) {
        let uncut = Expect { falls_back: Some(true), truncated: Some(true), kept: true };
        on(lower, || cases.check("coroutine above its root", uncut, poll_fn(|cx| polls(upper, cx))));
    }
    on(upper, || cases.check("coroutine on a coroutine", EITHER, poll_fn(|cx| polls(lower, cx))));
}
