//! Lines by address.

use gimli::{ColumnType, CompleteLineProgram, IncompleteLineProgram, LineSequence};

use crate::resolver::elf::dwarf::Reader;

/// The line program of one unit, and where its sequences are: about one for each function.
///
/// The rows are not kept. A sequence is run again for each address in it, which takes a microsecond or a few.
pub(super) struct Lines<'a> {
    program: CompleteLineProgram<Reader<'a>>,
    /// By where they start.
    sequences: Vec<LineSequence<Reader<'a>>>,
}

/// One position, its file by number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) file: u64,
    pub(super) line: Option<u32>,
    pub(super) column: Option<u32>,
}

impl<'a> Lines<'a> {
    /// Runs the program once, from end to end.
    pub(super) fn new(program: IncompleteLineProgram<Reader<'a>>) -> Option<Self> {
        let (program, mut sequences) = program.sequences().ok()?;
        sequences.retain(|sequence| sequence.start < sequence.end);
        sequences.sort_by_key(|sequence| sequence.start);
        sequences.shrink_to_fit();
        Some(Self { program, sequences })
    }

    /// The position of the instruction at an address.
    pub(super) fn find(&self, svma: u64) -> Option<Row> {
        let after = self.sequences.partition_point(|sequence| sequence.start <= svma);
        // Of sequences that begin at one address, in a damaged file, the last.
        let sequence = self.sequences[after.checked_sub(1)?].clone();
        if sequence.end <= svma {
            return None;
        }
        let mut rows = self.program.resume_from(&sequence);
        let mut found = None;
        while let Ok(Some((_, row))) = rows.next_row() {
            if row.address() > svma {
                break;
            }
            let small = |number: u64| u32::try_from(number).ok();
            let column = match row.column() {
                ColumnType::LeftEdge => None,
                ColumnType::Column(column) => small(column.get()),
            };
            let line = row.line().and_then(|line| small(line.get()));
            found = Some(Row { file: row.file_index(), line, column: column.filter(|_| line.is_some()) });
        }
        found
    }

    /// The path of a file, as the compiler was given it, absolute where the unit tells its folder.
    pub(super) fn path(&self, unit: gimli::UnitRef<'_, Reader<'a>>, file: u64) -> Option<String> {
        path(unit, self.program.header(), file)
    }

    /// Bytes of memory, about.
    pub(super) fn bytes(&self) -> usize {
        // A file entry takes about 100 bytes in memory, and eight or more in the file.
        let header = self.program.header();
        self.sequences.capacity() * size_of::<LineSequence<Reader<'a>>>() + header.file_names().len() * 112
    }
}

fn path<'a>(
    unit: gimli::UnitRef<'_, Reader<'a>>,
    header: &gimli::LineProgramHeader<Reader<'a>>,
    file: u64,
) -> Option<String> {
    let file = header.file(file)?;
    let mut path = unit.comp_dir.map(|folder| folder.to_string_lossy().into_owned()).unwrap_or_default();
    // Zero is the unit's own folder.
    if file.directory_index() != 0
        && let Some(folder) = file.directory(header)
    {
        push(&mut path, &unit.attr_string(folder).ok()?.to_string_lossy());
    }
    push(&mut path, &unit.attr_string(file.path_name()).ok()?.to_string_lossy());
    Some(path)
}

fn push(path: &mut String, part: &str) {
    let is_absolute =
        |part: &str| part.starts_with('/') || part.starts_with('\\') || part.get(1..3) == Some(":\\");
    if is_absolute(part) {
        path.clear();
    } else if !path.is_empty() && !path.ends_with(['/', '\\']) {
        path.push(if path.contains('\\') && !path.contains('/') { '\\' } else { '/' });
    }
    path.push_str(part);
}
