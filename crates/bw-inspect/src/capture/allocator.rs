//! Allocation in an emulated poll, answered by hand.
//!
//! The allocator of the process may be in the hands of another thread: its lock is held, or a list of free blocks is half changed. A poll that
//! waited for the lock would end there, and its task would have no trace. So the functions of the C library's allocator are answered from
//! memory that only the overlay has, and nothing is ever freed.

use std::collections::HashMap;
use std::path::Path;

use super::kernel::Kernel;
use crate::emulate::{AnyMachine as Machine, Fault};
use crate::target::exported_functions::ExportedFunctions;
use crate::target::memory::Memory;
use crate::target::modules::LoadedModules;

/// The alignment of a block whose alignment nobody asked for.
const ALIGNMENT: u64 = 16;
/// Bytes that are copied at most when a block grows.
const MOST_COPIED: u64 = 16 << 20;
/// Bits of the size in front of a block of glibc that are flags.
const SIZE_FLAGS: u64 = 7;
/// `ENOMEM`, as a result.
const NO_MEMORY: u64 = 12;

/// A function of an allocator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    Allocate,
    AllocateZeroed,
    AllocateAligned,
    AllocateAlignedTo,
    Reallocate,
    Free,
}

const NAMES: [(&str, Function); 7] = [
    ("malloc", Function::Allocate),
    ("calloc", Function::AllocateZeroed),
    ("aligned_alloc", Function::AllocateAligned),
    ("memalign", Function::AllocateAligned),
    ("posix_memalign", Function::AllocateAlignedTo),
    ("realloc", Function::Reallocate),
    ("free", Function::Free),
];

/// The functions of the allocators that a process exports, by address.
#[derive(Clone, Debug, Default)]
pub(crate) struct Allocator(HashMap<u64, Function>);

impl Allocator {
    /// Finds them. A program whose allocator is linked into it exports none: its allocator is emulated as it is.
    pub(crate) fn find(memory: &dyn Memory, modules: &LoadedModules) -> Self {
        let is_library = |path: &Path| {
            path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"libc.so"))
        };
        // Sizes of blocks stand in front of them only in glibc.
        let libraries = modules.all().iter().filter(|module| is_library(module.module().path()));
        let exported = libraries.filter_map(|module| ExportedFunctions::of(memory, module));
        let found = exported.flat_map(|exported| {
            NAMES.iter().filter_map(move |(name, function)| Some((exported.find(memory, name)?, *function)))
        });
        Self(found.collect())
    }

    /// Returns the addresses of the functions.
    pub(crate) fn traps(&self) -> impl Iterator<Item = u64> {
        self.0.keys().copied()
    }

    /// Answers a function at its first instruction. `None` if it is none of an allocator.
    pub(crate) fn function(
        &self,
        machine: &mut Machine<'_>,
        kernel: &mut Kernel,
        at: u64,
    ) -> Option<Result<(), Fault>> {
        let function = *self.0.get(&at)?;
        let [first, second, third] = [0, 1, 2].map(|number| machine.cpu.argument(number).unwrap_or(0));
        let value = match function {
            Function::Allocate => allocate(machine, kernel, first, ALIGNMENT),
            // New memory is zero.
            Function::AllocateZeroed => match first.checked_mul(second) {
                Some(bytes) => allocate(machine, kernel, bytes, ALIGNMENT),
                None => Ok(0),
            },
            Function::AllocateAligned => allocate(machine, kernel, second, first),
            Function::AllocateAlignedTo => match allocate(machine, kernel, third, second) {
                Ok(0) => Ok(NO_MEMORY),
                Ok(block) => machine.memory.write_u64(first, block).map(|()| 0),
                Err(fault) => Err(fault),
            },
            Function::Reallocate => reallocate(machine, kernel, first, second),
            Function::Free => Ok(0),
        };
        Some(value.and_then(|value| machine.return_at_once(value)))
    }
}

/// A new block; 0 if there is no room. Its size is in front of it, as in one of glibc.
fn allocate(
    machine: &mut Machine<'_>,
    kernel: &mut Kernel,
    bytes: u64,
    alignment: u64,
) -> Result<u64, Fault> {
    let room = bytes.checked_add(ALIGNMENT);
    let Some(block) = room.and_then(|room| kernel.block(room, alignment.max(ALIGNMENT))) else {
        return Ok(0);
    };
    machine.memory.write_u64(block.wrapping_sub(8), (bytes + 8).next_multiple_of(ALIGNMENT) | 1)?;
    Ok(block)
}

fn reallocate(machine: &mut Machine<'_>, kernel: &mut Kernel, old: u64, bytes: u64) -> Result<u64, Fault> {
    let block = allocate(machine, kernel, bytes, ALIGNMENT)?;
    if old == 0 || block == 0 {
        return Ok(block);
    }
    let size = (machine.memory.read_u64(old.wrapping_sub(8))? & !SIZE_FLAGS).saturating_sub(8);
    let mut content = vec![0; usize::try_from(size.min(bytes).min(MOST_COPIED)).unwrap_or(0)];
    machine.memory.read(old, &mut content)?;
    machine.memory.write(block, &content)?;
    Ok(block)
}
