//! Reads raw dump files of every version, and takes no more than it is told.

use std::io::{self, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use serde::Deserialize;

use super::error::RawDumpError;
use super::file::RawDumpFile;
use super::{FORMAT, content, version_1};

/// Reads raw dump files, and takes no more than it is told. Whatever is in the file, it does not panic, and it trusts no
/// number in it.
///
/// Memory it needs, at most: about twelve times the bytes of the file, decompressed, plus eight for each address in its traces.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct RawDumpReader {
    most_bytes: usize,
    most_addresses: usize,
}

impl Default for RawDumpReader {
    fn default() -> Self {
        Self::new()
    }
}

impl RawDumpReader {
    /// Bytes taken unless told otherwise: 1 GiB, some ten million tasks.
    pub const MOST_BYTES: usize = 1 << 30;
    /// Addresses taken unless told otherwise: 32 Mi, 256 MiB.
    pub const MOST_ADDRESSES: usize = 1 << 25;

    /// A reader with the default bounds.
    pub fn new() -> Self {
        Self { most_bytes: Self::MOST_BYTES, most_addresses: Self::MOST_ADDRESSES }
    }

    /// Takes so many bytes of a file at most, before and after decompressing.
    pub fn most_bytes(mut self, bytes: usize) -> Self {
        self.most_bytes = bytes;
        self
    }

    /// Takes so many addresses at most in all distinct traces together. A stack is in the file once, but traces that share it
    /// have it once each in memory, so a small file can ask for a lot of it.
    pub fn most_addresses(mut self, addresses: usize) -> Self {
        self.most_addresses = addresses;
        self
    }

    /// Reads a raw dump file. Blocks on `input`, which need not be buffered; allocates.
    ///
    /// # Errors
    ///
    /// When `input` cannot be read, or is no valid raw dump file, or has more than this reader takes, or is of a later version.
    pub fn read(&self, input: impl Read) -> Result<RawDumpFile<'static>, RawDumpError> {
        self.parse(&self.bytes(input)?)
    }

    /// The whole file, decompressed.
    fn bytes(&self, input: impl Read) -> Result<Vec<u8>, RawDumpError> {
        let failed = |error: io::Error| match error.get_ref() {
            Some(inner) if inner.is::<TooMuch>() => RawDumpError::too_large("bytes", self.most_bytes),
            _ => RawDumpError::io(error),
        };
        let (head, mut whole) = peek(BufReader::new(self.bounded(input))).map_err(failed)?;
        let mut bytes = Vec::new();
        match &*head {
            [] => return Err(RawDumpError::not_a_dump("it is empty")),
            [0x1f, 0x8b, ..] => {
                let (head, mut whole) = peek(self.bounded(MultiGzDecoder::new(whole))).map_err(failed)?;
                // Before all of it is decompressed.
                if content::is_elf(&head) {
                    return Err(RawDumpError::compressed(content::GZIP));
                }
                whole.read_to_end(&mut bytes)
            }
            _ => match content::compression(&head) {
                Some(compression) => return Err(RawDumpError::compressed(compression)),
                None if content::is_elf(&head) => {
                    return Err(RawDumpError::not_a_dump(content::describe(&head)));
                }
                None => whole.read_to_end(&mut bytes),
            },
        }
        .map_err(failed)?;
        Ok(bytes)
    }

    fn bounded<R>(&self, input: R) -> Bounded<R> {
        Bounded { input, left: self.most_bytes }
    }

    fn parse(&self, bytes: &[u8]) -> Result<RawDumpFile<'static>, RawDumpError> {
        if !bytes.trim_ascii_start().starts_with(b"{") {
            return Err(RawDumpError::not_a_dump(content::describe(bytes)));
        }
        // What version it is, before anything else is taken for what it is in version 1.
        let head: Head = serde_json::from_slice(bytes).map_err(RawDumpError::syntax)?;
        match (head.format.as_deref(), head.version) {
            (Some(FORMAT), Some(1)) => version_1::read(bytes, self.most_addresses),
            (Some(FORMAT), Some(0)) => Err(RawDumpError::invalid("version", "there is no version 0")),
            (Some(FORMAT), Some(version)) => Err(RawDumpError::newer(version)),
            (Some(FORMAT), None) => Err(RawDumpError::invalid("version", "is missing")),
            (Some("backtrace-waker task dump"), _) => Err(RawDumpError::not_a_dump(
                "it is a task dump as JSON, which is symbolized already and has no addresses left",
            )),
            _ => Err(RawDumpError::not_a_dump("it is JSON, but its field `format` does not say so")),
        }
    }
}

/// An input whose first bytes were read.
type Peeked<R> = io::Chain<io::Cursor<Vec<u8>>, R>;

/// The first bytes, and all of them.
fn peek<R: Read>(mut input: R) -> io::Result<(Vec<u8>, Peeked<R>)> {
    let mut head = Vec::new();
    input.by_ref().take(content::HEAD_BYTES as u64).read_to_end(&mut head)?;
    Ok((head.clone(), io::Cursor::new(head).chain(input)))
}

/// What every version has.
#[derive(Deserialize)]
struct Head {
    format: Option<String>,
    version: Option<u64>,
}

/// Fails when there is more than a number of bytes.
struct Bounded<R> {
    input: R,
    left: usize,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.left == 0 {
            // Whether that was all, or there is more.
            return match self.input.read(&mut [0])? {
                0 => Ok(0),
                _ => Err(io::Error::other(TooMuch)),
            };
        }
        let most = buffer.len().min(self.left);
        let read = self.input.read(&mut buffer[..most])?;
        self.left -= read;
        Ok(read)
    }
}

#[derive(Debug)]
struct TooMuch;

impl std::fmt::Display for TooMuch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("more than is taken")
    }
}

impl std::error::Error for TooMuch {}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(input: &[u8], most: usize) -> Result<Vec<u8>, RawDumpError> {
        RawDumpReader::new().most_bytes(most).bytes(input)
    }

    fn gzip(input: &[u8]) -> Vec<u8> {
        let mut output = Vec::new();
        let mut encoder = flate2::read::GzEncoder::new(input, flate2::Compression::fast());
        encoder.read_to_end(&mut output).unwrap();
        output
    }

    #[test]
    fn as_many_bytes_as_are_taken_are_taken() {
        assert_eq!(bytes(b"12345678", 8).unwrap(), b"12345678");
        assert!(bytes(b"123456789", 8).unwrap_err().is_too_large());
        assert!(bytes(b"123", 2).unwrap_err().is_too_large());
        assert_eq!(bytes(&gzip(b"12345678"), 100).unwrap(), b"12345678");
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let bomb = gzip(&vec![b' '; 10_000_000]);
        assert!(bomb.len() < 100_000);
        assert!(bytes(&bomb, 1_000_000).unwrap_err().is_too_large());
        // Empty members, which unpack to nothing, without end.
        let endless = Read::take(Repeat(gzip(b""), 0), 10_000_000);
        assert!(RawDumpReader::new().most_bytes(100_000).bytes(endless).unwrap_err().is_too_large());
    }

    struct Repeat(Vec<u8>, usize);

    impl Read for Repeat {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            for byte in &mut *buffer {
                *byte = self.0[self.1 % self.0.len()];
                self.1 += 1;
            }
            Ok(buffer.len())
        }
    }

    #[test]
    fn a_compressed_file_that_was_cut_says_so() {
        let whole = gzip(b"{\"format\":1}");
        for length in 5..whole.len() {
            let error = bytes(&whole[..length], 1_000).unwrap_err();
            assert!(error.is_io() && error.to_string().contains("cut short"), "{length}: {error}");
        }
    }
}
