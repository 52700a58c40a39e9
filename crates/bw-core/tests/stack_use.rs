//! How much stack a capture takes below the leaf, and that one which has not enough records nothing instead of overflowing.
//!
//! One test, in a process of its own: what the first capture takes can be measured once.
#![cfg(all(target_os = "linux", target_arch = "x86_64", not(bw_portable)))]

use std::ffi::c_void;
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bw_core::{RawTrace, poll_traced};

/// Documented at `Bounds::WALK` and `Bounds::EVALUATION`: what is asked for must be more than what is taken.
const WALK: usize = if cfg!(debug_assertions) { 12 * 1024 } else { 6 * 1024 };
const EVALUATION: usize = if cfg!(debug_assertions) { 40 * 1024 } else { 20 * 1024 };

/// Runs on a thread with a stack of so many bytes, all zero at first. Returns how far below `leaf`, which it returns, the
/// stack was written.
fn deepest(bytes: usize, run: fn() -> usize) -> usize {
    extern "C" fn start(argument: *mut c_void) -> *mut c_void {
        // SAFETY: what `pthread_create` below was given.
        let run = unsafe { std::mem::transmute::<*mut c_void, fn() -> usize>(argument) };
        std::ptr::without_provenance_mut(run())
    }
    let mut stack = vec![0_u64; bytes / 8];
    // SAFETY: plain C structures, initialized by the calls that follow.
    let (mut attributes, mut thread) =
        unsafe { std::mem::zeroed::<(libc::pthread_attr_t, libc::pthread_t)>() };
    // SAFETY: room for attributes.
    assert_eq!(unsafe { libc::pthread_attr_init(&raw mut attributes) }, 0);
    let aligned = stack.as_mut_ptr().addr().next_multiple_of(64);
    let room = (stack.as_ptr().addr() + bytes - aligned) & !63;
    let lowest = stack.as_mut_ptr().with_addr(aligned).cast();
    // SAFETY: memory that outlives the thread, which is joined below.
    assert_eq!(unsafe { libc::pthread_attr_setstack(&raw mut attributes, lowest, room) }, 0);
    // SAFETY: `start` takes what it is given.
    let created =
        unsafe { libc::pthread_create(&raw mut thread, &raw const attributes, start, run as *mut c_void) };
    assert_eq!(created, 0);
    let mut leaf = std::ptr::null_mut();
    // SAFETY: a thread that was created and not joined.
    assert_eq!(unsafe { libc::pthread_join(thread, &raw mut leaf) }, 0);
    // SAFETY: initialized above.
    unsafe { libc::pthread_attr_destroy(&raw mut attributes) };
    let first = stack.iter().position(|&word| word != 0).expect("something ran");
    leaf.addr() - (stack.as_ptr().addr() + first * 8)
}

/// Where the leaf's stack pointer is, about.
#[inline(never)]
fn here() -> usize {
    let here = 0_u8;
    std::ptr::from_ref(std::hint::black_box(&here)).addr()
}

/// One traced poll of a leaf that clones its waker; where it did, and what was recorded.
fn capture(stir: impl Fn(&Waker)) -> (usize, RawTrace) {
    let mut leaf = 0;
    let future = async {
        poll_fn(|cx: &mut Context<'_>| {
            leaf = here();
            stir(cx.waker());
            Poll::<()>::Pending
        })
        .await;
    };
    let trace = {
        let mut future = pin!(future);
        poll_traced(future.as_mut(), &mut Context::from_waker(Waker::noop())).expect_err("it is pending")
    };
    (leaf, trace)
}

fn clones(waker: &Waker) {
    drop(waker.clone());
}

fn captures() -> usize {
    let (leaf, trace) = capture(clones);
    assert!(trace.stacks().count() == 1 && trace.stacks().all(|stack| !stack.is_truncated()), "{trace:?}");
    leaf
}

/// The lowest address of this thread's stack above its guard.
fn lowest() -> usize {
    // SAFETY: a plain C structure, initialized by the next call.
    let mut attributes = unsafe { std::mem::zeroed::<libc::pthread_attr_t>() };
    // SAFETY: no preconditions.
    let thread = unsafe { libc::pthread_self() };
    // SAFETY: this thread, and room for its attributes.
    assert_eq!(unsafe { libc::pthread_getattr_np(thread, &raw mut attributes) }, 0);
    let (mut lowest, mut bytes, mut guard) = (std::ptr::null_mut(), 0, 0);
    // SAFETY: initialized above.
    let told = unsafe { libc::pthread_attr_getstack(&raw const attributes, &raw mut lowest, &raw mut bytes) };
    assert_eq!(told, 0);
    // SAFETY: initialized above.
    assert_eq!(unsafe { libc::pthread_attr_getguardsize(&raw const attributes, &raw mut guard) }, 0);
    // SAFETY: initialized above.
    unsafe { libc::pthread_attr_destroy(&raw mut attributes) };
    lowest.addr() + guard
}

/// Clones its waker with so many bytes left below, within a kilobyte or two.
#[inline(never)]
fn with_room(left: usize, lowest: usize, waker: &Waker) {
    let filler = std::hint::black_box([0_u8; 512]);
    if here() - lowest > left + 1_024 {
        with_room(left, lowest, waker);
    } else {
        clones(waker);
    }
    std::hint::black_box(&filler);
}

#[test]
fn a_capture_takes_as_much_stack_as_documented_and_none_overflows() {
    let poll_alone = deepest(1 << 20, || capture(|_| {}).0);
    let first = deepest(1 << 20, captures);
    let warm = deepest(1 << 20, captures);
    println!(
        "below the leaf: {first} bytes the first time, {warm} after that, {poll_alone} without a capture"
    );
    assert!(warm <= WALK, "{warm}");
    assert!(first <= EVALUATION, "{first}");

    // Less and less of the stack is left where the waker is cloned.
    let least = if cfg!(debug_assertions) { 4 } else { 2 };
    for kib in [least, 6, 8, 12, 16, 24, 48] {
        let capture = move || capture(|waker| with_room(kib * 1024, lowest(), waker)).1;
        let trace =
            std::thread::Builder::new().stack_size(128 * 1024).spawn(capture).unwrap().join().unwrap();
        assert_eq!(trace.stacks().count(), 1);
        for stack in trace.stacks() {
            assert!(!stack.is_truncated() || stack.is_short_of_stack(), "{kib} KiB: {trace:?}");
            assert!(kib > least || stack.is_empty(), "{kib} KiB: {trace:?}");
            assert!(kib < 48 || !stack.is_truncated(), "{kib} KiB: {trace:?}");
        }
    }

    // Where a rule had to be evaluated and there was no room, the timer's thread has evaluated it by the next time.
    let (_task, handle) = bw_core::traced(std::future::pending::<()>());
    assert!(handle.status().polls == 0);
    let until = Instant::now() + Duration::from_secs(30);
    let mut rounds = 0;
    loop {
        rounds += 1;
        let capture = || capture(|waker| other_with_room(WALK + 4_096, lowest(), waker)).1;
        let trace =
            std::thread::Builder::new().stack_size(128 * 1024).spawn(capture).unwrap().join().unwrap();
        if trace.stacks().all(|stack| !stack.is_truncated()) {
            break;
        }
        assert!(Instant::now() < until, "still short of stack after {rounds} rounds: {trace:?}");
        std::thread::yield_now();
    }
    assert!(rounds > 1, "the rules of a function that nobody had walked were there");
}

/// As [`with_room`], another function: its rules are new.
#[inline(never)]
fn other_with_room(left: usize, lowest: usize, waker: &Waker) {
    let filler = std::hint::black_box([1_u8; 640]);
    if here() - lowest > left + 1_024 {
        other_with_room(left, lowest, waker);
    } else {
        clones(waker);
    }
    std::hint::black_box(&filler);
}
