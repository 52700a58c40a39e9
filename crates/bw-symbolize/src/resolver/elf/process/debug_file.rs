//! A file with the debug information of a module, for readers of more than names and lines.

use std::fmt;

use gimli::SectionId;

use crate::resolver::elf::read::object_bytes::{ObjectBytes, SECTIONS};

/// The file with the debug information of one module of a process. It is of the same build as the module.
pub struct DebugFile {
    bytes: ObjectBytes,
    bias: u64,
}

impl DebugFile {
    pub(super) fn new(bytes: ObjectBytes, bias: u64) -> Self {
        Self { bytes, bias }
    }

    /// Returns what addresses in the process have in addition to those in the file.
    #[must_use]
    pub fn bias(&self) -> u64 {
        self.bias
    }

    /// Returns the bytes of a section with debug information, such as `.debug_info`, unpacked. Empty if the file does not have it.
    #[must_use]
    pub fn section(&self, name: &str) -> &[u8] {
        let id = SECTIONS.into_iter().find(|id: &SectionId| id.name() == name);
        id.map(|id| self.bytes.named(id)).unwrap_or_default()
    }
}

impl fmt::Debug for DebugFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DebugFile").field("bias", &self.bias).finish_non_exhaustive()
    }
}
