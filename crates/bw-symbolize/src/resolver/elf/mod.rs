//! The backend for platforms with ELF modules: the loader's list, and our own reading of the files.
//!
//! | File | Holds |
//! |---|---|
//! | `loaded.rs` | what the dynamic loader says is in memory (unsafe) |
//! | `build_id.rs` | the build id in a module's notes |
//! | `table.rs` | modules by address |
//! | `module.rs` | one module, with its debug information once somebody asked |
//! | `debug_source.rs` | where debug information comes from (the only file I/O; unsafe: mapping) |
//! | `debug_info.rs` | frames from the bytes of one file |
//! | `scopes.rs` | what the debug information calls a function and the bodies around it |
//! | `symbol_table.rs` | functions from the symbol table |

mod build_id;
mod debug_info;
mod debug_source;
mod loaded;
mod module;
mod scopes;
mod symbol_table;
mod table;

use std::sync::Arc;

use bw_core::ReturnAddress;
use parking_lot::RwLock;

use crate::frame::{ModuleOffset, PhysicalFrame};
use crate::resolver::Generation;
use crate::resolver::elf::table::ModuleTable;

/// See the contract in [`super`].
///
/// No lock of ours is held while the loader is asked: a constructor that runs under the loader's lock and
/// symbolizes would otherwise wait for us while we wait for the loader.
pub(crate) struct Resolver {
    table: RwLock<Option<Arc<ModuleTable>>>,
}

impl Resolver {
    pub(crate) const fn new() -> Self {
        Self { table: RwLock::new(None) }
    }

    pub(crate) fn generation(&self) -> Generation {
        loaded::generation()
    }

    pub(crate) fn resolve(
        &self,
        address: ReturnAddress,
        generation: Generation,
    ) -> (Generation, PhysicalFrame) {
        let table = self.table(generation);
        let Some(module) = table.find(address.lookup()) else {
            return (table.generation(), PhysicalFrame { address, module: None, frames: Vec::new() });
        };
        let frames = module.frames(address.lookup());
        let offset = (address.get() as u64).wrapping_sub(module.bias());
        let module = Some(ModuleOffset { path: Arc::clone(module.path()), offset });
        (table.generation(), PhysicalFrame { address, module, frames })
    }

    /// A frame without a module may belong to a module loaded since. Once something was unloaded, another module
    /// may stand at any place but the main program's, which cannot be unloaded.
    pub(crate) fn outlives(&self, frame: &PhysicalFrame, then: Generation, now: Generation) -> bool {
        match &frame.module {
            None => then == now,
            Some(_) if then.unloads == now.unloads => true,
            Some(module) => {
                let table = self.table.read();
                table.as_ref().is_some_and(|table| table.is_main(&module.path))
            }
        }
    }

    pub(crate) fn clear(&self) {
        let table = self.table.write().take();
        // Unmapping files takes a while; not under the lock.
        drop(table);
    }

    fn table(&self, generation: Generation) -> Arc<ModuleTable> {
        let current = self.table.read().clone();
        if let Some(current) = &current
            && current.generation() == generation
        {
            return Arc::clone(current);
        }
        let table = Arc::new(ModuleTable::new(loaded::snapshot(), current.as_deref()));
        let mut slot = self.table.write();
        match &*slot {
            // Another thread was faster. Its modules may be opened already, so they are the ones to use.
            Some(other) if other.generation() == table.generation() => Arc::clone(other),
            _ => {
                let replaced = slot.replace(Arc::clone(&table));
                drop(slot);
                drop(replaced);
                table
            }
        }
    }
}
