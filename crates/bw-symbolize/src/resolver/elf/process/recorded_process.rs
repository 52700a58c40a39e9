//! The backend for the modules of another process, which are told once and do not change.

use std::sync::Arc;

use bw_core::ReturnAddress;
use bw_dump::loaded::LoadGeneration;
use bw_dump::{Module, ModuleMap};
use parking_lot::RwLock;

use crate::frame::PhysicalFrame;
use crate::problem::Problem;
use crate::resolver::elf::find::identity::Identity;
use crate::resolver::elf::process::debug_file::DebugFile;
use crate::resolver::elf::process::memory_budget::Budget;
use crate::resolver::elf::process::module::ModuleBytes;
use crate::resolver::elf::process::module_table::ModuleTable;
use crate::symbol_sources::SymbolSources;

/// See the contract in [`crate::resolver`]; it is of one generation.
pub(crate) struct RecordedProcess {
    map: ModuleMap,
    sources: SymbolSources,
    budget: Arc<Budget>,
    table: RwLock<Arc<ModuleTable>>,
}

impl RecordedProcess {
    pub(crate) fn new(map: ModuleMap, sources: SymbolSources, budget: Budget) -> Self {
        let table = RwLock::new(table(&map, &sources));
        Self { map, sources, budget: Arc::new(budget), table }
    }

    pub(crate) fn resolve(&self, address: ReturnAddress) -> PhysicalFrame {
        let table = Arc::clone(&self.table.read());
        table.resolve(address, &self.sources, &self.budget)
    }

    pub(crate) fn debug_file(&self, address: u64) -> Option<DebugFile> {
        let table = Arc::clone(&self.table.read());
        table.find(address)?.debug_file(&self.sources, &self.budget)
    }

    pub(crate) fn problems(&self) -> Vec<Problem> {
        let table = Arc::clone(&self.table.read());
        table.problems()
    }

    pub(crate) fn clear(&self) {
        let fresh = table(&self.map, &self.sources);
        let replaced = std::mem::replace(&mut *self.table.write(), fresh);
        // Unmapping files takes a while; not under the lock.
        drop(replaced);
    }
}

fn table(map: &ModuleMap, sources: &SymbolSources) -> Arc<ModuleTable> {
    let bytes = |module: &Module| ModuleBytes::recorded(module.path(), sources);
    let modules = map.modules().iter().map(|module| (Identity::recorded(module), bytes(module)));
    Arc::new(ModuleTable::new(LoadGeneration::default(), modules, None))
}
