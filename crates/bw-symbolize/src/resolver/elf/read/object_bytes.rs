//! The bytes of an object file, its compressed sections unpacked, and the files that belong to it.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use gimli::{DwoId, EndianSlice, RunTimeEndian, SectionId};
use object::{CompressionFormat, Object, ObjectSection};
use parking_lot::Mutex;

use crate::resolver::elf::file_bytes::{FileBytes, Files};

/// Reads the bytes in place.
pub(crate) type Reader<'a> = EndianSlice<'a, RunTimeEndian>;

/// The sections that name functions, files and lines.
pub(crate) const SECTIONS: [SectionId; 11] = [
    SectionId::DebugAbbrev,
    SectionId::DebugAddr,
    SectionId::DebugAranges,
    SectionId::DebugInfo,
    SectionId::DebugLine,
    SectionId::DebugLineStr,
    SectionId::DebugRanges,
    SectionId::DebugRngLists,
    SectionId::DebugStr,
    SectionId::DebugStrOffsets,
    SectionId::DebugTypes,
];

/// Those that packages have besides: which unit has which part of the sections.
const PACKAGE_SECTIONS: [SectionId; 2] = [SectionId::DebugCuIndex, SectionId::DebugTuIndex];

/// No more than this many times as large does zlib unpack, and what claims to is damaged.
const MAX_RATIO: u64 = 1040;

/// The bytes of a file, and those of its sections that were compressed.
pub(crate) struct ObjectBytes {
    file: FileBytes,
    unpacked: Vec<(SectionId, Vec<u8>)>,
    /// Whether a section was left packed because it is too large.
    is_too_large: bool,
}

impl ObjectBytes {
    /// Unpacks the sections that are compressed, into memory, if they are not larger than `most` bytes together.
    pub(crate) fn new(file: FileBytes, most: usize) -> Self {
        Self::with_names(file, most, |id| id.name())
    }

    fn with_names(file: FileBytes, most: usize, name: impl Fn(&SectionId) -> &'static str) -> Self {
        let mut unpacked = Vec::new();
        let mut is_too_large = false;
        if let Ok(object) = object::File::parse(&**file) {
            let mut left = most as u64;
            for id in &SECTIONS {
                let data =
                    object.section_by_name(name(id)).and_then(|section| section.compressed_data().ok());
                let Some(data) = data.filter(|data| data.format != CompressionFormat::None) else { continue };
                let size = data.uncompressed_size;
                let is_absurd =
                    data.format == CompressionFormat::Zlib && size / MAX_RATIO > data.data.len() as u64;
                is_too_large |= size > left;
                // A section that does not unpack is an empty one.
                let bytes = if size > left || is_absurd { None } else { data.decompress().ok() };
                left -= bytes.as_ref().map_or(0, |bytes| bytes.len() as u64);
                unpacked.push((*id, bytes.map(Cow::into_owned).unwrap_or_default()));
            }
        }
        Self { file, unpacked, is_too_large }
    }

    /// The file as an object. `None` when it is none.
    pub(crate) fn object(&self) -> Option<object::File<'_>> {
        object::File::parse(&**self.file).ok()
    }

    /// Its sections, to be read as DWARF.
    pub(crate) fn sections(&self) -> Option<gimli::Dwarf<Reader<'_>>> {
        let object = self.object()?;
        let endian = endian(&object);
        let section = |id: SectionId| {
            Ok::<_, gimli::Error>(EndianSlice::new(self.section(&object, id, id.name()), endian))
        };
        gimli::Dwarf::load(section).ok()
    }

    /// The bytes of one section. Empty if there is none.
    pub(crate) fn named(&self, id: SectionId) -> &[u8] {
        self.object().map(|object| self.section(&object, id, id.name())).unwrap_or_default()
    }

    fn dwo_sections<'a>(&'a self, parent: &gimli::Dwarf<Reader<'a>>) -> Option<gimli::Dwarf<Reader<'a>>> {
        let object = self.object()?;
        let endian = endian(&object);
        let section = |id: SectionId| {
            let bytes = id.dwo_name().map(|name| self.section(&object, id, name)).unwrap_or_default();
            Ok::<_, gimli::Error>(EndianSlice::new(bytes, endian))
        };
        let mut dwarf = gimli::Dwarf::load(section).ok()?;
        dwarf.make_dwo(parent);
        Some(dwarf)
    }

    fn package(&self) -> Option<gimli::DwarfPackage<Reader<'_>>> {
        let object = self.object()?;
        let endian = endian(&object);
        let section = |id: SectionId| {
            let bytes = id.dwo_name().map(|name| self.section(&object, id, name)).unwrap_or_default();
            Ok::<_, gimli::Error>(EndianSlice::new(bytes, endian))
        };
        gimli::DwarfPackage::load(section, EndianSlice::new(&[], endian)).ok()
    }

    fn section<'a>(&'a self, object: &object::File<'a>, id: SectionId, name: &str) -> &'a [u8] {
        if let Some((_, bytes)) = self.unpacked.iter().find(|(section, _)| *section == id) {
            return bytes;
        }
        if !SECTIONS.contains(&id) && !PACKAGE_SECTIONS.contains(&id) {
            return &[];
        }
        object.section_by_name(name).and_then(|section| section.data().ok()).unwrap_or_default()
    }

    /// Bytes of memory that are not the file's, or are read from it.
    pub(crate) fn private_bytes(&self) -> usize {
        self.unpacked.iter().map(|(_, bytes)| bytes.capacity()).sum()
    }
}

fn endian(object: &object::File<'_>) -> RunTimeEndian {
    if object.is_little_endian() { RunTimeEndian::Little } else { RunTimeEndian::Big }
}

/// A file with debug information, and the files that may have parts of it.
pub(crate) struct Bundle {
    most_unpacked: usize,
    pub(crate) main: ObjectBytes,
    /// The module's own file where `main` is another one.
    pub(crate) own: Option<ObjectBytes>,
    splits: Splits,
}

/// Where split units are looked for; by default nowhere.
#[derive(Default)]
pub(crate) struct SplitPlaces {
    pub(crate) files: Option<Arc<dyn Files>>,
    /// The `.dwp` files that may have them, the most likely first.
    pub(crate) packages: Vec<PathBuf>,
    /// Where `.dwo` files may be that are not where the compiler put them.
    pub(crate) folders: Vec<PathBuf>,
    /// Whether to look where the compiler put them.
    pub(crate) uses_paths: bool,
}

impl SplitPlaces {
    fn open(&self, path: &Path) -> Option<FileBytes> {
        self.files.as_ref()?.open(path).ok()
    }
}

struct Splits {
    places: SplitPlaces,
    /// Opened at the first question: every package that can be read.
    packages: OnceLock<Vec<ObjectBytes>>,
    opened: Chain,
    missing: Mutex<Vec<PathBuf>>,
}

/// How many missing files are remembered: one tells what to do.
const MAX_MISSING: usize = 4;

impl Bundle {
    pub(crate) fn new(
        main: FileBytes,
        own: Option<FileBytes>,
        places: SplitPlaces,
        most_unpacked: usize,
    ) -> Self {
        let splits =
            Splits { places, packages: OnceLock::new(), opened: Chain::default(), missing: Mutex::default() };
        Self {
            most_unpacked,
            main: ObjectBytes::new(main, most_unpacked),
            own: own.map(|own| ObjectBytes::new(own, 0)),
            splits,
        }
    }

    /// Whether debug information is left out because it would be too large unpacked.
    pub(crate) fn is_too_large(&self) -> bool {
        self.main.is_too_large
    }

    /// Files with split units that were looked for in vain, a few of them.
    pub(crate) fn missing(&self) -> Vec<PathBuf> {
        self.splits.missing.lock().clone()
    }

    /// Bytes of memory that are not files'.
    pub(crate) fn private_bytes(&self) -> usize {
        self.main.private_bytes() + self.own.as_ref().map_or(0, ObjectBytes::private_bytes)
    }

    fn packages(&self) -> &[ObjectBytes] {
        self.splits.packages.get_or_init(|| {
            let places = &self.splits.places;
            let files = places.packages.iter().filter_map(|path| places.open(path));
            files.map(|file| ObjectBytes::with_names(file, self.most_unpacked, dwo_name)).collect()
        })
    }
}

fn dwo_name(id: &SectionId) -> &'static str {
    // A section that halves do not have has no name; nothing is named so.
    id.dwo_name().unwrap_or("")
}

impl Bundle {
    /// The sections of the other half of a split unit: its `.dwo` file, or its part of a package. `parent` lends what is
    /// only in the main file; `folder` and `name` say where the compiler put it.
    pub(crate) fn split<'a>(
        &'a self,
        id: DwoId,
        folder: Option<&str>,
        name: &str,
        parent: &gimli::Dwarf<Reader<'a>>,
    ) -> Option<gimli::Dwarf<Reader<'a>>> {
        for package in self.packages() {
            if let Some(dwarf) = package.package().and_then(|package| package.find_cu(id, parent).ok()?) {
                return Some(dwarf);
            }
        }
        // Opened already, and the unit given back since.
        if let Some(bytes) = self.splits.opened.find(id) {
            return bytes.dwo_sections(parent);
        }
        let places = &self.splits.places;
        let by_compiler = Path::new(folder.unwrap_or("")).join(name);
        let file_name = by_compiler.file_name().map(OsStr::to_owned).unwrap_or_default();
        let elsewhere = places.folders.iter().map(|folder| folder.join(&file_name));
        let by_path = Some(by_compiler.clone()).filter(|_| places.uses_paths);
        for path in by_path.into_iter().chain(elsewhere) {
            let Some(file) = places.open(&path) else { continue };
            let bytes = ObjectBytes::with_names(file, self.most_unpacked, dwo_name);
            if has_unit(&bytes, id) {
                return self.splits.opened.push(id, bytes).dwo_sections(parent);
            }
        }
        let mut missing = self.splits.missing.lock();
        if missing.len() < MAX_MISSING && !missing.contains(&by_compiler) {
            missing.push(by_compiler);
        }
        None
    }
}

/// Whether a `.dwo` file has a half: it may be of another build.
fn has_unit(bytes: &ObjectBytes, id: DwoId) -> bool {
    let Some(object) = bytes.object() else { return false };
    let endian = endian(&object);
    let section = |section: SectionId| {
        let found = section.dwo_name().map(|name| bytes.section(&object, section, name)).unwrap_or_default();
        Ok::<_, gimli::Error>(EndianSlice::new(found, endian))
    };
    let Ok(mut dwarf) = gimli::Dwarf::load(section) else { return false };
    dwarf.file_type = gimli::DwarfFileType::Dwo;
    let mut headers = dwarf.units();
    while let Ok(Some(header)) = headers.next() {
        if dwarf.unit(header).is_ok_and(|unit| unit.dwo_id == Some(id)) {
            return true;
        }
    }
    false
}

/// A list that grows while what is in it is borrowed.
#[derive(Default)]
struct Chain {
    first: OnceLock<Box<Link>>,
}

struct Link {
    id: DwoId,
    bytes: ObjectBytes,
    next: OnceLock<Box<Link>>,
}

impl Chain {
    /// The one that was added for a unit.
    fn find(&self, id: DwoId) -> Option<&ObjectBytes> {
        let mut next = self.first.get();
        while let Some(link) = next {
            if link.id == id {
                return Some(&link.bytes);
            }
            next = link.next.get();
        }
        None
    }

    /// Adds one at the end.
    fn push(&self, id: DwoId, bytes: ObjectBytes) -> &ObjectBytes {
        let mut link = Box::new(Link { id, bytes, next: OnceLock::new() });
        let mut end = &self.first;
        loop {
            match end.set(link) {
                Ok(()) => break,
                Err(taken) => {
                    link = taken;
                    // It was full, so there is one.
                    let Some(full) = end.get() else { continue };
                    end = &full.next;
                }
            }
        }
        let Some(added) = end.get() else { unreachable!("just set") };
        &added.bytes
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        // One after the other: thousands of links would overflow the stack otherwise.
        let mut next = self.first.take();
        while let Some(mut link) = next {
            next = link.next.take();
        }
    }
}
