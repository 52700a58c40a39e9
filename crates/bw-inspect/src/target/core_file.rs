//! A core file: the memory of a process as it was when it crashed, or when `gcore` copied it.
//!
//! A core file has the memory that a process changed. What is the same as in the files that were mapped, such as code, is left out by the
//! kernel and by gdb, unless told otherwise. It is read from these files then, if they are of the same build.
//!
//! Nothing of the file is copied or mapped: it is read where it is needed, and may be larger than the memory of this machine. Its content is
//! not trusted: positions and lengths are cut to what there is, and lists have limits.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bw_core::DumpSource;
use bw_dump::BuildId;
use object::elf::{ET_CORE, FileHeader64, PF_R, PF_W, PF_X, PT_LOAD, PT_NOTE, ProgramHeader64};
use object::read::elf::{FileHeader as _, ProgramHeader as _};
use object::{LittleEndian, pod};

use super::architecture::Architecture;
use super::core_notes::{CoreNotes, MappedFile};
use super::file_build::FileBuild;
use super::mappings::Mapping;
use super::memory::{Memory, Unreadable};
use super::open_error::OpenError;
use super::positioned_file::PositionedFile;
use super::threads::Thread;
use super::{Clocks, PAGE, PAGE_BYTES, Target};

/// Bytes of an ELF header.
const HEADER_BYTES: usize = size_of::<FileHeader64<LittleEndian>>();
/// Bytes of a program header.
const SEGMENT_BYTES: usize = size_of::<ProgramHeader64<LittleEndian>>();
/// Segments that are read. Linux allows 65,530 mappings, unless told.
const MOST_SEGMENTS: u64 = 1 << 20;
/// The number of segments that means that it is too large for its field: the first section has it.
const MANY_SEGMENTS: u16 = 0xffff;
/// Where a section header has that number.
const SECTION_INFO: u64 = 44;
/// Files that a note names.
const MOST_NAMED: usize = 3;

/// A core file of a process.
#[derive(Debug)]
pub struct CoreFile {
    path: PathBuf,
    file: PositionedFile,
    written_at: SystemTime,
    architecture: Architecture,
    notes: CoreNotes,
    segments: Vec<Segment>,
    mappings: Vec<Mapping>,
    images: Vec<Image>,
    executable: Option<usize>,
    /// Whether the list of segments is cut.
    is_list_cut: bool,
}

/// A range of memory, and the part of it that the core file has. The part is at the beginning.
#[derive(Clone, Debug)]
struct Segment {
    range: Range<u64>,
    flags: u32,
    position: u64,
    /// Bytes that are in the file.
    there: u64,
    /// Bytes that would be, if the file were not cut.
    meant: u64,
}

/// A file that was mapped.
#[derive(Debug)]
struct Image {
    path: PathBuf,
    content: Result<PositionedFile, Missing>,
}

/// Why a file that was mapped is not read.
#[derive(Debug)]
enum Missing {
    /// The build ids that the core file and the file have.
    OtherBuild(Option<BuildId>, Option<BuildId>),
    Io(io::Error),
}

/// Where a byte of memory is.
enum Place<'c> {
    Core(u64),
    Image(&'c PositionedFile, u64),
}

impl CoreFile {
    /// Whether a file is a core file. Reads its first bytes; `false` if it cannot be read.
    #[must_use]
    pub fn is_at(path: &Path) -> bool {
        let head = PositionedFile::open(path).and_then(|file| file.bytes(0, Self::HEAD_BYTES));
        head.is_ok_and(|head| Self::is_head(&head))
    }

    /// Bytes that [`is_head`](Self::is_head) looks at.
    pub const HEAD_BYTES: usize = 18;

    /// Whether a file that begins with these bytes is a core file.
    #[must_use]
    pub fn is_head(head: &[u8]) -> bool {
        let kind = head.get(..Self::HEAD_BYTES).filter(|head| head.starts_with(b"\x7fELF"));
        kind.is_some_and(|head| head.ends_with(&ET_CORE.0.to_le_bytes()))
    }

    /// Opens a core file. `executable` is where the program is now; without it, the program is looked for where it was.
    ///
    /// Reads lists in the core file, and the headers of the files that the process had mapped.
    ///
    /// # Errors
    ///
    /// When it cannot be read, is no core file, or is one of another architecture; and when `executable` cannot be read or is of
    /// another build than the program that wrote the core file.
    pub fn open(path: &Path, executable: Option<&Path>) -> Result<Self, OpenError> {
        let unusable = |reason: &dyn fmt::Display| OpenError::CoreFile {
            path: path.to_owned(),
            reason: reason.to_string(),
        };
        let file = PositionedFile::open(path).map_err(|error| unusable(&error))?;
        let written_at = file.metadata().and_then(|metadata| metadata.modified());
        let written_at = written_at.map_err(|error| unusable(&error))?;
        let header = file.bytes(0, HEADER_BYTES).map_err(|error| unusable(&error))?;
        if header.starts_with(b"\x7fELF\x01") {
            return Err(unusable(&"it is of a program of 32 bits"));
        }
        let elf = pod::from_bytes::<FileHeader64<LittleEndian>>(&header).ok().map(|(elf, _)| elf);
        let is_core = |elf: &&FileHeader64<LittleEndian>| {
            elf.is_supported() && elf.endian().is_ok() && elf.e_type(LittleEndian) == ET_CORE
        };
        let elf = elf.filter(is_core).ok_or_else(|| unusable(&"it is no core file"))?;
        let architecture = Architecture::of_elf(elf.e_machine(LittleEndian).0).ok_or_else(|| {
            unusable(&"it is of a program for another architecture than x86-64 and AArch64")
        })?;
        let (mut segments, mut notes, is_list_cut) =
            tables(&file, elf, architecture).map_err(|error| unusable(&error))?;
        segments.sort_by_key(|segment| segment.range.start);
        // As the kernel lists them of a process that runs. A core file begins with the one that crashed.
        notes.threads.sort_by_key(|thread| thread.id);
        let mut end = 0;
        // Those of a process do not overlap.
        segments.retain(|segment| {
            let is_behind = segment.range.start >= end;
            end = end.max(segment.range.end);
            is_behind
        });
        let mut core = Self {
            path: path.to_owned(),
            file,
            written_at,
            architecture,
            notes,
            segments,
            mappings: Vec::new(),
            images: Vec::new(),
            executable: None,
            is_list_cut,
        };
        core.map();
        core.find_images(executable)?;
        Ok(core)
    }

    /// Returns the architecture of the program, as [`std::env::consts::ARCH`] names it.
    #[must_use]
    pub fn architecture(&self) -> &'static str {
        self.architecture.name()
    }

    /// Returns the path of the program when it ran. `None` if the core file does not say.
    #[must_use]
    pub fn executable(&self) -> Option<&Path> {
        self.images.get(self.executable?).map(|image| &*image.path)
    }

    /// Makes the mappings: each segment is one, and so is each mapped file that has no segment.
    fn map(&mut self) {
        let mut numbers = std::collections::HashMap::new();
        let mut paths = Vec::new();
        let mut number = |file: &MappedFile| {
            *numbers.entry(file.path.clone()).or_insert_with(|| {
                paths.push(file.path.clone());
                paths.len() as u64
            })
        };
        let of = |at: u64| {
            let after = self.notes.files.partition_point(|file| file.range.start <= at);
            let file = self.notes.files.get(after.checked_sub(1)?)?;
            file.range.contains(&at).then_some(file)
        };
        let mut mappings: Vec<Mapping> = Vec::with_capacity(self.segments.len());
        for segment in &self.segments {
            let file = of(segment.range.start);
            let is_vdso = self.notes.vdso == Some(segment.range.start);
            mappings.push(Mapping {
                range: segment.range.clone(),
                is_readable: segment.flags & PF_R.0 != 0,
                is_writable: segment.flags & PF_W.0 != 0,
                is_executable: segment.flags & PF_X.0 != 0,
                is_shared: false,
                file_offset: file
                    .map_or(0, |it| it.file_offset.saturating_add(segment.range.start - it.range.start)),
                file: file.map(|file| (0, number(file))),
                path: match file {
                    Some(file) => file.path.clone(),
                    None if is_vdso => "[vdso]".into(),
                    None => PathBuf::new(),
                },
            });
        }
        for file in &self.notes.files {
            let after = self.segments.partition_point(|segment| segment.range.start < file.range.end);
            let before = after.checked_sub(1).and_then(|at| self.segments.get(at));
            if before.is_some_and(|segment| segment.range.end > file.range.start) {
                continue;
            }
            mappings.push(Mapping {
                range: file.range.clone(),
                is_readable: true,
                // What a process writes to is in its core file.
                is_writable: false,
                is_executable: false,
                is_shared: false,
                file_offset: file.file_offset,
                file: Some((0, number(file))),
                path: file.path.clone(),
            });
        }
        mappings.sort_by_key(|mapping| mapping.range.start);
        self.mappings = mappings;
        let images =
            paths.into_iter().map(|path| Image { path, content: Err(Missing::OtherBuild(None, None)) });
        self.images = images.collect();
    }

    /// Opens the files that were mapped.
    fn find_images(&mut self, executable: Option<&Path>) -> Result<(), OpenError> {
        let entry = self.notes.in_executable.and_then(|at| self.mapping_at(at)).and_then(image_of);
        for number in 0..self.images.len() {
            let Some(image) = self.images.get(number) else { break };
            let given = executable.filter(|_| entry == Some(number));
            let content = self.image(number, given.unwrap_or(&image.path));
            if let (Some(given), Err(missing)) = (given, &content) {
                return Err(OpenError::Executable {
                    path: given.to_owned(),
                    core: self.path.clone(),
                    reason: missing.to_string(),
                });
            }
            if let Some(image) = self.images.get_mut(number) {
                image.content = content;
            }
        }
        self.executable = entry;
        Ok(())
    }

    /// Opens a file in place of one that was mapped, if it is of the same build.
    fn image(&self, number: usize, path: &Path) -> Result<PositionedFile, Missing> {
        let without = path.to_str().and_then(|path| path.strip_suffix(" (deleted)")).map(Path::new);
        let file = PositionedFile::open(without.unwrap_or(path)).map_err(Missing::Io)?;
        let mut of_image = self.mappings.iter().filter(|mapping| image_of(mapping) == Some(number));
        let first = of_image.find(|mapping| mapping.file_offset == 0);
        let in_core = first.and_then(|first| {
            FileBuild::read(|position, length| {
                let mut bytes = vec![0; length];
                let start = self.place(first.range.start.checked_add(position)?);
                let Some((Place::Core(at), left)) = start else { return None };
                (left >= length as u64).then_some(())?;
                self.file.read(at, &mut bytes).ok().map(|()| bytes)
            })
        });
        let here = FileBuild::read(|position, length| file.bytes(position, length).ok());
        let is_other = match (&in_core, &here) {
            (Some(in_core), Some(here)) => !in_core.may_be(here),
            (Some(_), None) => true,
            // The core file has no headers to compare with, or it is no module.
            (None, _) => false,
        };
        let id = |build: &Option<FileBuild>| build.as_ref().and_then(|build| build.build_id().cloned());
        if is_other { Err(Missing::OtherBuild(id(&in_core), id(&here))) } else { Ok(file) }
    }

    fn mapping_at(&self, address: u64) -> Option<&Mapping> {
        let after = self.mappings.partition_point(|mapping| mapping.range.start <= address);
        let mapping = self.mappings.get(after.checked_sub(1)?)?;
        mapping.range.contains(&address).then_some(mapping)
    }

    fn segment_at(&self, address: u64) -> Option<&Segment> {
        let after = self.segments.partition_point(|segment| segment.range.start <= address);
        let segment = self.segments.get(after.checked_sub(1)?)?;
        segment.range.contains(&address).then_some(segment)
    }

    /// Returns where the byte at an address is, and how many bytes follow it there.
    fn place(&self, address: u64) -> Option<(Place<'_>, u64)> {
        let segment = self.segment_at(address);
        if let Some(segment) = segment {
            let inside = address - segment.range.start;
            if inside < segment.there {
                return Some((Place::Core(segment.position + inside), segment.there - inside));
            }
            // Its file would show what the process had not written yet.
            if inside < segment.meant && segment.flags & PF_W.0 != 0 {
                return None;
            }
        }
        let mapping = self.mapping_at(address)?;
        let image = self.images.get(image_of(mapping)?)?.content.as_ref().ok()?;
        let position = mapping.file_offset.checked_add(address - mapping.range.start)?;
        Some((Place::Image(image, position), mapping.range.end - address))
    }

    /// Says which files are missing: those with code or constants that the core file leaves out.
    fn missing_images(&self) -> Vec<String> {
        let is_needed = |number: usize| {
            let mut parts = self.mappings.iter().filter(|it| image_of(it) == Some(number) && !it.is_writable);
            parts.any(|it| {
                self.segment_at(it.range.start).is_none_or(|part| part.there < it.range.end - it.range.start)
            })
        };
        let images = self.images.iter().enumerate();
        let missing =
            images.filter_map(|(number, image)| Some((number, image, image.content.as_ref().err()?)));
        let missing: Vec<_> = missing.filter(|(number, ..)| is_needed(*number)).collect();
        let mut notes: Vec<String> = missing
            .iter()
            .take(MOST_NAMED)
            .map(|(number, image, reason)| {
                let help = if self.executable == Some(*number) { "; name the file with --exe" } else { "" };
                format!(
                    "the core file leaves out what it has of {}, and this file cannot be used: {reason}{help}",
                    image.path.display()
                )
            })
            .collect();
        if let Some(more @ 1..) = missing.len().checked_sub(MOST_NAMED) {
            notes.push(format!("{more} more files that the core file has parts of cannot be used"));
        }
        notes
    }
}

/// The number of the file that a mapping is of.
fn image_of(mapping: &Mapping) -> Option<usize> {
    usize::try_from(mapping.file?.1).ok()?.checked_sub(1)
}

/// Reads the segments and the notes, and says whether the list of segments is cut.
fn tables(
    file: &PositionedFile,
    elf: &FileHeader64<LittleEndian>,
    architecture: Architecture,
) -> io::Result<(Vec<Segment>, CoreNotes, bool)> {
    let mut count = u64::from(elf.e_phnum.get(LittleEndian));
    if elf.e_phnum.get(LittleEndian) == MANY_SEGMENTS {
        let mut bytes = [0; 4];
        file.read(elf.e_shoff.get(LittleEndian).saturating_add(SECTION_INFO), &mut bytes)?;
        count = u64::from(u32::from_le_bytes(bytes));
    }
    let length = count.min(MOST_SEGMENTS) * SEGMENT_BYTES as u64;
    let table = file.bytes(elf.e_phoff.get(LittleEndian), usize::try_from(length).unwrap_or(0))?;
    let (mut segments, mut notes) = (Vec::new(), CoreNotes::of(architecture));
    for bytes in table.as_chunks::<SEGMENT_BYTES>().0 {
        let Ok((header, _)) = pod::from_bytes::<ProgramHeader64<LittleEndian>>(bytes) else { continue };
        let position = header.p_offset(LittleEndian);
        let meant = header.p_filesz(LittleEndian);
        let there = file.length().saturating_sub(position).min(meant);
        if header.p_type(LittleEndian) == PT_NOTE {
            notes.read(file, &(position..position.saturating_add(there)));
        } else if header.p_type(LittleEndian) == PT_LOAD {
            let start = header.p_vaddr(LittleEndian);
            let size = header.p_memsz(LittleEndian);
            let range = start..start.saturating_add(size);
            if !range.is_empty() {
                let flags = header.p_flags(LittleEndian).0;
                let size = range.end - range.start;
                let (there, meant) = (there.min(size), meant.min(size));
                segments.push(Segment { range, flags, position, there, meant });
            }
        }
    }
    Ok((segments, notes, (table.len() as u64) < length))
}

impl Memory for CoreFile {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        let mut at = address;
        let mut rest = into;
        while !rest.is_empty() {
            let (place, left) = self.place(at).ok_or(Unreadable { address: at })?;
            let length = usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
            let (part, after) = rest.split_at_mut(length);
            let read = match place {
                Place::Core(position) => self.file.read(position, part).is_ok(),
                Place::Image(image, position) => read_image(image, position, part),
            };
            if !read {
                return Err(Unreadable { address: at });
            }
            at = at.checked_add(length as u64).ok_or(Unreadable { address: at })?;
            rest = after;
        }
        Ok(())
    }
}

/// Reads a file as if it were mapped: its last page ends with zeros.
fn read_image(image: &PositionedFile, position: u64, into: &mut [u8]) -> bool {
    let end = position.saturating_add(into.len() as u64);
    if end > image.length().checked_next_multiple_of(PAGE).unwrap_or(0) {
        return false;
    }
    let there = usize::try_from(image.length().saturating_sub(position)).unwrap_or(usize::MAX);
    let (there, zeros) = into.split_at_mut(there.min(into.len()));
    zeros.fill(0);
    image.read(position, there).is_ok()
}

impl Target for CoreFile {
    fn pid(&self) -> u32 {
        let first = || self.notes.threads.first().and_then(|thread| u32::try_from(thread.id).ok());
        self.notes.process.or_else(first).unwrap_or(0)
    }

    fn mappings(&self) -> Result<Vec<Mapping>, OpenError> {
        Ok(self.mappings.clone())
    }

    fn threads(&self) -> Vec<Thread> {
        self.notes.threads.clone()
    }

    fn thread_now(&self, id: u64) -> Option<Thread> {
        self.notes.threads.iter().find(|thread| thread.id == id).cloned()
    }

    fn filled(&self, mapping: &Mapping) -> Vec<Range<u64>> {
        let start = mapping.range.start;
        let Some(segment) = self.segment_at(start) else { return vec![mapping.range.clone()] };
        let in_file = segment.position..segment.position + segment.there;
        let address = |position: u64| (start + (position - segment.position)) & !(PAGE - 1);
        let parts = self.file.data(&in_file).into_iter();
        let mut parts: Vec<Range<u64>> =
            parts.map(|part| address(part.start)..start + (part.end - segment.position)).collect();
        if mapping.file.is_some() && segment.there < mapping.range.end - start {
            parts.push(start + segment.there..mapping.range.end);
        }
        parts
    }

    fn read_pages(&self, pages: &[u64], into: &mut [u8]) -> bool {
        let mut each = pages.iter().zip(into.as_chunks_mut::<PAGE_BYTES>().0);
        each.all(|(&page, into)| self.read(page, into).is_ok())
    }

    /// A core file does not have the monotonic clock: the page that the kernel keeps it in is left out. It stands at zero, so no time has
    /// come that a task waits for, which is right for all timers but those that were late. The other clock is when the file was written.
    fn clocks(&self) -> Clocks {
        let realtime = self.written_at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Clocks { monotonic: Duration::ZERO, realtime }
    }

    fn is_over(&self) -> bool {
        false
    }

    fn source(&self) -> DumpSource {
        DumpSource::CoreFile
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = self.missing_images();
        let cut: u64 = self.segments.iter().map(|segment| segment.meant - segment.there).sum();
        if cut > 0 {
            let megabytes = cut.div_ceil(1 << 20);
            notes.insert(
                0,
                format!("the core file is cut: {megabytes} MiB of the memory of the process are missing"),
            );
        }
        if self.is_list_cut {
            notes.insert(0, "the core file is cut: its list of memory is not whole".to_owned());
        }
        if self.notes.threads.is_empty() {
            notes.push("the core file lists no threads".to_owned());
        }
        notes
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherBuild(Some(in_core), Some(here)) => {
                write!(
                    f,
                    "it is of another build: it has the build id {here}, and the core file is of {in_core}"
                )
            }
            Self::OtherBuild(Some(in_core), None) => {
                write!(f, "it is of another build: it has no build id, and the core file is of {in_core}")
            }
            Self::OtherBuild(None, _) => f.write_str("it is of another build"),
            Self::Io(error) => error.fmt(f),
        }
    }
}
