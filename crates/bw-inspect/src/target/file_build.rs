//! Which build of a program or a library some bytes are of: those of a file, or those that a core file has of it.

use bw_dump::BuildId;
use bw_dump::loaded::build_id_in_notes;
use object::LittleEndian;
use object::elf::{FileHeader64, PT_NOTE};
use object::pod;
use object::read::elf::{FileHeader as _, ProgramHeader as _};

/// Bytes of a file in which its headers are.
const HEADER_BYTES: usize = 4096;
/// Bytes of notes that are read.
const MOST_NOTE_BYTES: u64 = 64 * 1024;

/// What tells one build of a file from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileBuild {
    headers: Vec<u8>,
    build_id: Option<BuildId>,
}

impl FileBuild {
    /// Reads the headers and the build id of an ELF file. `bytes` returns so many bytes at a position in the file, if it has them. `None`
    /// if it is no ELF file.
    pub(crate) fn read(bytes: impl Fn(u64, usize) -> Option<Vec<u8>>) -> Option<Self> {
        let headers = bytes(0, HEADER_BYTES)?;
        let (elf, _) = pod::from_bytes::<FileHeader64<LittleEndian>>(&headers).ok()?;
        if !elf.is_supported() || elf.endian().is_err() {
            return None;
        }
        let segments = elf.program_headers(LittleEndian, &*headers).unwrap_or_default();
        let notes = segments.iter().filter(|segment| segment.p_type(LittleEndian) == PT_NOTE);
        let build_id = notes.into_iter().find_map(|notes| {
            let length = notes.p_filesz(LittleEndian).min(MOST_NOTE_BYTES);
            let bytes = bytes(notes.p_offset(LittleEndian), usize::try_from(length).ok()?)?;
            build_id_in_notes(&bytes, usize::try_from(notes.p_align(LittleEndian)).ok()?)
        });
        Some(Self { headers, build_id })
    }

    /// Returns its build id, if it has one.
    pub(crate) fn build_id(&self) -> Option<&BuildId> {
        self.build_id.as_ref()
    }

    /// Whether both may be of one build: they have the same build id, or the same headers if one of them has none.
    pub(crate) fn may_be(&self, other: &Self) -> bool {
        match (&self.build_id, &other.build_id) {
            (Some(id), Some(other)) => id == other,
            // A mapped file ends with zeros, up to the end of its page.
            _ => self.headers.iter().zip(&other.headers).all(|(byte, other)| byte == other),
        }
    }
}
