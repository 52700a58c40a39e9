//! Modules by address.

use std::ops::Range;
use std::sync::Arc;

use bw_core::LookupAddress;

use crate::resolver::Generation;
use crate::resolver::elf::loaded::Snapshot;
use crate::resolver::elf::module::Module;

/// The modules of one generation.
pub(super) struct ModuleTable {
    generation: Generation,
    /// Address ranges in this process, by start; they do not overlap.
    ranges: Vec<(Range<u64>, Arc<Module>)>,
}

impl ModuleTable {
    /// Lists the modules, keeping those of `previous` that are certainly the same, with what they have opened.
    ///
    /// After something was unloaded, that is the main program alone: a library that was built anew may have been
    /// loaded again at the same place.
    pub(super) fn new(snapshot: Snapshot, previous: Option<&Self>) -> Self {
        let generation = snapshot.generation;
        let keep = previous.map_or(&[][..], |previous| previous.ranges.as_slice());
        let only_main = previous.is_some_and(|previous| previous.generation.unloads != generation.unloads);
        let mut ranges = Vec::new();
        for loaded in snapshot.modules {
            let known = keep
                .iter()
                .map(|(_, module)| module)
                .find(|module| module.is_same(&loaded) && (!only_main || module.is_main()));
            let module = known.map_or_else(|| Arc::new(Module::new(loaded)), Arc::clone);
            ranges.extend(module.ranges().map(|range| (range, Arc::clone(&module))));
        }
        ranges.sort_by_key(|(range, _)| range.start);
        Self { generation, ranges }
    }

    pub(super) fn generation(&self) -> Generation {
        self.generation
    }

    /// The module an address lies in.
    pub(super) fn find(&self, address: LookupAddress) -> Option<&Arc<Module>> {
        let address = address.get() as u64;
        let after = self.ranges.partition_point(|(range, _)| range.start <= address);
        let (range, module) = &self.ranges[after.checked_sub(1)?];
        range.contains(&address).then_some(module)
    }

    /// Whether this is the path of the main program.
    pub(super) fn is_main(&self, path: &str) -> bool {
        self.ranges.iter().any(|(_, module)| module.is_main() && **module.path() == *path)
    }
}
