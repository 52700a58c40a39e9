//! A core file as a source: the memory of a process that has ended, or of which somebody made a copy.

use std::path::Path;

use bw_dump::{Process, RawDumpFile};
use bw_inspect::target::{CoreFile, OpenError, Target as _};
use bw_inspect::{Inspection, Limits, inspect};
use bw_symbolize::Symbolizer;

use super::memory::failure;
use super::task_names::TaskNames;
use crate::output::failure::Failure;

/// What a core file without a name is called.
const STDIN: &str = "stdin";
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

    /// Opens one that has no name of its own, because it came on stdin.
    pub(crate) fn open_unnamed(path: &Path, executable: Option<&Path>) -> Result<Self, Failure> {
        let named = |error| match error {
            OpenError::CoreFile { reason, .. } => OpenError::CoreFile { path: STDIN.into(), reason },
            OpenError::Executable { path, reason, .. } => {
                OpenError::Executable { path, core: STDIN.into(), reason }
            }
            other => other,
        };
        CoreFile::open(path, executable).map(Self).map_err(|error| failure(&named(error)))
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

    /// Returns a dump whose tasks have names.
    pub(crate) fn file(&self, inspection: Inspection, symbolizer: &Symbolizer) -> RawDumpFile<'static> {
        // Only core files of Linux are read.
        let mut process = Process::new(self.0.pid());
        process.executable = self.0.executable().map(Path::to_owned);
        (process.os, process.architecture) = ("linux".to_owned(), self.0.architecture().to_owned());
        TaskNames::default().name(inspection, symbolizer).into_file(process)
    }
}
