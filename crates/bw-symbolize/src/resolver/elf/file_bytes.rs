//! Bytes of files. The one file of this backend that opens any.
//!
//! Unsafe: mapping a file.
#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::ops::Deref;
use std::path::Path;

use memmap2::Mmap;

/// The bytes of a file, however they are held.
pub(crate) type FileBytes = Box<dyn Deref<Target = [u8]> + Send + Sync>;

/// Opens files. Tests have others than the disk's.
pub(crate) trait Files: Send + Sync {
    /// The bytes of a regular file. Blocks on the disk.
    fn open(&self, path: &Path) -> io::Result<FileBytes>;
}

/// The files on disk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Disk;

/// Files up to this size are read into memory, 64 KiB: nobody can take the bytes away then, and a page map of its
/// own would cost about as much. Most `.dwo` files are smaller.
const READ_UP_TO: u64 = 64 * 1024;

impl Files for Disk {
    fn open(&self, path: &Path) -> io::Result<FileBytes> {
        let mut options = OpenOptions::new();
        options.read(true);
        // Opening a pipe waits for its writer otherwise.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
        let file = options.open(path)?;
        let metadata = file.metadata()?;
        // Anything else could block, or be without end.
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        if metadata.len() <= READ_UP_TO {
            let mut bytes = Vec::new();
            file.take(READ_UP_TO).read_to_end(&mut bytes)?;
            return Ok(Box::new(bytes));
        }
        Ok(Box::new(map(&file)?))
    }
}

fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the map is private and read-only. It must not change while it is borrowed as bytes. A module's own
    // file is mapped by the loader as well, for its code, and a process whose modules are overwritten in place is
    // lost anyway. Files with debug information are installed by renaming, by packagers and by debuginfod clients,
    // and this map keeps the old one. What remains, a file that somebody cuts short in place, the documentation of
    // `Symbolizer` names as a thing not to do; bytes that merely change are parsed with checks at every step.
    unsafe { Mmap::map(file) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_regular_file_is_refused() {
        for path in ["", "/", "/nowhere/at/all", "/dev/null", "/dev/zero"] {
            assert!(Disk.open(Path::new(path)).is_err(), "{path}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_pipe_without_a_writer_does_not_block() {
        let path = std::env::temp_dir().join(format!("bw-symbolize-pipe-{}", std::process::id()));
        let made = std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo runs");
        assert!(made.success());
        assert!(Disk.open(&path).is_err());
        std::fs::remove_file(&path).expect("just made");
    }

    #[test]
    fn small_and_large_files_are_read_whole() {
        let exe = std::env::current_exe().unwrap();
        assert_eq!(**Disk.open(&exe).unwrap(), std::fs::read(&exe).unwrap());
        let small = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        assert_eq!(**Disk.open(&small).unwrap(), std::fs::read(&small).unwrap());
    }
}
