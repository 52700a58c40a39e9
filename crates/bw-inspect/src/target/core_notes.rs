//! The notes of a core file: what the kernel or gdb says of the process beside its memory; see `core(5)` and `elf(5)`.

use std::ops::Range;
use std::path::PathBuf;

use super::architecture::Architecture;
use super::mappings;
use super::positioned_file::PositionedFile;
use super::registers::Registers;
use super::threads::{Thread, WaitingAt};
use super::words::words_of;

/// Notes that are read of one file.
const MOST_NOTES: usize = 1 << 20;
/// Threads that are kept.
const MOST_THREADS: usize = 65_536;
/// Bytes of the list of mapped files. Linux allows 65,530 mappings, unless told.
const MOST_LIST_BYTES: u64 = 64 << 20;
/// Bytes of every other note that is read.
const MOST_BYTES: u64 = 4096;
/// The name of the notes that are read.
const NAME: &[u8] = b"CORE\0";

/// Kinds of notes.
mod kind {
    pub(super) const STATUS: u32 = 1;
    pub(super) const PROCESS: u32 = 3;
    pub(super) const AUXILIARY: u32 = 6;
    pub(super) const FILES: u32 = 0x4649_4c45;
}

/// Kinds of auxiliary words.
mod auxiliary {
    pub(super) const PROGRAM_HEADERS: u64 = 3;
    pub(super) const ENTRY: u64 = 9;
    pub(super) const VDSO: u64 = 33;
}

/// A part of a file that was mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MappedFile {
    pub(crate) range: Range<u64>,
    pub(crate) file_offset: u64,
    pub(crate) path: PathBuf,
}

/// What the notes say.
#[derive(Clone, Debug, Default)]
pub(crate) struct CoreNotes {
    architecture: Architecture,
    pub(crate) process: Option<u32>,
    pub(crate) threads: Vec<Thread>,
    /// By address.
    pub(crate) files: Vec<MappedFile>,
    /// An address in the executable.
    pub(crate) in_executable: Option<u64>,
    /// Where the kernel's own module begins.
    pub(crate) vdso: Option<u64>,
}

impl CoreNotes {
    /// Makes empty ones of a program for this architecture.
    pub(crate) fn of(architecture: Architecture) -> Self {
        Self { architecture, ..Self::default() }
    }

    /// Adds the notes in a part of a file. What is damaged is left out.
    pub(crate) fn read(&mut self, file: &PositionedFile, part: &Range<u64>) {
        let mut at = part.start;
        for _ in 0..MOST_NOTES {
            let Some((next, kind, content)) = header(file, at, part.end) else { break };
            let most = if kind == Some(kind::FILES) { MOST_LIST_BYTES } else { MOST_BYTES };
            let length = (content.end - content.start).min(most);
            let is_known = matches!(kind, Some(kind::STATUS | kind::PROCESS | kind::AUXILIARY | kind::FILES));
            if let Some(kind) = kind.filter(|_| is_known)
                && let Ok(bytes) = file.bytes(content.start, usize::try_from(length).unwrap_or(0))
            {
                self.note(kind, &bytes);
            }
            at = next;
        }
    }

    fn note(&mut self, kind: u32, bytes: &[u8]) {
        match kind {
            kind::STATUS if self.threads.len() < MOST_THREADS => {
                self.threads.extend(thread(bytes, self.architecture));
            }
            kind::PROCESS => self.process = number(bytes, 24),
            kind::AUXILIARY => {
                let mut words = words_of(bytes);
                while let (Some(key), Some(value)) = (words.next(), words.next()) {
                    match key {
                        auxiliary::PROGRAM_HEADERS | auxiliary::ENTRY => self.in_executable = Some(value),
                        auxiliary::VDSO => self.vdso = Some(value),
                        _ => {}
                    }
                }
            }
            kind::FILES => {
                self.files = files(bytes).unwrap_or_default();
                self.files.sort_by_key(|file| file.range.start);
            }
            _ => {}
        }
    }
}

/// The note at a position: where the next one begins, its kind if its name is the expected one, and where its content is.
fn header(file: &PositionedFile, at: u64, end: u64) -> Option<(u64, Option<u32>, Range<u64>)> {
    let mut bytes = [0; 12 + NAME.len()];
    if at.checked_add(bytes.len() as u64)? > end {
        return None;
    }
    file.read(at, &mut bytes).ok()?;
    let [name_length, length, kind] = [0, 4, 8].map(|at| number(&bytes, at).unwrap_or(0));
    // Names and contents fill whole words of four bytes.
    let content = at.checked_add(12)?.checked_add(u64::from(name_length).next_multiple_of(4))?;
    let content = content..content.checked_add(u64::from(length))?;
    let next = content.end.checked_next_multiple_of(4)?;
    let is_named = name_length as usize == NAME.len() && bytes.ends_with(NAME);
    (content.end <= end).then_some((next, is_named.then_some(kind), content))
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_le_bytes)
}

/// Reads a `struct elf_prstatus`, whose registers depend on the architecture.
fn thread(bytes: &[u8], architecture: Architecture) -> Option<Thread> {
    let id = number(bytes, 32)?;
    let words: Vec<u64> = words_of(bytes.get(112..)?).collect();
    let registers = match architecture {
        Architecture::X86_64 => Registers::from_words(words.first_chunk()?),
        Architecture::Aarch64 => Registers::from_words_of_aarch64(words.first_chunk()?),
    };
    Some(Thread {
        id: u64::from(id),
        inner_id: u64::from(id),
        name: None,
        waits_at: WaitingAt::of_registers(&registers),
        registers: Some(registers),
    })
}

/// Reads the list of mapped files: a count, the unit of the offsets, three words for each mapping, and the paths.
fn files(bytes: &[u8]) -> Option<Vec<MappedFile>> {
    let mut words = words_of(bytes);
    let count = usize::try_from(words.next()?).ok()?;
    let unit = words.next()?;
    let paths = bytes.get(count.checked_mul(24)?.checked_add(16)?..)?;
    let paths = paths.split(|&byte| byte == 0);
    let files = paths.take(count).filter_map(|path| {
        let (start, end, offset) = (words.next()?, words.next()?, words.next()?);
        let path = mappings::path_from_bytes(path.to_vec());
        (start < end).then(|| MappedFile {
            range: start..end,
            file_offset: offset.saturating_mul(unit),
            path,
        })
    });
    Some(files.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(count: u64, words: &[u64], paths: &[u8]) -> Vec<u8> {
        let words = [count, 4096].into_iter().chain(words.iter().copied());
        words.flat_map(u64::to_le_bytes).chain(paths.iter().copied()).collect()
    }

    #[test]
    fn mapped_files_lose_their_paths() {
        let found = files(&list(2, &[0x1000, 0x2000, 1, 0x5000, 0x6000, 0], b"/srv/shop\0/lib/c\0")).unwrap();
        let expected = |range, file_offset, path: &str| MappedFile { range, file_offset, path: path.into() };
        assert_eq!(
            found,
            [expected(0x1000..0x2000, 4096, "/srv/shop"), expected(0x5000..0x6000, 0, "/lib/c")]
        );
    }

    #[test]
    fn a_damaged_list_does_harm() {
        for (count, words, paths) in [
            (u64::MAX, &[][..], &b""[..]),
            (u64::MAX / 24, &[], b""),
            (1, &[], b""),
            (1, &[2, 1, 0], b"/x\0"),
            (0, &[], b""),
        ] {
            assert_eq!(files(&list(count, words, paths)).unwrap_or_default(), []);
        }
        assert_eq!(files(&[]), None);
        // Fewer paths than mappings.
        assert_eq!(files(&list(2, &[1, 2, 3, 4, 5, u64::MAX], b"/x")).unwrap().len(), 1);
        assert_eq!(thread(&[0; 300], Architecture::X86_64), None);
        assert_eq!(thread(&[0; 380], Architecture::Aarch64), None);
    }
}
