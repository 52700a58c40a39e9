//! A task dump with all that is needed to symbolize it elsewhere.

use std::borrow::Cow;
use std::io;

use bw_core::{RawTaskDump, TaskFilter};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::error::RawDumpError;
use super::reader::RawDumpReader;
use super::writer;
use crate::module_map::ModuleMap;
use crate::process::Process;

/// A task dump with all that is needed to symbolize it elsewhere: the process it is of, and its modules. What is written to
/// a raw dump file, and what is read from one. See [`raw_dump`](crate::raw_dump) for the format.
///
/// ```
/// use bw_dump::RawDumpFile;
///
/// let dump = bw_core::Registry::global().dump().blocking();
/// let mut file = Vec::new();
/// RawDumpFile::of_this_process(&dump).write(&mut file)?;
///
/// let read = RawDumpFile::read(&*file)?;
/// assert_eq!(read.process().pid, std::process::id());
/// assert_eq!(read.dump().tasks(), dump.tasks());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RawDumpFile<'a> {
    process: Process,
    modules: ModuleMap,
    dump: Cow<'a, RawTaskDump>,
}

impl<'a> RawDumpFile<'a> {
    /// A dump of this process with what is loaded now: make it soon after the dump, and before anything is unloaded.
    ///
    /// Takes some ten microseconds: asks the dynamic loader for its modules ([`ModuleMap::of_this_process`]) and the kernel
    /// for the process ([`Process::this`]). Reads no debug information.
    #[must_use]
    pub fn of_this_process(dump: &'a RawTaskDump) -> Self {
        Self::new(Process::this(), ModuleMap::of_this_process(), Cow::Borrowed(dump))
    }

    /// A dump by hand.
    #[must_use]
    pub fn new(process: Process, modules: ModuleMap, dump: Cow<'a, RawTaskDump>) -> Self {
        Self { process, modules, dump }
    }

    /// Which process it is of.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// What was loaded in that process.
    #[must_use]
    pub fn modules(&self) -> &ModuleMap {
        &self.modules
    }

    /// The tasks, and where they wait, as return addresses in that process: what a symbolizer for
    /// [its modules](Self::modules) takes.
    #[must_use]
    pub fn dump(&self) -> &RawTaskDump {
        &self.dump
    }

    /// The same without the tasks that do not pass: see [`RawTaskDump::only`]. Linear in the number of tasks; copies them if they
    /// are borrowed.
    #[must_use]
    pub fn only(self, filter: &TaskFilter) -> Self {
        Self { dump: Cow::Owned(self.dump.into_owned().only(filter)), ..self }
    }

    /// Writes it. `out` need not be buffered, and is not flushed. About 130 bytes for each task and 15 for each frame of a
    /// distinct stack; 100,000 tasks take about 20 ms of processor time.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write(&self, out: impl io::Write) -> io::Result<()> {
        writer::write(self, out)
    }

    /// Writes it compressed with gzip, to about a fifth. Takes some times as long.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write_gzip(&self, out: impl io::Write) -> io::Result<()> {
        let mut encoder = GzEncoder::new(out, Compression::fast());
        self.write(&mut encoder)?;
        encoder.finish().map(drop)
    }
}

impl RawDumpFile<'static> {
    /// Reads a raw dump file, compressed or not, of any version up to [`VERSION`](crate::raw_dump::VERSION).
    ///
    /// Takes what [`RawDumpReader`] takes unless told otherwise. Never panics, whatever is in the file.
    ///
    /// # Errors
    ///
    /// When `input` cannot be read, or is no valid raw dump file, or a too large one, or of a later version.
    pub fn read(input: impl io::Read) -> Result<Self, RawDumpError> {
        RawDumpReader::new().read(input)
    }
}
