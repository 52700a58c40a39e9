//! The tasks that one thread polls, outermost first: written by that thread alone, read by any other.
//!
//! | owner | depth | meaning | left by |
//! |---|---|---|---|
//! | `None` | 0 | no thread has this stack | `take_over`, under the owner's lock: owned |
//! | a thread | 0 | it polls no traced task | `enter`: polling · `give_back`: no thread has it |
//! | a thread | n | it polls the tasks of entries 0 to n - 1 | `enter`: n + 1 · `leave`: the depth before that `enter` |
//!
//! | entry | meaning | left by |
//! |---|---|---|
//! | below the depth | a poll that has not returned | `leave`, which does not touch the entry |
//! | at the depth or above | a poll that is over, or none yet | `enter`: the time, then the task, then the depth |
//!
//! # What a reader may rely on
//!
//! 1. Each task that it sees was being polled at a moment during the read, by the thread it is told. It holds the owner's lock, so
//!    the stack does not get another owner meanwhile; and a thread gives the stack back with depth 0.
//! 2. The time beside a task is not before that poll began. The time is written before the task, and read after it. It may be that of a later
//!    poll, if one poll ended and another began during the read.
//! 3. A reader that sees the end of a poll sees what the poll did.
//!
//! Several entries together are no snapshot: an inner poll may be over when the outer one is read.
//!
//! `loom_models/poll_stack_model.rs` compiles this very file with loom's atomics and checks all three.

use super::primitives::{AtomicU32, AtomicUsize, Mutex, Ordering};
use crate::time::clock::Tick;
use crate::trace::id::TaskId;
use crate::trace::state::PollingThread;

/// Traced polls inside one another that are tracked; a task nested deeper is reported as suspended while it is polled.
pub(crate) const DEPTH: usize = if cfg!(bw_loom) { 2 } else { 32 };

/// See the module.
pub(crate) struct PollStack {
    /// How many traced polls are on the stack; may exceed [`DEPTH`].
    depth: AtomicUsize,
    /// Outermost first; only the first `depth` mean anything.
    entries: [Entry; DEPTH],
    /// `None` while no thread owns the stack.
    owner: Mutex<Option<PollingThread>>,
}

/// One poll.
pub(crate) struct Entry {
    task: AtomicUsize,
    since: AtomicU32,
}

impl Entry {
    /// An entry of two zeros. They are passed in, since loom's cannot be made in constants.
    pub(crate) const fn new(task: AtomicUsize, since: AtomicU32) -> Self {
        Self { task, since }
    }
}

impl PollStack {
    /// A stack that nobody owns, of zeros: passed in for the same reason as those of an [`Entry`].
    pub(crate) const fn new(
        depth: AtomicUsize,
        entries: [Entry; DEPTH],
        owner: Mutex<Option<PollingThread>>,
    ) -> Self {
        Self { depth, entries, owner }
    }

    /// Makes a thread the owner, if there is none.
    pub(crate) fn take_over(&self, thread: &PollingThread) -> bool {
        let mut owner = self.owner.lock();
        let is_vacant = owner.is_none();
        if is_vacant {
            *owner = Some(thread.clone());
        }
        is_vacant
    }

    /// Owner: its thread ends.
    pub(crate) fn give_back(&self) {
        // Ordering: Relaxed; the lock orders it before the next owner, and before readers that find none.
        self.depth.store(0, Ordering::Relaxed);
        *self.owner.lock() = None;
    }

    /// Owner: begins to poll a task, at that time. A few plain loads and stores.
    ///
    /// Gives the depth for [`leave`](Self::leave). That could be read again, but then every poll would have to wait for what
    /// the one before it wrote twice.
    #[inline(always)]
    pub(crate) fn enter(&self, task: TaskId, since: Tick) -> usize {
        // Ordering: Relaxed; only the owner writes the depth.
        let depth = self.depth.load(Ordering::Relaxed);
        if let Some(entry) = self.entries.get(depth) {
            // Ordering: Relaxed; the next store publishes it.
            entry.since.store(since.get(), Ordering::Relaxed);
            // Ordering: Release pairs with the Acquire load in `each`: who sees the task sees this time or a later one.
            entry.task.store(task.word(), Ordering::Release);
        }
        // Wrapping, here and in `leave_innermost`: a poll that is begun on one thread and ended on another (a stackful coroutine may) can make
        // the count wrong, and must do no more.
        // Ordering: Release pairs with the Acquire load in `each`: who counts the entry sees it.
        self.depth.store(depth.wrapping_add(1), Ordering::Release);
        depth
    }

    /// Owner: the poll is over which began at that depth.
    #[inline(always)]
    pub(crate) fn leave(&self, depth: usize) {
        // Ordering: Release pairs with the Acquire load in `each`: who sees the end of the poll sees what it did.
        self.depth.store(depth, Ordering::Release);
    }

    /// Owner: the innermost poll is over.
    #[cold]
    pub(crate) fn leave_innermost(&self) {
        // Ordering: Relaxed; only the owner writes the depth.
        self.leave(self.depth.load(Ordering::Relaxed).wrapping_sub(1));
    }

    /// Owner: the task that it polls, the innermost.
    pub(crate) fn innermost(&self) -> Option<TaskId> {
        // Ordering: Relaxed; the owner wrote both.
        let depth = self.depth.load(Ordering::Relaxed);
        TaskId::from_word(self.entries.get(depth.checked_sub(1)?)?.task.load(Ordering::Relaxed))
    }

    /// Anybody: calls `f` for each poll, outermost first, with its task, its time, its thread, and whether it is the innermost.
    ///
    /// Locks the owner meanwhile: nobody else does but threads that begin or end.
    pub(crate) fn each(&self, mut f: impl FnMut(TaskId, Tick, &PollingThread, bool)) {
        let owner = self.owner.lock();
        let Some(thread) = owner.as_ref() else { return };
        // Ordering: Acquire pairs with the Release stores in `enter` and `leave`.
        let depth = self.depth.load(Ordering::Acquire).min(DEPTH);
        for (at, entry) in self.entries.iter().take(depth).enumerate() {
            // Ordering: Acquire pairs with the Release store in `enter`.
            let Some(task) = TaskId::from_word(entry.task.load(Ordering::Acquire)) else { continue };
            // Ordering: Relaxed; the load before acquired it.
            f(task, Tick::new(entry.since.load(Ordering::Relaxed)), thread, at + 1 == depth);
        }
    }
}
