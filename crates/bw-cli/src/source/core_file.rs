//! A core file as a source: the memory of a process that has ended, or of which somebody made a copy.

use std::collections::HashMap;
use std::path::Path;

use bw_dump::{Process, RawDumpFile};
use bw_inspect::target::{CoreFile, Target as _};
use bw_inspect::{Inspection, Limits, inspect, task_type};
use bw_symbolize::Symbolizer;

use super::memory::failure;
use crate::output::failure::Failure;

/// A core file, which is read where it is needed.
#[derive(Debug)]
pub(crate) struct CoreSource(CoreFile);

impl CoreSource {
    /// Whether a core file is at a path.
    pub(crate) fn is_at(path: &Path) -> bool {
        CoreFile::is_at(path)
    }

    /// Opens it. `executable` is where the program is now.
    pub(crate) fn open(path: &Path, executable: Option<&Path>) -> Result<Self, Failure> {
        CoreFile::open(path, executable).map(Self).map_err(|error| failure(&error))
    }

    /// The path of the program when it ran.
    pub(crate) fn executable(&self) -> Option<&Path> {
        self.0.executable()
    }

    /// The file, to be read.
    pub(crate) fn as_target(&self) -> &CoreFile {
        &self.0
    }

    /// Reads it.
    pub(crate) fn inspect(&self) -> Result<Inspection, Failure> {
        inspect(&self.0, &Limits::default()).map_err(|error| failure(&error))
    }

    /// Returns a dump whose tasks are named after their types.
    pub(crate) fn file(&self, inspection: Inspection, symbolizer: &Symbolizer) -> RawDumpFile<'static> {
        // Only core files of Linux are read.
        let mut process = Process::new(self.0.pid());
        process.executable = self.0.executable().map(Path::to_owned);
        (process.os, process.architecture) = ("linux".to_owned(), self.0.architecture().to_owned());
        let mut types: HashMap<u64, Option<String>> = HashMap::new();
        let name = |poll| types.entry(poll).or_insert_with(|| task_type(symbolizer, poll)).clone();
        inspection.named(name).into_file(process)
    }
}
