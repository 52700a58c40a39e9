//! Takes one stack by both backends, and compares.

use std::cell::RefCell;
use std::future::Future;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bw_core::{Backend, Counters, ReturnAddress, StackFlags, TraceHandle, TracedTask, counters, traced};

/// What a case is expected to be like, beside being equal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expect {
    /// Whether the rules cannot walk it; `None` if that depends on the compiler.
    pub(crate) falls_back: Option<bool>,
    /// Whether the root is out of reach, for every backend.
    pub(crate) truncated: Option<bool>,
    /// Whether no rule has to be evaluated for the same stack again.
    pub(crate) kept: bool,
}

/// The rules walk it, up to the root.
pub(crate) const PLAIN: Expect = Expect { falls_back: Some(false), truncated: Some(false), kept: true };
/// They cannot, but `backtrace` can.
pub(crate) const FALLS_BACK: Expect = Expect { falls_back: Some(true), ..PLAIN };
/// That depends on the compiler.
pub(crate) const EITHER: Expect = Expect { falls_back: None, ..PLAIN };
/// Frames outside the program: rules, where modules can be found without a lock.
pub(crate) const ELSEWHERE: Expect = if cfg!(bw_no_dl_find_object) { FALLS_BACK } else { PLAIN };

/// One stack that was captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stack {
    pub(crate) flags: StackFlags,
    pub(crate) addresses: Vec<usize>,
}

/// One traced poll.
#[derive(Clone, Debug)]
pub(crate) struct Shot {
    pub(crate) stacks: Vec<Stack>,
    /// What `backtrace` said beside each clone: the addresses above the leaf function.
    pub(crate) seen: Vec<Vec<usize>>,
    pub(crate) fallbacks: u64,
    pub(crate) misses: u64,
}

thread_local!(static SEEN: RefCell<Vec<Vec<usize>>> = const { RefCell::new(Vec::new()) });

/// Clones the waker, and asks `backtrace` for the callers of this function.
#[inline(never)]
pub(crate) fn leaf(waker: &Waker) {
    drop(black_box(waker.clone()));
    see();
    // Not a tail call, which would take this frame away.
    black_box(());
}

/// The addresses above the caller, `leaf`.
#[inline(always)]
fn see() {
    let mut addresses = Vec::new();
    let mut inside = true;
    backtrace::trace(|frame| {
        if !inside {
            addresses.push(frame.ip().addr());
        }
        inside &= frame.symbol_address().addr() != leaf as fn(&Waker) as usize;
        true
    });
    assert!(!inside, "the leaf function was not found on its own stack");
    SEEN.with_borrow_mut(|seen| seen.push(addresses));
}

/// A leaf future.
pub(crate) struct Leaf;

impl Future for Leaf {
    type Output = ();

    #[inline(never)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        leaf(cx.waker());
        black_box(Poll::Pending)
    }
}

/// Asks the task, polls it once by this backend, and takes the answer.
#[inline(never)]
pub(crate) fn shoot<F: Future>(
    task: Pin<&mut TracedTask<F>>,
    handle: &TraceHandle,
    backend: Backend,
) -> Shot {
    backend.select();
    let before = counters();
    let mut capture = pin!(handle.capture().no_timeout());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(capture.as_mut().poll(&mut cx).is_pending());
    SEEN.take();
    assert!(task.poll(&mut cx).is_pending());
    let seen = SEEN.take();
    let Poll::Ready(answer) = capture.as_mut().poll(&mut cx) else { panic!("the poll did not answer") };
    let trace = answer.expect("the task is alive");
    assert_eq!(trace.dropped(), 0);
    let stacks = trace.stacks().map(|stack| Stack {
        flags: stack.flags(),
        addresses: stack.addresses().map(ReturnAddress::get).collect(),
    });
    let Counters { fallbacks, table_misses, .. } = counters();
    Shot {
        stacks: stacks.collect(),
        seen,
        fallbacks: fallbacks - before.fallbacks,
        misses: table_misses - before.table_misses,
    }
}

/// The captured stack goes on, above the leaf function, as `backtrace` said beside it.
///
/// Below are the vtable's function, `Waker::clone` unless it is inlined, and the leaf itself, at another call.
pub(crate) fn goes_on_as_seen(stack: &Stack, seen: &[usize]) -> bool {
    // Of a deep stack both ends are kept, and how many frames lie between them.
    let (after, left_out) =
        stack.flags.left_out.map_or((stack.addresses.len(), 0), |left_out| (left_out.after, left_out.frames));
    let (leaf_end, root_end) = stack.addresses.split_at(after);
    (1..=3).any(|above| {
        leaf_end.get(above..).is_some_and(|above| {
            let rest = seen.get(above.len() + left_out..).unwrap_or_default();
            !above.is_empty() && seen.starts_with(above) && rest.starts_with(root_end)
        })
    })
}

/// The cases to run, and how many did.
pub(crate) struct Cases {
    words: Vec<String>,
    ran: usize,
}

impl Cases {
    pub(crate) fn new(words: Vec<String>) -> Self {
        Self { words, ran: 0 }
    }

    /// Whether to run this one.
    pub(crate) fn wanted(&mut self, name: &str) -> bool {
        let wanted = self.words.is_empty() || self.words.iter().any(|word| name.contains(word.as_str()));
        self.ran += usize::from(wanted);
        wanted
    }

    /// Whether to run this one, whose leaf is on another stack than its root: only if that lies below. The `backtrace`
    /// backend takes frames of a root's stack that is below the leaf's for the walker's own.
    pub(crate) fn wanted_on_another_stack(&mut self, name: &str, stack: usize) -> bool {
        let local = 0_u8;
        let below = stack < std::ptr::from_ref(black_box(&local)).addr();
        if !below {
            println!("  SKIPPED {name}: here the other stack lies above the root's");
        }
        below && self.wanted(name)
    }

    /// Compares what both backends record of this future.
    #[inline(never)]
    pub(crate) fn check<F: Future>(&mut self, name: &str, expect: Expect, future: F) {
        if self.wanted(name) {
            let shots = compare(name, expect, future);
            report(name, &shots);
        }
    }

    pub(crate) fn finish(self) {
        println!("equality: {} cases passed", self.ran);
        assert!(self.ran != 0, "no case has such a name");
    }
}

pub(crate) fn report(name: &str, shots: &[Shot]) {
    let frames: Vec<_> = shots[0].stacks.iter().map(|stack| stack.addresses.len()).collect();
    let cut = shots[0].stacks.iter().filter(|stack| stack.flags.truncated).count();
    println!(
        "  ok {name}: frames {frames:?}, truncated {cut}, fallbacks {} then {}, misses {} then {}",
        shots[0].fallbacks, shots[2].fallbacks, shots[0].misses, shots[2].misses,
    );
}

/// Polls it by turns, and asserts that every poll recorded the same.
#[inline(never)]
pub(crate) fn compare<F: Future>(name: &str, expect: Expect, future: F) -> Vec<Shot> {
    let (task, handle) = traced(future);
    let mut task = pin!(task);
    let backends = [Backend::Rules, Backend::Backtrace, Backend::Rules, Backend::Backtrace];
    let mut shots = Vec::new();
    // Once untraced: a future that is polled again may take another way than at first.
    assert!(task.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    for backend in backends {
        shots.push(shoot(task.as_mut(), &handle, backend));
    }
    let first = &shots[1];
    assert!(!first.stacks.is_empty(), "{name}: nothing was recorded");
    for (shot, backend) in shots.iter().zip(backends) {
        assert_eq!(shot.stacks, first.stacks, "{name}: {backend:?} differs from Backtrace");
        if !shot.seen.is_empty() {
            assert_eq!(shot.seen.len(), shot.stacks.len(), "{name}");
        }
        for (stack, seen) in shot.stacks.iter().zip(&shot.seen) {
            assert!(
                goes_on_as_seen(stack, seen),
                "{name}: {backend:?} recorded {stack:#x?}, seen {seen:#x?}"
            );
        }
        for stack in &shot.stacks {
            if let Some(truncated) = expect.truncated {
                assert_eq!(stack.flags.truncated, truncated, "{name}: {backend:?}");
            }
        }
    }
    for shot in [&shots[0], &shots[2]] {
        if Backend::DEFAULT != Backend::Rules {
            // Every stack falls back, and is counted.
            assert_eq!(shot.fallbacks, shot.stacks.len() as u64, "{name}");
        } else if let Some(falls_back) = expect.falls_back {
            assert_eq!(shot.fallbacks, u64::from(falls_back) * shot.stacks.len() as u64, "{name}: fallbacks");
        }
    }
    for shot in [&shots[1], &shots[3]] {
        assert_eq!((shot.fallbacks, shot.misses), (0, 0), "{name}: Backtrace uses no rules");
    }
    assert!(!expect.kept || shots[2].misses == 0, "{name}: {} rules were not kept", shots[2].misses);
    shots
}
