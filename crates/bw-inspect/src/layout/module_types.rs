//! The types of all modules that tasks are from.

use std::ops::Range;

use bw_symbolize::DebugFile;

use super::debug_types::DebugTypes;

/// The types of all modules that tasks are from.
pub(crate) struct ModuleTypes<'d>(Vec<(Range<u64>, DebugTypes<'d>)>);

impl<'d> ModuleTypes<'d> {
    /// Reads the lists of units of these files. Each is the debug information of a module, which is at these addresses.
    pub(crate) fn new(files: &'d [(Range<u64>, DebugFile)]) -> Self {
        let types = files.iter().filter_map(|(range, file)| Some((range.clone(), DebugTypes::new(file)?)));
        Self(types.collect())
    }

    /// Returns the types of the module that has a function.
    pub(crate) fn of_function(&self, address: u64) -> Option<&DebugTypes<'d>> {
        self.0.iter().find(|(range, _)| range.contains(&address)).map(|(_, types)| types)
    }
}
