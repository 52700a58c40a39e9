//! Addresses that a process does not use: for the stack of an emulated poll, and for memory that it asks for.

use crate::target::mappings::Mapping;

/// Bytes of the stack of an emulated poll.
pub(crate) const STACK_BYTES: u64 = 2 << 20;
/// Bytes for the tables of functions that stored wakers get.
pub(crate) const TABLE_BYTES: u64 = 256 * 1024;
/// Bytes that an emulated poll may ask the kernel for.
pub(crate) const HEAP_BYTES: u64 = 64 << 20;
/// Bytes that stay unmapped between the parts: what runs out of one does not run into another.
const GAP: u64 = 1 << 20;

/// Where the parts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FreeSpace {
    /// The lowest address of the stack.
    pub(crate) stack: u64,
    pub(crate) tables: u64,
    pub(crate) heap: u64,
    /// An address without memory, to which the poll returns.
    pub(crate) end: u64,
}

impl FreeSpace {
    /// Finds addresses between the mappings. Falls back to the middle of the address space if it is full, which no process is.
    pub(crate) fn find(mappings: &[Mapping]) -> Self {
        const BYTES: u64 = STACK_BYTES + TABLE_BYTES + HEAP_BYTES + 5 * GAP;
        /// Below where kernels put libraries and stacks, and above where they put programs.
        const CANDIDATES: [u64; 5] =
            [0x6000_0000_0000, 0x4000_0000_0000, 0x2000_0000_0000, 0x1000_0000_0000, 0x6800_0000_0000];

        let is_free = |start: &&u64| {
            let end = **start + BYTES;
            mappings.iter().all(|mapping| mapping.range.end <= **start || end <= mapping.range.start)
        };
        let start = *CANDIDATES.iter().find(is_free).unwrap_or(&CANDIDATES[0]);
        let stack = start + GAP;
        let tables = stack + STACK_BYTES + GAP;
        let heap = tables + TABLE_BYTES + GAP;
        Self { stack, tables, heap, end: heap + HEAP_BYTES + GAP }
    }

    /// Returns where the stack begins, which grows downwards.
    pub(crate) fn stack_top(&self) -> u64 {
        self.stack + STACK_BYTES
    }
}
