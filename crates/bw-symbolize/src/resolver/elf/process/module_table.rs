//! Modules by address.

use std::ops::Range;
use std::sync::Arc;

use bw_core::ReturnAddress;
use bw_dump::loaded::LoadGeneration;

use crate::frame::{ModuleOffset, PhysicalFrame};
use crate::problem::Problem;
use crate::resolver::elf::find::identity::Identity;
use crate::resolver::elf::process::memory_budget::Budget;
use crate::resolver::elf::process::module::{Module, ModuleBytes};
use crate::symbol_sources::SymbolSources;

/// The modules of one generation.
pub(crate) struct ModuleTable {
    generation: LoadGeneration,
    modules: Vec<Arc<Module>>,
    /// Address ranges in this process, by start; they do not overlap.
    ranges: Vec<(Range<u64>, Arc<Module>)>,
}

impl ModuleTable {
    /// A table of these modules, keeping those of `previous` that are certainly the same, with what they have opened.
    ///
    /// After something was unloaded, that is the main program alone: a library that was built anew may have been
    /// loaded again at the same place.
    pub(crate) fn new(
        generation: LoadGeneration,
        modules: impl Iterator<Item = (Identity, ModuleBytes)>,
        previous: Option<&Self>,
    ) -> Self {
        let keep = previous.map_or(&[][..], |previous| previous.modules.as_slice());
        let only_main = previous.is_some_and(|previous| previous.generation.unloads != generation.unloads);
        let modules: Vec<Arc<Module>> = modules
            .map(|(identity, bytes)| {
                let known = keep
                    .iter()
                    .find(|module| module.is_same(&identity, &bytes) && (!only_main || identity.is_main));
                known.map_or_else(|| Arc::new(Module::new(identity, bytes)), Arc::clone)
            })
            .collect();
        let mut ranges: Vec<_> = modules
            .iter()
            .flat_map(|module| {
                module.identity().ranges().into_iter().map(move |range| (range, Arc::clone(module)))
            })
            .collect();
        ranges.sort_by_key(|(range, _)| range.start);
        Self { generation, modules, ranges }
    }

    pub(crate) fn generation(&self) -> LoadGeneration {
        self.generation
    }

    /// The frames of one address. Blocks where its module was not opened yet.
    pub(crate) fn resolve(
        &self,
        address: ReturnAddress,
        sources: &SymbolSources,
        budget: &Arc<Budget>,
    ) -> PhysicalFrame {
        let Some(module) = self.find(address.lookup().get() as u64) else {
            return PhysicalFrame { address, module: None, frames: Vec::new() };
        };
        let in_file = |address: usize| (address as u64).wrapping_sub(module.identity().bias);
        let frames = module.frames(in_file(address.lookup().get()), sources, budget);
        if budget.is_exceeded() {
            // What this module could give back, it has.
            for other in self.modules.iter().filter(|other| !Arc::ptr_eq(other, module)) {
                other.shrink();
            }
        }
        let module =
            Some(ModuleOffset { path: Arc::clone(&module.identity().path), offset: in_file(address.get()) });
        PhysicalFrame { address, module, frames }
    }

    /// The module an address lies in.
    pub(super) fn find(&self, address: u64) -> Option<&Arc<Module>> {
        let after = self.ranges.partition_point(|(range, _)| range.start <= address);
        let (range, module) = &self.ranges[after.checked_sub(1)?];
        range.contains(&address).then_some(module)
    }

    /// Whether this is the path of the main program.
    pub(crate) fn is_main(&self, path: &str) -> bool {
        self.modules.iter().any(|module| module.identity().is_main && *module.identity().path == *path)
    }

    /// Why names or lines are missing, in every module that was asked about.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        self.modules.iter().flat_map(|module| module.problems()).collect()
    }
}
