//! In place of the backend of kept rules, where there is none: every stack takes the slow walk.

use super::{Bounds, End, Frames};

pub(crate) use super::no_thread_walker::ThreadWalker;

/// Whether that backend exists here.
pub(super) const AVAILABLE: bool = false;

pub(super) fn prepare() {}

pub(super) fn walk(
    _bounds: Bounds,
    _root: usize,
    _may_evaluate: bool,
    _frames: &mut Frames,
    _misses: &mut usize,
) -> Option<End> {
    None
}

pub(super) fn evaluate_postponed() {}
