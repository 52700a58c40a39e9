//! What is allocated, and what is not.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bw_core::traced;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}
/// Of all threads.
static LIVE_BYTES: AtomicIsize = AtomicIsize::new(0);

fn count(bytes: isize) {
    LIVE_BYTES.fetch_add(bytes, Ordering::Relaxed);
    if bytes > 0 {
        // A thread that is being torn down allocates uncounted.
        let _ = ALLOCATIONS.try_with(|allocations| allocations.set(allocations.get() + 1));
    }
}

// SAFETY: hands every request to the system's allocator as it is; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// How many allocations this thread makes in `f`.
fn allocations<T>(f: impl FnOnce() -> T) -> (usize, T) {
    let before = ALLOCATIONS.get();
    let result = f();
    (ALLOCATIONS.get() - before, result)
}

struct Nobody;

impl Wake for Nobody {
    fn wake(self: Arc<Self>) {}
}

fn waker() -> Waker {
    Waker::from(Arc::new(Nobody))
}

fn poll<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

/// A leaf that tells how many allocations its clone of the waker, and its wake by reference, made.
fn probe(seen: &Cell<usize>) -> impl Future<Output = ()> {
    poll_fn(|cx| {
        let (clone, waker) = allocations(|| cx.waker().clone());
        let (wake, ()) = allocations(|| cx.waker().wake_by_ref());
        drop(waker);
        seen.set(seen.get() + clone + wake);
        Poll::Pending
    })
}

#[test]
fn a_traced_task_is_one_allocation() {
    // The first one in a process may set things up.
    drop(traced(async {}));
    let (count, (task, handle)) = allocations(|| traced(async {}));
    assert_eq!(count, 1);
    let (count, named) = allocations(|| bw_core::TracedExt::traced_as(async {}, "a static name"));
    assert_eq!(count, 1);
    let (count, more) = allocations(|| (handle.clone(), task.handle()));
    assert_eq!(count, 0);
    drop((named, more));
}

/// How many allocations `f` makes when the lists that it adds to need not grow.
fn fewest<T>(mut f: impl FnMut() -> T) -> usize {
    (0..20).map(|_| allocations(&mut f).0).min().expect("twenty are more than none")
}

#[test]
fn spawning_traced_is_one_allocation_more_and_a_name_of_ones_own_another() {
    use backtrace_waker::TracedExt;
    use backtrace_waker::tokio::spawn;
    use tokio::task::JoinSet;
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _inside = runtime.enter();
    let bare = fewest(|| tokio::spawn(async {}));
    assert!(bare > 0, "nothing was counted");
    assert_eq!(fewest(|| spawn(async {})), bare + 1, "where it was spawned costs nothing");
    assert_eq!(fewest(|| runtime.spawn(async {}.traced())), bare + 1);
    assert_eq!(
        fewest(|| tokio::spawn(async {}.traced_as("a constant"))),
        bare + 1,
        "nor does a constant name"
    );
    let (mut bare_set, mut set) = (JoinSet::new(), JoinSet::new());
    let bare_in_set = fewest(|| bare_set.spawn(async {}));
    assert_eq!(fewest(|| set.spawn(async {}.traced())), bare_in_set + 1);
    assert_eq!(fewest(|| set.spawn(async {}.traced_as("a constant"))), bare_in_set + 1);
    let name = String::from("a name of its own");
    // The name itself is made outside.
    let mut names: Vec<_> = (0..20).map(|_| name.clone()).collect();
    assert_eq!(fewest(|| tokio::spawn(async {}.traced_as(names.pop().unwrap()))), bare + 2);
}

#[test]
fn an_executors_name_costs_no_allocation_for_each_task() {
    use backtrace_waker::{TracedExecutor, Tracer};
    let (bare, traced) = (smol::Executor::new(), TracedExecutor::new(smol::Executor::new()));
    let bare = fewest(|| bare.spawn(async {}));
    assert_eq!(fewest(|| traced.spawn(async {})), bare + 1);
    let named =
        TracedExecutor::with_tracer(smol::Executor::new(), Tracer::new().named(format!("name {}", 1)));
    assert_eq!(fewest(|| named.spawn(async {})), bare + 1);
}

#[test]
fn a_poll_nobody_asked_about_allocates_nothing() {
    let (task, _handle) = traced(poll_fn(|_| Poll::<()>::Pending));
    let mut task = pin!(task);
    let waker = waker();
    // The thread's slot.
    let _ = poll(task.as_mut(), &waker);
    let (count, polled) = allocations(|| (0..100).all(|_| poll(task.as_mut(), &waker).is_pending()));
    assert_eq!((count, polled), (0, true));
    let others = [crate::waker(), crate::waker()];
    let (count, polled) = allocations(|| (0..100).all(|n| poll(task.as_mut(), &others[n % 2]).is_pending()));
    assert_eq!((count, polled), (0, true), "nor one with another waker");
}

#[test]
fn the_hook_allocates_nothing_and_the_trace_is_one_allocation() {
    let seen = Cell::new(0);
    let (task, handle) = traced(probe(&seen));
    let mut task = pin!(task);
    let (waker, requester) = (waker(), waker());
    for round in 0..3 {
        let mut capture = pin!(handle.capture().no_timeout());
        assert!(poll(capture.as_mut(), &requester).is_pending());
        let (count, _) = allocations(|| poll(task.as_mut(), &waker));
        let Poll::Ready(Ok(trace)) = poll(capture, &requester) else { panic!("not answered") };
        assert_eq!(trace.stacks().count(), 2);
        assert_eq!(seen.get(), 0, "in the hook, the process's first capture included");
        // The first rounds set up the thread, the slot and the backend.
        assert!(round < 1 || count == 1, "{count} allocations in the whole traced poll");
        let (count, copy) = allocations(|| trace.clone());
        assert_eq!(count, 0);
        drop(copy);
    }
}

#[test]
fn memory_stays_flat_over_captures_and_deadlines() {
    let (asked, asked_handle) = traced(poll_fn(|cx| {
        drop(cx.waker().clone());
        Poll::<()>::Pending
    }));
    let mut asked = pin!(asked);
    let (never, never_handle) = traced(async {});
    let (waker, requester) = (waker(), waker());
    let mut round = || {
        let mut capture = pin!(asked_handle.capture());
        assert!(poll(capture.as_mut(), &requester).is_pending());
        assert!(poll(asked.as_mut(), &waker).is_pending());
        assert!(poll(capture, &requester).is_ready());
        assert!(never_handle.capture_blocking(Duration::ZERO).unwrap_err().is_timeout());
        let mut withdrawn = pin!(never_handle.capture());
        assert!(poll(withdrawn.as_mut(), &requester).is_pending());
    };
    (0..1_000).for_each(|_| round());
    let before = LIVE_BYTES.load(Ordering::Relaxed);
    (0..30_000).for_each(|_| round());
    let grown = LIVE_BYTES.load(Ordering::Relaxed) - before;
    // Other tests of this program run meanwhile; a leak of one word a round would be 240 kB.
    assert!(grown < 100_000, "{grown} bytes more");
    drop(never);
}

#[test]
fn no_trace_is_owned_by_a_waker_clone_so_memory_stays_flat() {
    const DUMPS: usize = 5_000;
    let registry = bw_core::Registry::new();
    // A leaf that keeps every clone it ever made.
    let mut kept = Vec::with_capacity(DUMPS + 1_000);
    let task = registry.tracer().trace(poll_fn(|cx| {
        kept.push(cx.waker().clone());
        Poll::<()>::Pending
    }));
    let mut task = pin!(task);
    let (waker, requester) = (waker(), waker());
    assert!(poll(task.as_mut(), &waker).is_pending());
    let mut round = || {
        let mut dump = pin!(registry.dump().timeout(Duration::from_secs(60)));
        assert!(poll(dump.as_mut(), &requester).is_pending());
        assert!(poll(task.as_mut(), &waker).is_pending());
        let Poll::Ready(dump) = poll(dump, &requester) else { panic!("not answered") };
        assert_eq!(dump.traces().len(), 1);
    };
    (0..900).for_each(|_| round());
    let before = LIVE_BYTES.load(Ordering::Relaxed);
    (0..DUMPS).for_each(|_| round());
    let grown = LIVE_BYTES.load(Ordering::Relaxed) - before;
    // Other tests of this program run meanwhile; a trace is more than a hundred bytes.
    assert!(grown < 100_000, "{grown} bytes more");
}

#[tokio::test(start_paused = true)]
async fn a_timeout_that_does_not_fire_allocates_what_tokios_does() {
    let later = || tokio::time::sleep(Duration::from_secs(1));
    let twice = Duration::from_secs(2);
    // What the runtime allocates at its first timer.
    later().await;
    let before = ALLOCATIONS.get();
    assert!(tokio::time::timeout(twice, later()).await.is_ok());
    let tokios = ALLOCATIONS.get() - before;
    assert!(backtrace_waker::tokio::timeout_traced(twice, later()).await.is_ok());
    assert_eq!(ALLOCATIONS.get() - before - tokios, tokios);
}
