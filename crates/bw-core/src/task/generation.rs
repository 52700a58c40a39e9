//! The process-wide request generation: how a poll learns, with one relaxed load, that *somebody* was asked.
//!
//! A requester bumps it after it has put its request on the task's list. A poll that sees another value than at its
//! last look takes its slow path and looks at its own list. So one request sends every task through its slow path
//! once, and no poll of a task nobody asked touches shared memory that is written often.

use crate::sync::Ordering;
use crate::time::shared_cache_line::SHARED_CACHE_LINE;

/// The generation now.
#[inline(always)]
pub(crate) fn current() -> usize {
    // Ordering: Relaxed is enough. A request is made, then the generation is bumped, then the task is woken; the
    // executor orders a wake before the poll it causes, so that poll sees the bump. A poll that runs before the
    // wake may miss it, and is followed by the one that the wake causes.
    SHARED_CACHE_LINE.generation.load(Ordering::Relaxed)
}

/// Announces a request that is already on its task's list.
pub(crate) fn bump() {
    // Ordering: Release pairs with whatever the executor uses between wake and poll; see `current`. Wrapping is
    // harmless: only inequality with a recent value matters.
    SHARED_CACHE_LINE.generation.fetch_add(1, Ordering::Release);
}
