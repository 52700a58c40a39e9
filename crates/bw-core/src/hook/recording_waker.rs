//! The hook: the waker whose clone records where it was cloned. One of the files that may use `unsafe`.
//!
//! A traced poll hands the future a waker with the vtable below. Its data pointer is a [`Hook`] on the stack of that
//! poll. Cloning it records the stack and gives a clone of the *inner* waker, the executor's; so no waker of ours is
//! ever owned by anybody, none outlives the poll, and a leaf that keeps its clone keeps nothing of ours.
//!
//! The vtable's functions run inside other crates' critical sections: `AtomicWaker::register` clones while it is
//! marked as registering, semaphores clone under their mutex. So: no allocation, no lock, no panic, no wake of
//! anybody, no thread-local with a destructor, bounded time and bounded stack: of an optimized build at most 6 KiB,
//! and 20 KiB where a rule has to be evaluated. Where less is left, nothing is recorded. A walk ends after some 8,700 frames, about 90 µs,
//! or 1,500 by the slow walk; of more than 510, it keeps both ends.

use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::Range;
use core::task::{RawWaker, RawWakerVTable, Waker};

#[cfg(bw_broken_hook)]
use crate::hook::broken_hook::{self, Broken};
use crate::hook::slot::Slot;
use crate::thread::os_thread;
use crate::trace::raw_trace::header;
use crate::unwind::stack_pointer;
use crate::unwind::{self, Backend, Bounds, End, Frames};

/// What the hook's waker points to, on the stack of the traced poll.
pub(crate) struct Hook<'a> {
    inner: &'a Waker,
    slot: &'a Slot,
    /// The stack pointer of the traced poll.
    root: usize,
    /// Its thread.
    thread: usize,
    backend: Backend,
    /// The stack of its thread; empty where that is not known.
    stack: Range<usize>,
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop);

impl<'a> Hook<'a> {
    /// `root` is the stack pointer of the function that will poll, which is the last frame to record.
    /// `stack` is that of this thread, or empty where that is not known.
    pub(crate) fn new(inner: &'a Waker, slot: &'a Slot, root: usize, stack: Range<usize>) -> Self {
        let backend = Backend::current();
        unwind::prepare(backend);
        #[cfg(bw_broken_hook)]
        broken_hook::prepare();
        Self { inner, slot, root, thread: os_thread::number(), backend, stack }
    }

    /// The waker to poll with. It borrows the hook, and through it everything the hook uses.
    pub(crate) fn waker(&self) -> HookWaker<'_> {
        let data = core::ptr::from_ref(self).cast();
        // SAFETY: `data` points to a live `Hook`, which is what every function of `VTABLE` expects. It stays live
        // for as long as the waker: `HookWaker` borrows the hook, lends the waker only by reference and never drops
        // it; and an owned waker with this vtable does not come into being, since `clone` returns one of the inner
        // waker's. The functions only read, and only through `Sync` types (`Waker`, atomics), so any thread may call
        // them.
        let waker = unsafe { Waker::new(data, &VTABLE) };
        HookWaker { waker: ManuallyDrop::new(waker), hook: PhantomData }
    }

    /// Records the stack from the caller, whose stack pointer is `leaf`, to the root.
    #[inline(never)]
    fn record(&self, leaf: usize, mark: usize) {
        if self.slot.is_full() {
            return self.slot.drop_stack();
        }
        let foreign = os_thread::number() != self.thread;
        // A leaf above the root on the same thread is on a stack of its own (a stackful coroutine): its root is not
        // to be found there.
        let root = (!foreign && leaf <= self.root).then_some(self.root);
        let is_on_own_stack = self.stack.contains(&leaf) && self.stack.contains(&self.root);
        let stack_start = (!foreign && is_on_own_stack).then_some(self.stack.start);
        let bounds = Bounds { leaf, root, stack_start };
        let mark = if foreign { mark | header::FOREIGN } else { mark };
        if bounds.has_room_to_walk() {
            self.record_walk(bounds, mark);
        } else {
            self.slot.publish(mark | header::TRUNCATED | header::SHORT_OF_STACK, &[]);
        }
    }

    /// Apart from [`record`](Self::record), whose frame must be small: here is the array that a walk fills.
    #[inline(never)]
    fn record_walk(&self, bounds: Bounds, mark: usize) {
        let mut frames = Frames::new();
        let walked = unwind::walk(self.backend, bounds, &mut frames);
        let is_foreign = mark & header::FOREIGN != 0;
        let flags = mark
            | match walked.end {
                End::Root => 0,
                // A foreign stack is whole when it goes to where its thread began.
                End::Lost if is_foreign => 0,
                End::Lost => header::TRUNCATED,
                End::Full => header::TRUNCATED | header::TOO_DEEP,
                End::ShortOfStack => header::TRUNCATED | header::SHORT_OF_STACK,
            };
        let is_whole = flags & header::TRUNCATED == 0;
        let flags = if frames.finish(is_whole) { flags | header::LEFT_OUT } else { flags };
        self.slot.publish(flags, frames.as_slice());
        if walked.fell_back || walked.misses != 0 {
            self.slot.note(walked.fell_back, walked.misses);
        }
    }
}

/// A waker that must not outlive its hook, nor be dropped.
pub(crate) struct HookWaker<'a> {
    waker: ManuallyDrop<Waker>,
    hook: PhantomData<&'a Hook<'a>>,
}

impl core::ops::Deref for HookWaker<'_> {
    type Target = Waker;

    fn deref(&self) -> &Waker {
        &self.waker
    }
}

/// The executor's waker behind any number of hooks: what their clones would be.
///
/// A traced task that is polled inside a traced poll sees the outer hook. Remembering that one would mean cloning it,
/// which records a stack of ours, not of the user's.
pub(crate) fn peel(mut waker: &Waker) -> &Waker {
    // Another copy of this crate has a vtable of its own; its hooks are then wakers like any other.
    while core::ptr::eq(waker.vtable(), &raw const VTABLE) {
        // SAFETY: `VTABLE` is private and only `Hook::waker` makes wakers with it, so the data pointer is a live
        // `Hook`, borrowed for at least as long as this reference to its waker.
        let hook = unsafe { &*waker.data().cast::<Hook<'_>>() };
        waker = hook.inner;
    }
    waker
}

/// The pointer is from `Hook::waker`.
unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: see `Hook::waker`: a live hook, borrowed by the waker that is being cloned.
    let hook = unsafe { &*data.cast::<Hook<'_>>() };
    hook.record(stack_pointer::current(), 0);
    #[cfg(bw_broken_hook)]
    if broken_hook::is(Broken::Clone) {
        return RawWaker::new(Waker::noop().data(), Waker::noop().vtable());
    }
    let inner = ManuallyDrop::new(hook.inner.clone());
    RawWaker::new(inner.data(), inner.vtable())
}

/// The pointer is from `Hook::waker`. A future that yields wakes itself and never clones, so this records as well.
unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: see `Hook::waker`: a live hook, borrowed by the waker that is being used.
    let hook = unsafe { &*data.cast::<Hook<'_>>() };
    hook.record(stack_pointer::current(), header::YIELD);
    #[cfg(bw_broken_hook)]
    if broken_hook::is(Broken::WakeByRef) {
        return;
    }
    hook.inner.wake_by_ref();
}

/// Nobody can own a waker of ours, so nobody can call this. It does what the caller would mean.
unsafe fn wake(data: *const ()) {
    // SAFETY: the same contract.
    unsafe { wake_by_ref(data) }
}

/// Nobody can own a waker of ours, so nobody can call this. The hook owns nothing.
unsafe fn drop(_: *const ()) {}

#[cfg(all(test, not(bw_loom)))]
mod tests {
    use std::sync::Arc;
    use std::task::Wake;

    use super::*;

    /// Not `Waker::noop()`: its clones need not have the same vtable address.
    struct Nobody;

    impl Wake for Nobody {
        fn wake(self: Arc<Self>) {}
    }

    fn nobody() -> Waker {
        Waker::from(Arc::new(Nobody))
    }

    #[test]
    fn a_clone_of_the_hooks_waker_is_the_inner_waker() {
        let slot = Slot::new(Slot::WORDS);
        let inner = &nobody();
        let hook = Hook::new(inner, &slot, stack_pointer::current(), 0..0);
        let waker = hook.waker();
        assert!(!waker.will_wake(inner));
        let clone = waker.clone();
        assert!(clone.will_wake(inner));
        assert!(peel(&waker).will_wake(inner));
        assert!(core::ptr::eq(peel(inner), inner));
    }

    #[test]
    fn hooks_inside_hooks_all_record() {
        let (mut outer_slot, mut inner_slot) = (Slot::new(Slot::WORDS), Slot::new(Slot::WORDS));
        {
            let nobody = nobody();
            let outer = Hook::new(&nobody, &outer_slot, stack_pointer::current(), 0..0);
            let outer_waker = outer.waker();
            let inner = Hook::new(&outer_waker, &inner_slot, stack_pointer::current(), 0..0);
            let inner_waker = inner.waker();
            assert!(inner_waker.clone().will_wake(&nobody));
            inner_waker.wake_by_ref();
            assert!(peel(&inner_waker).will_wake(&nobody));
        }
        for slot in [&mut outer_slot, &mut inner_slot] {
            let trace = slot.finish();
            assert_eq!(trace.stacks().map(|stack| stack.is_yield()).collect::<Vec<_>>(), [false, true]);
            assert!(trace.stacks().all(|stack| !stack.is_truncated() && !stack.is_foreign()), "{trace:?}");
        }
    }

    #[test]
    fn a_full_slot_is_not_walked_for() {
        let mut slot = Slot::new(1);
        slot.publish(0, &[]);
        {
            let hook = Hook::new(Waker::noop(), &slot, stack_pointer::current(), 0..0);
            let waker = hook.waker();
            let _clones = [Waker::clone(&waker), Waker::clone(&waker)];
        }
        assert_eq!(slot.finish().dropped(), 2);
    }
}
