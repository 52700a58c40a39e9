//! The backend for this process, where a dynamic loader lists ELF modules.

use std::sync::Arc;

use bw_core::ReturnAddress;
use bw_dump::loaded::{LoadGeneration, LoadedModule, LoadedModules};
use parking_lot::RwLock;

use crate::frame::PhysicalFrame;
use crate::problem::Problem;
use crate::resolver::elf::find::identity::{Identity, Layout, Segment, path_text};
use crate::resolver::elf::process::memory_budget::Budget;
use crate::resolver::elf::process::module::ModuleBytes;
use crate::resolver::elf::process::module_table::ModuleTable;
use crate::symbol_sources::SymbolSources;

/// See the contract in [`crate::resolver`].
///
/// No lock of ours is held while the loader is asked: a constructor that runs under the loader's lock and
/// symbolizes would otherwise wait for us while we wait for the loader.
pub(crate) struct ThisProcess {
    table: RwLock<Option<Arc<ModuleTable>>>,
    sources: SymbolSources,
    budget: Arc<Budget>,
}

impl ThisProcess {
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
        let (generation, modules) = (loaded.generation, loaded.modules.into_iter().map(identify));
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

/// Opens the file that this process runs, also when it was replaced or deleted since.
const PROGRAM: &str = "/proc/self/exe";

/// Returns what a module is, and where its bytes are.
fn identify(loaded: LoadedModule) -> (Identity, ModuleBytes) {
    let LoadedModule { path, is_program, bias, segments, build_id, image, .. } = loaded;
    let segments = segments.into_iter().map(|it| Segment { range: it.range, is_code: it.is_code }).collect();
    let layout = Layout::Segments(segments);
    let identity = Identity { path: path_text(&path), is_main: is_program, build_id, bias, layout };
    let bytes = match image {
        _ if is_program => ModuleBytes::File { open: PROGRAM.into(), place: path },
        Some(image) => ModuleBytes::Image(image.into()),
        // A name without a slash must not be looked up in the current directory.
        None if path.as_os_str().as_encoded_bytes().contains(&b'/') => {
            ModuleBytes::File { open: path.clone(), place: path }
        }
        None => ModuleBytes::None,
    };
    (identity, bytes)
}
