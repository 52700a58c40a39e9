//! The fields of the wrapper that a poll updates, stored next to the future: 48 bytes. One of the files that may use `unsafe`.
//!
//! Everything an idle poll reads or writes of a task stands here, on the line that polling the future touches anyway.

use core::pin::Pin;
use core::task::{Poll, Waker};
use std::sync::Arc;

use pin_project_lite::pin_project;

use crate::hook::recording_waker;
use crate::task::generation;
use crate::task::task_cell::{Batch, Stage, TaskCell};
use crate::task::wake;
use crate::thread::thread_slot::{self, ThreadSlot};
use crate::time::stamp::{Stamp, StampRef};
use crate::trace::id::TaskId;

pin_project! {
    /// See the module. Dropping it ends the task.
    #[repr(C)]
    pub(crate) struct PollRecord {
        // The generation the last slow path saw.
        generation: usize,
        // Data pointer and vtable of the waker in the cell, peeled (see `recording_waker::peel`). Integers, so that they take no part
        // in whether the task is `Send`. No vtable is 0, which therefore forces the slow path.
        waker_data: usize,
        waker_vtable: usize,
        #[pin]
        pub(crate) stamp: Stamp,
        pub(crate) id: TaskId,
        pub(crate) cell: Arc<TaskCell>,
    }

    impl PinnedDrop for PollRecord {
        fn drop(this: Pin<&mut Self>) {
            // The cell lets go of the stamp; see `attend`.
            this.cell.end(Stage::Dropped);
        }
    }
}

impl PollRecord {
    pub(crate) fn new(cell: Arc<TaskCell>) -> Self {
        Self { generation: 0, waker_data: 0, waker_vtable: 0, stamp: Stamp::default(), id: cell.id, cell }
    }

    pub(crate) fn id(&self) -> TaskId {
        self.id
    }

    pub(crate) fn cell(&self) -> &Arc<TaskCell> {
        &self.cell
    }

    /// Whether nobody was asked since the last look, and the waker is the one in the cell. One branch.
    #[inline(always)]
    pub(crate) fn is_idle(&self, waker: &Waker) -> bool {
        (self.generation ^ generation::current()) | self.other_waker(waker) == 0
    }

    /// Zero if this is the waker in the cell.
    #[inline(always)]
    fn other_waker(&self, waker: &Waker) -> usize {
        (self.waker_data ^ waker.data().addr())
            | (self.waker_vtable ^ core::ptr::from_ref(waker.vtable()).addr())
    }

    /// The slow path: a request somewhere, another waker, the first poll, or a poll after the end.
    pub(crate) fn attend(self: Pin<&mut Self>, waker: &Waker) -> Batch {
        // Before the requests are taken: one that comes in between leaves the generation different, and the next poll
        // looks again.
        let generation = generation::current();
        let waker = recording_waker::peel(waker);
        // Cloned here, outside the cell's lock: it is the executor's code.
        let is_other = self.other_waker(waker) != 0;
        let fresh = if is_other { wake::clone(waker) } else { None };
        // The next poll may compare its waker with this one only if this one cannot go away meanwhile. It cannot if its clone, which the
        // cell keeps, has the same data: then who clones it counts it, or nobody needs to. A waker whose clone has other data may lie on a stack,
        // and a waker of another executor may come to lie there: the next poll clones again. So it does if the clone panicked.
        let may_compare = fresh.as_ref().map_or(!is_other, |fresh| fresh.data() == waker.data());
        let this = self.project();
        let stamp = this.stamp.into_ref();
        // SAFETY: the cell gives the pointer up in `end(Stage::Dropped)`, under the lock under which it reads through it,
        // and that is called when this is dropped, before its fields are.
        let stamp = || unsafe { StampRef::new(stamp) };
        let Some(batch) = this.cell.attend(fresh, stamp) else { return Batch::default() };
        *this.generation = generation;
        *this.waker_data = waker.data().addr();
        *this.waker_vtable = if may_compare { core::ptr::from_ref(waker.vtable()).addr() } else { 0 };
        batch
    }

    /// The task is over. Its waker is gone from the cell, so the next poll, if there is one, takes the slow path.
    #[cold]
    #[inline(never)]
    fn end(self: Pin<&mut Self>, stage: Stage) {
        let this = self.project();
        *this.waker_vtable = 0;
        this.cell.end(stage);
    }
}

/// One poll of the future, from [`begin`](Self::begin) to [`end`](Self::end); dropped before that, it panicked.
///
/// No more than a pointer, and `thread` and `depth` are handed back by the caller: what is in here must lie in memory during
/// the poll, for when it unwinds, and a poll that returns should find everything in registers.
pub(crate) struct PollGuard<'a> {
    record: Pin<&'a mut PollRecord>,
}

impl<'a> PollGuard<'a> {
    /// Gives the depth for [`end`](Self::end) as well.
    #[inline(always)]
    pub(crate) fn begin(record: Pin<&'a mut PollRecord>, thread: &ThreadSlot) -> (Self, usize) {
        let depth = thread.enter(record.id);
        (Self { record }, depth)
    }

    pub(crate) fn cell(&self) -> &TaskCell {
        &self.record.cell
    }

    /// The end of a poll, whose outcome it hands back. With `asked`, of one that we have caused: if the task waits on, that is
    /// since before, so that asking where it waits does not change for how long it has waited there.
    #[inline(always)]
    pub(crate) fn end<T>(self, thread: &ThreadSlot, depth: usize, asked: bool, poll: Poll<T>) -> Poll<T> {
        // Before the thread's slot says that the poll is over: who sees that sees when it was.
        let quiet = asked && poll.is_pending() && !self.record.stamp.is_blank();
        let starts_over = !quiet && self.record.stamp.note();
        thread.leave(depth);
        // One branch, and in it the last call: what must survive a call that returns would be saved in every poll.
        if starts_over | poll.is_ready() {
            return self.settle(starts_over, poll);
        }
        core::mem::forget(self);
        poll
    }

    /// What seldom happens at the end of a poll.
    #[cold]
    #[inline(never)]
    fn settle<T>(mut self, starts_over: bool, poll: Poll<T>) -> Poll<T> {
        if starts_over {
            self.record.cell.note_polls_started_over();
        }
        if poll.is_ready() {
            self.record.as_mut().end(Stage::Finished);
        }
        core::mem::forget(self);
        poll
    }
}

impl Drop for PollGuard<'_> {
    #[cold]
    #[inline(never)]
    fn drop(&mut self) {
        if self.record.stamp.note() {
            self.record.cell.note_polls_started_over();
        }
        thread_slot::leave_current();
        self.record.as_mut().end(Stage::Panicked);
    }
}

#[cfg(all(test, not(bw_loom)))]
mod tests {
    use core::mem::ManuallyDrop;
    use core::task::{Context, RawWaker, RawWakerVTable};
    use core::time::Duration;
    use std::future::{Future, pending};
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use parking_lot::Mutex;

    use super::*;
    use crate::task::traced_task::traced;

    #[derive(Default)]
    struct Bell(AtomicUsize);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// What lies at one address: of one executor first, then of another.
    struct Place(Mutex<Arc<Bell>>);

    impl Place {
        /// A waker that borrows the place, and whose clones do not. It cannot be owned itself: only lent.
        fn waker(&self) -> ManuallyDrop<Waker> {
            static VTABLE: RawWakerVTable = RawWakerVTable::new(
                |data| {
                    // SAFETY: the data of every waker with this vtable is a `Place` that its waker borrows.
                    let place = unsafe { &*data.cast::<Place>() };
                    let bell = Arc::clone(&place.0.lock());
                    let waker = ManuallyDrop::new(Waker::from(bell));
                    RawWaker::new(waker.data(), waker.vtable())
                },
                |_| {},
                |_| {},
                |_| {},
            );
            // SAFETY: the functions of the vtable do what wakers must, with a place that lives for as long as the tests below use the
            // waker. They may be called from any thread, as a `Place` is `Sync`.
            ManuallyDrop::new(unsafe { Waker::new(core::ptr::from_ref(self).cast(), &VTABLE) })
        }
    }

    #[test]
    fn a_request_wakes_the_executor_that_has_its_waker_at_the_address_of_anothers() {
        let [first, second] = [(); 2].map(|()| Arc::new(Bell::default()));
        let place = Place(Mutex::new(Arc::clone(&first)));
        let (task, handle) = traced(pending::<()>());
        let mut task = pin!(task);
        for (now, before) in [(&first, &second), (&second, &first)] {
            *place.0.lock() = Arc::clone(now);
            assert!(task.as_mut().poll(&mut Context::from_waker(&place.waker())).is_pending());
            let rings = before.0.load(Ordering::SeqCst);
            assert!(handle.capture_blocking(Duration::ZERO).unwrap_err().is_timeout());
            assert_eq!(now.0.load(Ordering::SeqCst), 1, "the executor of the last poll is woken");
            assert_eq!(before.0.load(Ordering::SeqCst), rings, "and no other");
        }
        assert_eq!(Arc::strong_count(&first), 1, "the old waker is let go");
    }

    /// Wakes a bell for each of two vtables. All their wakers have the same data: none.
    static BELLS: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];

    static OWNED: [RawWakerVTable; 2] = [
        RawWakerVTable::new(|_| RawWaker::new(core::ptr::null(), &OWNED[0]), ring::<0>, ring::<0>, |_| {}),
        RawWakerVTable::new(|_| RawWaker::new(core::ptr::null(), &OWNED[1]), ring::<1>, ring::<1>, |_| {}),
    ];

    fn ring<const BELL: usize>(_: *const ()) {
        BELLS[BELL].fetch_add(1, Ordering::SeqCst);
    }

    /// Its clones have the vtable of whichever executor runs at the moment.
    static BORROWED: RawWakerVTable = RawWakerVTable::new(
        |_| RawWaker::new(core::ptr::null(), &OWNED[RUNS.load(Ordering::SeqCst)]),
        |_| {},
        |_| {},
        |_| {},
    );
    static RUNS: AtomicUsize = AtomicUsize::new(0);

    /// The limit that [`TracedTask`](crate::TracedTask) documents. The future itself is not concerned: it clones the waker it is given.
    #[test]
    fn a_request_wakes_the_old_executor_if_only_the_vtable_of_a_wakers_clones_changes() {
        // SAFETY: the functions of the vtable use no data, and what they touch is static.
        let waker = unsafe { Waker::new(core::ptr::null(), &BORROWED) };
        let (task, handle) = traced(pending::<()>());
        let mut task = pin!(task);
        for runs in [0, 1] {
            RUNS.store(runs, Ordering::SeqCst);
            assert!(task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            let error = handle.capture_blocking(Duration::ZERO).unwrap_err();
            assert!(error.is_timeout(), "the request ends all the same");
        }
        assert_eq!(BELLS.each_ref().map(|bell| bell.load(Ordering::SeqCst)), [2, 0]);
    }
}
