//! The mappings of a process, as `/proc/PID/maps` lists them.

use std::ops::Range;
use std::path::PathBuf;

/// One mapping: a range of addresses with the same rights and the same file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Its addresses.
    pub range: Range<u64>,
    /// Whether the process may read it.
    pub is_readable: bool,
    /// Whether the process may write it.
    pub is_writable: bool,
    /// Whether it holds code.
    pub is_executable: bool,
    /// Whether other processes see what is written to it.
    pub is_shared: bool,
    /// The position in its file of the first byte.
    pub file_offset: u64,
    /// The number of its file, and that of the file's device; `None` where there is no file.
    pub file: Option<(u64, u64)>,
    /// The path of its file, or a name such as `[heap]`. Empty for memory without either.
    pub path: PathBuf,
}

impl Mapping {
    /// Whether tasks may lie in it: memory of the process's own, for data.
    #[must_use]
    pub fn may_hold_tasks(&self) -> bool {
        self.is_private_data() && self.file.is_none()
    }

    /// Whether it is readable, writable, and of this process alone.
    #[must_use]
    pub fn is_private_data(&self) -> bool {
        // The kernel's own mappings cannot be read from outside.
        let is_kernels = self.path.as_os_str().as_encoded_bytes().starts_with(b"[v");
        self.is_readable && self.is_writable && !self.is_executable && !self.is_shared && !is_kernels
    }
}

/// Reads the lines of `/proc/PID/maps`; see `proc_pid_maps(5)`. A line that cannot be read is left out.
#[must_use]
pub(crate) fn parse(text: &[u8]) -> Vec<Mapping> {
    text.split(|&byte| byte == b'\n').filter_map(mapping).collect()
}

fn mapping(line: &[u8]) -> Option<Mapping> {
    // Five fields, then spaces up to the path, which may have spaces in it.
    let mut rest = line;
    let mut field = || {
        let end = rest.iter().position(|&byte| byte == b' ').unwrap_or(rest.len());
        let (field, after) = rest.split_at(end);
        rest = after.strip_prefix(b" ").unwrap_or(after);
        std::str::from_utf8(field).ok()
    };
    let (range, rights, offset) = (field()?, field()?.as_bytes(), field()?);
    let (device, inode) = (field()?, field()?);
    let hexadecimal = |text| u64::from_str_radix(text, 16).ok();
    let (start, end) = range.split_once('-')?;
    let (major, minor) = device.split_once(':')?;
    let device = hexadecimal(major)? << 32 | hexadecimal(minor)?;
    let inode: u64 = inode.parse().ok()?;
    let &[read, write, execute, shared, ..] = rights else { return None };
    let range = hexadecimal(start)?..hexadecimal(end)?;
    (!range.is_empty()).then(|| Mapping {
        range,
        is_readable: read == b'r',
        is_writable: write == b'w',
        is_executable: execute == b'x',
        is_shared: shared == b's',
        file_offset: hexadecimal(offset).unwrap_or(0),
        file: (inode != 0).then_some((device, inode)),
        path: path_of(rest.trim_ascii_start()),
    })
}

/// The path in a line. The kernel writes a line feed in it as `\012`.
fn path_of(text: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        match rest.strip_prefix(b"\\012") {
            Some(after) => {
                bytes.push(b'\n');
                rest = after;
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    path_from_bytes(bytes)
}

#[cfg(unix)]
pub(crate) fn path_from_bytes(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;

    std::ffi::OsString::from_vec(bytes).into()
}

#[cfg(not(unix))]
pub(crate) fn path_from_bytes(bytes: Vec<u8>) -> PathBuf {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_line_is_read_field_by_field() {
        let text = b"55d0a000-55d0b000 r-xp 00001000 08:02 135522   /srv/my shop\\012 (deleted)\n\
                     7f00-8000 rw-p 00000000 00:00 0 \n\
                     ffff0000-ffff1000 rw-p 00000000 00:00 0    [vvar]\n";
        let [code, data, kernels] = &parse(text)[..] else { panic!() };
        assert_eq!(code.range, 0x55d0_a000..0x55d0_b000);
        assert!(code.is_readable && !code.is_writable && code.is_executable && !code.is_shared);
        assert_eq!((code.file_offset, code.file), (0x1000, Some((8 << 32 | 2, 135_522))));
        assert_eq!(code.path, Path::new("/srv/my shop\n (deleted)"));
        assert!(!code.may_hold_tasks() && data.may_hold_tasks() && !kernels.may_hold_tasks());
        assert_eq!(data.path, Path::new(""));
    }

    #[test]
    fn lines_that_are_none_are_left_out() {
        for text in
            [&b""[..], b"\n\n", b"x-y rw-p 0 0:0 0", b"8-7 rw-p 0 0:0 0", b"7-8 rw 0 0:0 0", b"7-8", b"\xff"]
        {
            assert_eq!(parse(text), [], "{}", String::from_utf8_lossy(text));
        }
    }
}
