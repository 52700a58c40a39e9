//! Who is polling what: one slot for each thread that polls traced tasks.
//!
//! The slot names the tasks whose polls are on that thread's stack, outermost first. Only its thread writes it, with
//! plain stores that stay in that core's cache; whoever wants to know who polls a task reads the few slots. So the
//! idle path touches no line that belongs to the task.
//!
//! A slot outlives its thread: it is leaked, and the next new thread takes it over, so there are at most as many as
//! ever polled at the same time, and a reader can never reach freed memory.

use core::cell::Cell;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::id::TaskId;
use crate::state::PollingThread;

/// Traced polls inside one another that are tracked; a task nested deeper is reported as suspended while it is polled.
const DEPTH: usize = 32;

/// The tasks on one thread's stack.
pub(crate) struct ThreadSlot {
    /// How many traced polls are on the stack; may exceed [`DEPTH`].
    depth: AtomicUsize,
    /// Their ids, outermost first; only the first `depth` mean anything.
    tasks: [AtomicUsize; DEPTH],
    /// `None` while no thread owns the slot.
    thread: Mutex<Option<PollingThread>>,
}

static SLOTS: Mutex<Vec<&'static ThreadSlot>> = Mutex::new(Vec::new());

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
            // Ordering: Relaxed; the lock orders it before the next owner.
            slot.depth.store(0, Ordering::Relaxed);
            *slot.thread.lock() = None;
        }
    }
}

/// A traced poll on this thread's stack, from [`enter`] until it is dropped.
pub(crate) struct Entered {
    slot: Option<&'static ThreadSlot>,
    depth: usize,
}

/// Notes that this thread begins to poll a task.
///
/// A few plain loads and stores, except for a thread's first time, which allocates and locks.
#[inline(always)]
pub(crate) fn enter(task: TaskId) -> Entered {
    let slot = CURRENT.get();
    let slot = if slot.is_some() { slot } else { register() };
    let mut depth = 0;
    if let Some(slot) = slot {
        // Ordering: Relaxed; only this thread writes the depth.
        depth = slot.depth.load(Ordering::Relaxed);
        if let Some(entry) = slot.tasks.get(depth) {
            entry.store(task.word(), Ordering::Relaxed);
        }
        // Ordering: Release pairs with the Acquire load in `polls`: who counts the entry sees it.
        slot.depth.store(depth + 1, Ordering::Release);
    }
    Entered { slot, depth }
}

impl Drop for Entered {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            // Ordering: Release, so that the end of the poll is not seen before what the poll did.
            slot.depth.store(self.depth, Ordering::Release);
        }
    }
}

/// The first traced poll of a thread: takes over a slot or leaks a new one. `None` while the thread is being torn down.
#[cold]
#[inline(never)]
fn register() -> Option<&'static ThreadSlot> {
    OWNER.try_with(|_| ()).ok()?;
    let current = std::thread::current();
    let thread = PollingThread { id: current.id(), name: current.name().map(Arc::from) };
    let mut slots = SLOTS.lock();
    let vacant = slots.iter().copied().find(|slot| slot.thread.lock().is_none());
    let slot = vacant.unwrap_or_else(|| {
        let slot = Box::leak(Box::new(ThreadSlot {
            depth: AtomicUsize::new(0),
            tasks: [const { AtomicUsize::new(0) }; DEPTH],
            thread: Mutex::new(None),
        }));
        slots.push(slot);
        slot
    });
    *slot.thread.lock() = Some(thread);
    CURRENT.set(Some(slot));
    Some(slot)
}

/// The innermost traced task this thread is polling.
pub(crate) fn innermost() -> Option<TaskId> {
    let slot = CURRENT.get()?;
    // Ordering: Relaxed; this thread wrote both.
    let depth = slot.depth.load(Ordering::Relaxed);
    TaskId::from_word(slot.tasks.get(depth.checked_sub(1)?)?.load(Ordering::Relaxed))
}

/// The thread that polls a task at this moment. Locks the list of slots; linear in the number of polling threads.
pub(crate) fn thread_of(task: TaskId) -> Option<PollingThread> {
    let slots = SLOTS.lock();
    slots.iter().find(|slot| slot.polls(task)).and_then(|slot| slot.thread.lock().clone())
}

impl ThreadSlot {
    fn polls(&self, task: TaskId) -> bool {
        // Ordering: Acquire pairs with the Release store in `enter`.
        let depth = self.depth.load(Ordering::Acquire).min(DEPTH);
        self.tasks.iter().take(depth).any(|entry| entry.load(Ordering::Relaxed) == task.word())
    }
}

#[cfg(all(test, not(bw_loom)))]
mod tests {
    use super::*;

    #[test]
    fn nested_polls_are_all_seen_and_unwind_in_order() {
        let (outer, inner) = (TaskId::next(), TaskId::next());
        let entered = enter(outer);
        {
            let _entered = enter(inner);
            assert_eq!(innermost(), Some(inner));
            assert_eq!(thread_of(outer).unwrap().id(), std::thread::current().id());
            assert!(thread_of(inner).is_some());
        }
        assert_eq!(innermost(), Some(outer));
        assert!(thread_of(inner).is_none());
        drop(entered);
        assert!(thread_of(outer).is_none());
    }

    #[test]
    fn nesting_beyond_the_depth_is_survived() {
        let entered: Vec<_> = (0..DEPTH + 5).map(|_| enter(TaskId::next())).collect();
        let deepest = TaskId::next();
        let _deepest = enter(deepest);
        assert!(thread_of(deepest).is_none());
        for entered in entered.into_iter().rev() {
            drop(entered);
        }
    }

    #[test]
    fn a_thread_that_ended_is_forgotten() {
        let task = TaskId::next();
        std::thread::spawn(move || {
            std::mem::forget(enter(task));
            assert!(thread_of(task).is_some());
        })
        .join()
        .unwrap();
        assert!(thread_of(task).is_none());
    }
}
