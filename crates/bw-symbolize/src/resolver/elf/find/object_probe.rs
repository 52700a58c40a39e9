//! What a search asks an object file, without reading its debug information.

use std::ffi::OsString;
use std::path::Path;

use object::{Object, ObjectSection};

use crate::resolver::elf::file_bytes::FileBytes;

/// Returns the name and checksum in `.gnu_debuglink`. A name with a folder in it does not count.
pub(crate) fn debug_link(own: &FileBytes) -> Option<(OsString, u32)> {
    let object = object::File::parse(&***own).ok()?;
    let (name, checksum) = object.gnu_debuglink().ok()??;
    let name = std::str::from_utf8(name).ok()?;
    let is_plain = Path::new(name).file_name().is_some_and(|file| file == name);
    is_plain.then(|| (name.into(), checksum))
}

/// Whether a file has debug information.
pub(crate) fn has_debug_info(bytes: &FileBytes) -> bool {
    let Ok(object) = object::File::parse(&***bytes) else { return false };
    // Read in part: in files that only hold symbols the section has a size, but no bytes.
    object
        .section_by_name(".debug_info")
        .is_some_and(|section| section.compressed_data().is_ok_and(|data| !data.data.is_empty()))
}
