//! A raw trace with names.

use std::sync::Arc;

use bw_core::StackFlags;

use crate::frame::PhysicalFrame;

/// A [`RawTrace`](bw_core::RawTrace) with every address symbolized. Plain `Send + Sync` data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SymbolizedTrace {
    /// The stacks, in the order they were recorded.
    pub stacks: Vec<SymbolizedStack>,
    /// How many stacks were recorded but did not fit; see [`RawTrace::dropped`](bw_core::RawTrace::dropped).
    pub dropped: usize,
}

impl SymbolizedTrace {
    /// Returns a trace of these stacks.
    #[must_use]
    pub fn new(stacks: Vec<SymbolizedStack>, dropped: usize) -> Self {
        Self { stacks, dropped }
    }
}

/// One stack of a [`SymbolizedTrace`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SymbolizedStack {
    /// The frames, **leaf first**, as in the raw stack. Equal addresses share one frame.
    pub frames: Vec<Arc<PhysicalFrame>>,
    /// How the stack was recorded, and whether it is whole.
    pub flags: StackFlags,
}

impl SymbolizedStack {
    /// Returns a stack of these frames, leaf first.
    #[must_use]
    pub fn new(frames: Vec<Arc<PhysicalFrame>>, flags: StackFlags) -> Self {
        Self { frames, flags }
    }
}
