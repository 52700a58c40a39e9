//! The source lines of one unit.
//!
//! A line program is a list of sequences, mostly one for each function. It is run once to find where those begin; the rows of a sequence
//! are computed again for each address, which takes microseconds and saves most of the memory.

use std::num::NonZeroU64;

use gimli::{ColumnType, CompleteLineProgram, DebugLineOffset, LineSequence, UnitRef};

use crate::resolver::elf::read::object_bytes::Reader;

/// The sequences of a line program by address, and its files.
pub(crate) struct LineTable<'a> {
    program: CompleteLineProgram<Reader<'a>>,
    /// Sorted by where they begin.
    sequences: Vec<LineSequence<Reader<'a>>>,
}

/// A place in a source file, which the table knows by a number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SourcePlace {
    pub(crate) file: u64,
    pub(crate) line: Option<u32>,
    pub(crate) column: Option<u32>,
}

impl<'a> LineTable<'a> {
    /// Runs the line program of a unit. `None` when it cannot be read.
    pub(crate) fn new(unit: UnitRef<'_, Reader<'a>>, at: DebugLineOffset) -> Option<Self> {
        let lines = &unit.dwarf.debug_line;
        let program = lines.program(at, unit.address_size(), unit.comp_dir, unit.name).ok()?;
        let (program, mut sequences) = program.sequences().ok()?;
        // Those of dropped functions begin at zero.
        sequences.retain(|sequence| sequence.start != 0 && sequence.start < sequence.end);
        sequences.sort_by_key(|sequence| sequence.start);
        sequences.shrink_to_fit();
        Some(Self { program, sequences })
    }

    /// The place that an address comes from.
    pub(crate) fn place_of(&self, address: u64) -> Option<SourcePlace> {
        let before = self.sequences.partition_point(|sequence| sequence.start <= address);
        let sequence = &self.sequences[before.checked_sub(1)?];
        if address >= sequence.end {
            return None;
        }
        let mut rows = self.program.resume_from(sequence);
        let mut place = None;
        // Of several rows at one address, the last one counts.
        while let Ok(Some((_, row))) = rows.next_row() {
            if row.end_sequence() || row.address() > address {
                break;
            }
            let number = |number: NonZeroU64| u32::try_from(number.get()).ok();
            let line = row.line().and_then(number);
            let column = match row.column() {
                ColumnType::LeftEdge => None,
                ColumnType::Column(column) => number(column),
            };
            place =
                Some(SourcePlace { file: row.file_index(), line, column: column.filter(|_| line.is_some()) });
        }
        place
    }

    /// The path of a file.
    pub(crate) fn file(&self, unit: UnitRef<'_, Reader<'a>>, index: u64) -> Option<String> {
        let header = self.program.header();
        let file = header.file(index)?;
        let mut path = unit.comp_dir.map(|folder| folder.to_string_lossy().into_owned()).unwrap_or_default();
        // Zero is the folder that the compiler ran in.
        let folder = Some(file.directory_index()).filter(|&index| index != 0);
        let folder = folder.and_then(|index| header.directory(index));
        for part in folder.into_iter().chain([file.path_name()]) {
            push(&mut path, &unit.attr_string(part).ok()?.to_string_lossy());
        }
        Some(path)
    }

    /// Bytes of memory, about.
    pub(crate) fn bytes(&self) -> usize {
        let header = self.program.header();
        size_of_val(header.file_names())
            + size_of_val(header.include_directories())
            + self.sequences.capacity() * size_of::<LineSequence<Reader<'a>>>()
    }
}

/// Adds a part to a path, which may be one of Windows.
fn push(path: &mut String, part: &str) {
    let is_windows = |path: &str| path.starts_with('\\') || path.get(1..3) == Some(":\\");
    if part.starts_with('/') || part.get(1..3) == Some(":/") || is_windows(part) {
        path.clear();
    }
    let separator = if is_windows(path) { '\\' } else { '/' };
    if !path.is_empty() && !path.ends_with(separator) {
        path.push(separator);
    }
    path.push_str(part);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_path_are_joined_as_the_compiler_meant_them() {
        for (parts, path) in [
            (&["/src", "app", "main.rs"][..], "/src/app/main.rs"),
            (&["/src/", "/rustc/core", "lib.rs"], "/rustc/core/lib.rs"),
            (&["/src", "C:/app/main.rs"], "C:/app/main.rs"),
            (&["C:\\src", "app", "main.rs"], "C:\\src\\app\\main.rs"),
            (&["", "main.rs"], "main.rs"),
        ] {
            let mut joined = String::new();
            parts.iter().for_each(|part| push(&mut joined, part));
            assert_eq!(joined, path);
        }
    }
}
