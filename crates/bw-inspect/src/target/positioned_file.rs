//! A file that is read at positions, and never mapped: one that is cut while it is read gives an error, and no signal.

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::Path;

/// Parts with data that are told of one range.
#[cfg(target_os = "linux")]
const MOST_PARTS: usize = 1 << 20;

/// A file that is read at positions.
#[derive(Debug)]
pub(crate) struct PositionedFile {
    file: File,
    length: u64,
}

impl PositionedFile {
    /// Opens a file. Refuses what is no regular file: opening a pipe would wait for a writer.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        if !fs::metadata(path)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
        }
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok(Self { file, length })
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    pub(crate) fn metadata(&self) -> io::Result<fs::Metadata> {
        self.file.metadata()
    }

    /// Fills `into`, or fails.
    #[cfg(unix)]
    pub(crate) fn read(&self, position: u64, into: &mut [u8]) -> io::Result<()> {
        use std::os::unix::fs::FileExt;

        // Positions are signed.
        i64::try_from(position).map_err(io::Error::other)?;
        self.file.read_exact_at(into, position)
    }

    #[cfg(not(unix))]
    pub(crate) fn read(&self, position: u64, into: &mut [u8]) -> io::Result<()> {
        use std::io::{Read as _, Seek as _};

        let mut file = &self.file;
        file.seek(io::SeekFrom::Start(position))?;
        file.read_exact(into)
    }

    /// Reads so many bytes, or fewer at the end of the file.
    pub(crate) fn bytes(&self, position: u64, most: usize) -> io::Result<Vec<u8>> {
        let left = self.length.saturating_sub(position);
        let mut bytes = vec![0; usize::try_from(left).map_or(most, |left| left.min(most))];
        self.read(position, &mut bytes)?;
        Ok(bytes)
    }

    /// Returns the parts of a range that are no holes. Holes are how kernels write memory that was never used.
    #[cfg(target_os = "linux")]
    pub(crate) fn data(&self, range: &Range<u64>) -> Vec<Range<u64>> {
        use nix::unistd::{Whence, lseek64};

        let seek = |from: u64, whence| {
            let found = lseek64(&self.file, i64::try_from(from).ok()?, whence).ok()?;
            u64::try_from(found).ok()
        };
        let mut parts = Vec::new();
        let mut at = range.start;
        while at < range.end && parts.len() < MOST_PARTS {
            let Some(start) = seek(at, Whence::SeekData).filter(|start| *start < range.end) else { break };
            let end = seek(start, Whence::SeekHole).unwrap_or(range.end).min(range.end);
            if end <= start {
                break;
            }
            parts.push(start..end);
            at = end;
        }
        parts
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn data(&self, range: &Range<u64>) -> Vec<Range<u64>> {
        vec![range.clone()]
    }
}
