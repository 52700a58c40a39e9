//! Who is polling what: one slot for each thread that polls traced tasks.
//!
//! The slot names the tasks whose polls are on that thread's stack, outermost first. Only its thread writes it, with
//! plain stores that stay in that core's cache; whoever wants to know who polls a task reads the few slots. So the
//! idle path touches no line that belongs to the task. [`PollStack`] has the protocol between the two, as a table.
//!
//! | slot | meaning | left by |
//! |---|---|---|
//! | not in the list | a thread that is being torn down uses [`NOWHERE`], which nobody reads | |
//! | in the list, vacant | its thread has ended | `register`, of a new thread, under the list's lock: owned |
//! | in the list, owned | `CURRENT` of its thread | the thread's end, by `Owner`: vacant |
//!
//! A slot outlives its thread: it is leaked, and the next new thread takes it over, so there are at most as many as
//! ever polled at the same time, and a reader can never reach freed memory.

use core::cell::Cell;
use core::ops::Range;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::thread::os_thread;
use crate::thread::poll_stack::{DEPTH, Entry, PollStack};
use crate::time::clock::{self, Tick};
use crate::trace::id::TaskId;
use crate::trace::state::PollingThread;

/// The tasks on one thread's stack.
pub(crate) struct ThreadSlot {
    /// From 0, in the order they were made.
    number: usize,
    polls: PollStack,
    /// Where its owner's stack starts and ends; 0 where that is not known. Only the owner looks.
    stack: [AtomicUsize; 2],
}

/// A task that is being polled.
#[derive(Clone, Debug)]
pub(crate) struct Polling {
    pub(crate) task: TaskId,
    pub(crate) since: Tick,
    pub(crate) thread: PollingThread,
    /// It polls no other traced task inside.
    pub(crate) innermost: bool,
}

static SLOTS: Mutex<Vec<&'static ThreadSlot>> = Mutex::new(Vec::new());

/// For threads that are being torn down, and can own nothing any more. Nobody reads it.
static NOWHERE: ThreadSlot = ThreadSlot::new(0);

thread_local! {
    /// This thread's slot. No destructor, so that reading it is one load.
    static CURRENT: Cell<Option<&'static ThreadSlot>> = const { Cell::new(None) };
    /// Gives the slot back when the thread ends.
    static OWNER: Owner = const { Owner };
}

struct Owner;

impl Drop for Owner {
    fn drop(&mut self) {
        if let Some(slot) = CURRENT.take() {
            slot.polls.give_back();
        }
    }
}

/// This thread's slot, once it has one. One load.
#[inline(always)]
pub(crate) fn current() -> Option<&'static ThreadSlot> {
    CURRENT.get()
}

/// This thread's slot. A thread's first time allocates and locks.
pub(crate) fn current_or_register() -> &'static ThreadSlot {
    current().or_else(register).unwrap_or(&NOWHERE)
}

/// The first traced poll of a thread: takes over a slot or leaks a new one. `None` while the thread is being torn down.
#[cold]
#[inline(never)]
fn register() -> Option<&'static ThreadSlot> {
    OWNER.try_with(|_| ()).ok()?;
    let current = std::thread::current();
    let name = current.name().map(Arc::from);
    let thread = PollingThread { id: Some(current.id()), os_id: os_thread::id(), name };
    let mut slots = SLOTS.lock();
    let vacant = slots.iter().copied().find(|slot| slot.polls.take_over(&thread));
    let slot = vacant.unwrap_or_else(|| {
        let slot = Box::leak(Box::new(ThreadSlot::new(slots.len())));
        slot.polls.take_over(&thread);
        slots.push(slot);
        slot
    });
    let stack = os_thread::stack().unwrap_or_default();
    // Ordering: Relaxed; this thread reads them.
    for (bound, address) in slot.stack.iter().zip([stack.start, stack.end]) {
        bound.store(address, Ordering::Relaxed);
    }
    CURRENT.set(Some(slot));
    Some(slot)
}

/// Notes that a poll on this thread unwinds.
#[cold]
pub(crate) fn leave_current() {
    current().unwrap_or(&NOWHERE).polls.leave_innermost();
}

/// The innermost traced task this thread is polling.
pub(crate) fn innermost() -> Option<TaskId> {
    current()?.polls.innermost()
}

/// Every traced task this thread is polling, outermost first.
pub(crate) fn polled_here() -> Vec<TaskId> {
    let mut here = Vec::new();
    if let Some(slot) = current() {
        slot.polls.each(|task, _, _, _| here.push(task));
    }
    here
}

/// The poll of a task at this moment. Locks the list of slots; linear in the number of polling threads.
pub(crate) fn polling(task: TaskId) -> Option<Polling> {
    let mut found = None;
    for slot in SLOTS.lock().iter() {
        slot.polls.each(|polled, since, thread, innermost| {
            if polled == task && found.is_none() {
                found = Some(Polling { task, since, thread: thread.clone(), innermost });
            }
        });
    }
    found
}

/// Every traced poll at this moment. Locks the list of slots; linear in the number of polling threads.
pub(crate) fn all_polling() -> Vec<Polling> {
    let mut all = Vec::new();
    for slot in SLOTS.lock().iter() {
        slot.polls.each(|task, since, thread, innermost| {
            all.push(Polling { task, since, thread: thread.clone(), innermost });
        });
    }
    all
}

impl TaskId {
    /// The traced task that this thread is polling, the innermost. Two loads.
    ///
    /// ```
    /// use std::future::poll_fn;
    /// use std::task::{Context, Poll, Waker};
    ///
    /// use bw_core::TaskId;
    ///
    /// let (task, handle) = bw_core::traced(poll_fn(|_| Poll::Ready(TaskId::current())));
    /// let mut task = std::pin::pin!(task);
    /// assert_eq!(task.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Some(handle.id())));
    /// assert_eq!(TaskId::current(), None);
    /// ```
    #[must_use]
    pub fn current() -> Option<Self> {
        innermost()
    }
}

impl ThreadSlot {
    const fn new(number: usize) -> Self {
        let entries = [const { Entry::new(AtomicUsize::new(0), AtomicU32::new(0)) }; DEPTH];
        Self {
            number,
            polls: PollStack::new(AtomicUsize::new(0), entries, Mutex::new(None)),
            stack: [const { AtomicUsize::new(0) }; 2],
        }
    }

    /// The stack of this thread, whose slot this is. Empty where that is not known.
    pub(crate) fn stack(&self) -> Range<usize> {
        let [start, end] = self.stack.each_ref().map(|bound| bound.load(Ordering::Relaxed));
        start..end
    }

    /// No other thread that lives has the same, except those that are being torn down.
    pub(crate) fn number(&self) -> usize {
        self.number
    }

    /// Notes that this thread, whose slot this is, begins to poll a task; gives the depth for [`leave`](Self::leave).
    #[inline(always)]
    pub(crate) fn enter(&self, task: TaskId) -> usize {
        self.polls.enter(task, clock::now())
    }

    /// Notes that the poll is over which began at that depth.
    #[inline(always)]
    pub(crate) fn leave(&self, depth: usize) {
        self.polls.leave(depth);
    }
}

#[cfg(all(test, not(bw_loom)))]
mod tests {
    use super::*;

    #[test]
    fn nested_polls_are_all_seen_and_unwind_in_order() {
        let (outer, inner) = (TaskId::next(), TaskId::next());
        let slot = current_or_register();
        let outside = slot.enter(outer);
        let inside = slot.enter(inner);
        assert_eq!(innermost(), Some(inner));
        assert_eq!(polling(outer).unwrap().thread.id(), Some(std::thread::current().id()));
        assert!(polling(inner).is_some());
        let ours: Vec<_> = all_polling().into_iter().map(|polling| polling.task).collect();
        assert!(ours.contains(&outer) && ours.contains(&inner));
        slot.leave(inside);
        assert_eq!(innermost(), Some(outer));
        assert!(polling(inner).is_none());
        slot.leave(outside);
        assert!(polling(outer).is_none());
    }

    #[test]
    fn nesting_beyond_the_depth_is_survived() {
        let slot = current_or_register();
        let deepest = TaskId::next();
        let depths: Vec<_> = (0..DEPTH + 5).map(|_| slot.enter(TaskId::next())).collect();
        let deepest_depth = slot.enter(deepest);
        assert!(polling(deepest).is_none());
        for depth in std::iter::once(deepest_depth).chain(depths.into_iter().rev()) {
            slot.leave(depth);
        }
        assert_eq!(innermost(), None);
    }

    #[test]
    fn a_count_that_went_wrong_is_survived() {
        std::thread::spawn(|| {
            let slot = current_or_register();
            leave_current();
            slot.enter(TaskId::next());
            assert_eq!(innermost(), None);
            assert!(all_polling().len() <= SLOTS.lock().len() * DEPTH);
        })
        .join()
        .unwrap();
    }

    #[test]
    fn a_thread_that_ended_is_forgotten() {
        let task = TaskId::next();
        std::thread::spawn(move || {
            current_or_register().enter(task);
            assert!(polling(task).is_some());
        })
        .join()
        .unwrap();
        assert!(polling(task).is_none());
    }
}
