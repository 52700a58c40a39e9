//! What decoding a task shows.

use std::collections::BTreeSet;

use crate::layout::Place;

/// An async body that is suspended, or was not started.
#[derive(Clone, Debug)]
pub(crate) struct Await {
    /// What it is, such as `async fn shop::pay`.
    pub(crate) body: String,
    /// The line that it waits at.
    pub(crate) place: Option<Place>,
    /// The body that has it, by its number.
    pub(crate) parent: Option<usize>,
    /// The variable of that body that has it, unless the body awaits it.
    pub(crate) kept_in: Option<String>,
}

/// Where in a task a value is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Position {
    /// The body that has it, by its number.
    pub(crate) body: Option<usize>,
    /// The variable that has it, unless it is awaited.
    pub(crate) variable: Option<String>,
}

/// The kind of lock that a semaphore is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LockKind {
    /// One permit in all.
    Mutex,
    /// So many permits in all; a writer needs them all.
    RwLock { permits: u64 },
    /// Nobody knows how many permits there are in all.
    Semaphore,
    /// The capacity of a channel, or a semaphore of another type.
    Other,
}

/// A future that waits for permits of a semaphore, or has them and was not polled since.
#[derive(Clone, Debug)]
pub(crate) struct FoundAcquire {
    pub(crate) position: Position,
    /// The address of the semaphore.
    pub(crate) semaphore: u64,
    pub(crate) lock: LockKind,
    /// The addresses of the semaphore's count of free permits, and of the count of permits that this future still needs.
    pub(crate) free_at: u64,
    pub(crate) needs_at: u64,
    /// Permits that it asked for, and that it still needs.
    pub(crate) asked: u64,
    pub(crate) needs: u64,
    /// Whether it is or was in the queue.
    pub(crate) is_queued: bool,
    /// The futures in front of it in the queue, by the addresses of their counts.
    pub(crate) in_front: Vec<u64>,
}

impl FoundAcquire {
    /// Whether it has the permits, and must be polled to take them.
    pub(crate) fn is_granted(&self) -> bool {
        self.is_queued && self.needs == 0
    }

    /// Whether it waits in the queue.
    pub(crate) fn is_waiting(&self) -> bool {
        self.is_queued && self.needs > 0
    }
}

/// A value that looks like a guard.
#[derive(Clone, Debug)]
pub(crate) struct FoundGuard {
    pub(crate) position: Position,
    pub(crate) semaphore: u64,
    /// Its type without path and arguments, such as `MutexGuard`.
    pub(crate) type_name: String,
}

/// A handle of a task that is awaited or kept.
#[derive(Clone, Debug)]
pub(crate) struct FoundJoin {
    pub(crate) position: Position,
    /// The header of the task.
    pub(crate) header: u64,
}

/// What decoding a task shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct DecodedTask {
    /// Each body behind the one that has it.
    pub(crate) bodies: Vec<Await>,
    /// The addresses of the numbers that say at which await the bodies are, and how many bytes each has.
    pub(crate) states: Vec<(u64, u64)>,
    pub(crate) acquires: Vec<FoundAcquire>,
    pub(crate) guards: Vec<FoundGuard>,
    pub(crate) joins: Vec<FoundJoin>,
    /// What could not be decoded.
    pub(crate) gaps: BTreeSet<String>,
    /// The memory that was read: addresses and lengths.
    pub(crate) used: Vec<(u64, u64)>,
}

impl DecodedTask {
    /// The bodies from the root down to this one, with the lines that they wait at.
    pub(crate) fn path_to(&self, body: Option<usize>) -> Vec<&Await> {
        let mut path = Vec::new();
        let mut next = body;
        // A parent has a smaller number, so this ends.
        while let Some(body) = next.and_then(|at| self.bodies.get(at)) {
            path.push(body);
            next = body.parent;
        }
        path.reverse();
        path
    }

    /// The variable that keeps the future in which a value is, if the task does not await that future.
    pub(crate) fn unpolled_in(&self, position: &Position) -> Option<&str> {
        self.path_to(position.body).into_iter().find_map(|body| body.kept_in.as_deref())
    }
}
