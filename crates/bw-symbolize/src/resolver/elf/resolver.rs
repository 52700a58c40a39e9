//! The backend where a dynamic loader lists ELF modules.

use std::sync::Arc;

use bw_core::ReturnAddress;
use bw_dump::loaded::{LoadGeneration, LoadedModules};
use parking_lot::RwLock;

use crate::frame::PhysicalFrame;
use crate::problem::Problem;
use crate::resolver::elf::budget::Budget;
use crate::resolver::elf::table::ModuleTable;
use crate::resolver::elf::program;
use crate::symbol_sources::SymbolSources;

/// See the contract in [`crate::resolver`].
///
/// No lock of ours is held while the loader is asked: a constructor that runs under the loader's lock and
/// symbolizes would otherwise wait for us while we wait for the loader.
pub(crate) struct Resolver {
    table: RwLock<Option<Arc<ModuleTable>>>,
    sources: SymbolSources,
    budget: Arc<Budget>,
}

impl Resolver {
    pub(crate) fn new(sources: SymbolSources, budget: Budget) -> Self {
        Self { table: RwLock::new(None), sources, budget: Arc::new(budget) }
    }

    pub(crate) fn generation(&self) -> LoadGeneration {
        LoadGeneration::now()
    }

    pub(crate) fn resolve(
        &self,
        address: ReturnAddress,
        generation: LoadGeneration,
    ) -> (LoadGeneration, PhysicalFrame) {
        let table = self.table(generation);
        (table.generation(), table.resolve(address, &self.sources, &self.budget))
    }

    /// A frame without a module may belong to a module loaded since. Once something was unloaded, another module
    /// may stand at any place but the main program's, which cannot be unloaded.
    pub(crate) fn outlives(&self, frame: &PhysicalFrame, then: LoadGeneration, now: LoadGeneration) -> bool {
        match &frame.module {
            None => then == now,
            Some(_) if then.unloads == now.unloads => true,
            Some(module) => {
                let table = self.table.read();
                table.as_ref().is_some_and(|table| table.is_main(&module.path))
            }
        }
    }

    pub(crate) fn problems(&self) -> Vec<Problem> {
        // A module may be opening: not under the lock.
        let table = self.table.read().clone();
        table.map(|table| table.problems()).unwrap_or_default()
    }

    pub(crate) fn clear(&self) {
        let table = self.table.write().take();
        // Unmapping files takes a while; not under the lock.
        drop(table);
    }

    fn table(&self, generation: LoadGeneration) -> Arc<ModuleTable> {
        let current = self.table.read().clone();
        if let Some(current) = &current
            && current.generation() == generation
        {
            return Arc::clone(current);
        }
        let loaded = LoadedModules::now();
        let (generation, modules) = (loaded.generation, loaded.modules.into_iter().map(program::module));
        let table = Arc::new(ModuleTable::new(generation, modules, current.as_deref()));
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
