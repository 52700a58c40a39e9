//! Which traced tasks there are.
//!
//! A task is registered when it is wrapped, and leaves when it finishes or is dropped. Both take the lock of one of
//! [`SHARDS`] for a few instructions. Ids are handed out to threads in blocks, and a block's tasks share a shard, so two
//! threads that spawn seldom meet at a lock, and one thread finds the end of its shard in its cache.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::task::handle::TraceHandle;
use crate::task::task_cell::TaskCell;
use crate::task::tracer::Tracer;
use crate::trace::id::TaskId;

const SHARDS: usize = 64;

/// Traced tasks that are asked together.
///
/// There is a global one, for the tasks of [`traced`](crate::traced), [`TracedExt`](crate::TracedExt) and whoever says nothing
/// else. A library or a test that does not want to meet other people's tasks makes one of its own. Clones are the same
/// registry. A task belongs to one registry all its life.
///
/// ```
/// let registry = bw_core::Registry::new();
/// let task = registry.tracer().trace(async {});
/// assert_eq!(registry.len(), 1);
/// let id = task.handle().id();
/// assert_eq!(registry.get(id).unwrap().id(), id);
/// drop(task);
/// assert!(registry.is_empty());
/// ```
#[derive(Clone)]
pub struct Registry(Shards);

#[derive(Clone)]
enum Shards {
    Global,
    Own(Arc<[Shard; SHARDS]>),
}

/// On lines of its own: threads that use others do not slow it down.
#[repr(align(128))]
struct Shard(Mutex<Vec<Entry>>);

struct Entry {
    id: TaskId,
    cell: Arc<TaskCell>,
}

static GLOBAL: [Shard; SHARDS] = [const { Shard::new() }; SHARDS];

impl Shard {
    const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }
}

impl Registry {
    /// A registry of one's own, empty. Allocates 8 KiB.
    #[must_use]
    #[allow(clippy::new_without_default)] // The default registry is the global one, which this is not.
    pub fn new() -> Self {
        Self(Shards::Own(Arc::new([const { Shard::new() }; SHARDS])))
    }

    /// The registry of everybody who does not say otherwise.
    #[must_use]
    pub const fn global() -> Self {
        Self(Shards::Global)
    }

    /// Returns a [`Tracer`] that wraps futures as tasks of this registry.
    pub fn tracer(&self) -> Tracer {
        Tracer::new().registry(self.clone())
    }

    /// How many tasks there are. Locks each shard for a moment.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards().iter().map(|shard| shard.0.lock().len()).sum()
    }

    /// Whether there is no task.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The task of that id, unless it is over or of another registry. Locks a shard; linear in its tasks.
    #[must_use]
    pub fn get(&self, id: TaskId) -> Option<TraceHandle> {
        let shard = self.shard(id).0.lock();
        shard.iter().find(|entry| entry.id == id).map(|entry| TraceHandle::new(Arc::clone(&entry.cell)))
    }

    /// All tasks, by id. No more than one shard is locked at a time.
    pub(crate) fn cells(&self) -> Vec<Arc<TaskCell>> {
        let mut entries = Vec::new();
        for shard in self.shards() {
            let shard = shard.0.lock();
            entries.extend(shard.iter().map(|entry| (entry.id, Arc::clone(&entry.cell))));
        }
        entries.sort_unstable_by_key(|entry| entry.0);
        entries.into_iter().map(|(_, cell)| cell).collect()
    }

    pub(crate) fn insert(&self, cell: &Arc<TaskCell>) {
        let mut shard = self.shard(cell.id).0.lock();
        cell.place.set(shard.len());
        shard.push(Entry { id: cell.id, cell: Arc::clone(cell) });
    }

    /// Does nothing if the task has left before.
    pub(crate) fn remove(&self, cell: &TaskCell) {
        let entry = {
            let mut shard = self.shard(cell.id).0.lock();
            let Some(at) = cell.place.take() else { return };
            let entry = shard.swap_remove(at);
            if let Some(moved) = shard.get(at) {
                moved.cell.place.set(at);
            }
            if shard.capacity() > 64 && shard.len() < shard.capacity() / 4 {
                let half = shard.capacity() / 2;
                shard.shrink_to(half);
            }
            entry
        };
        // May hold the last reference to the cell: dropped outside the lock.
        drop(entry);
    }

    fn shards(&self) -> &[Shard; SHARDS] {
        match &self.0 {
            Shards::Global => &GLOBAL,
            Shards::Own(shards) => shards,
        }
    }

    fn shard(&self, id: TaskId) -> &Shard {
        &self.shards()[id.block() % SHARDS]
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("global", &matches!(self.0, Shards::Global))
            .field("tasks", &self.len())
            .finish()
    }
}

/// Where in its shard a task stands. Used with the shard locked only.
pub(crate) struct PlaceInShard(core::sync::atomic::AtomicUsize);

impl PlaceInShard {
    const NOWHERE: usize = usize::MAX;

    pub(crate) const fn nowhere() -> Self {
        Self(core::sync::atomic::AtomicUsize::new(Self::NOWHERE))
    }

    // Ordering: Relaxed in both; the shard's lock orders them.
    fn set(&self, at: usize) {
        self.0.store(at, core::sync::atomic::Ordering::Relaxed);
    }

    fn take(&self) -> Option<usize> {
        let at = self.0.load(core::sync::atomic::Ordering::Relaxed);
        self.set(Self::NOWHERE);
        (at != Self::NOWHERE).then_some(at)
    }
}

#[cfg(all(test, not(bw_loom)))]
mod tests {
    use std::future::{Pending, pending};

    use super::*;
    use crate::task::traced_task::TracedTask;

    fn task(registry: &Registry) -> (TracedTask<Pending<()>>, TraceHandle) {
        let task = registry.tracer().trace(pending());
        let handle = task.handle();
        (task, handle)
    }

    #[test]
    fn tasks_come_and_go_in_any_order() {
        let registry = Registry::new();
        let mut tasks: Vec<_> = (0..1_000).map(|_| task(&registry)).collect();
        assert_eq!(registry.len(), 1_000);
        let ids: Vec<_> = registry.cells().iter().map(|cell| cell.id).collect();
        assert!(ids.is_sorted());
        while tasks.len() > 3 {
            let middle = tasks.len() / 2;
            drop(tasks.swap_remove(middle));
            drop(tasks.swap_remove(0));
            tasks.pop();
            assert_eq!(registry.len(), tasks.len());
            for (_, handle) in &tasks {
                assert!(registry.get(handle.id()).is_some());
            }
        }
        drop(tasks);
        assert!(registry.is_empty());
    }

    #[test]
    fn registries_do_not_meet() {
        let (ours, theirs) = (Registry::new(), Registry::new());
        let (_task, handle) = task(&ours);
        assert!(theirs.is_empty());
        assert!(theirs.get(handle.id()).is_none() && Registry::global().get(handle.id()).is_none());
        assert!(Registry::global().shards().as_ptr() == Registry::global().shards().as_ptr());
    }

    #[test]
    fn threads_that_spawn_and_drop_at_once_lose_nothing() {
        let registry = Registry::new();
        let kept: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let mut kept = Vec::new();
                        for n in 0..2_000 {
                            let task = task(&registry);
                            if n % 3 == 0 {
                                kept.push(task);
                            }
                        }
                        kept
                    })
                })
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(registry.len(), kept.len());
    }
}
