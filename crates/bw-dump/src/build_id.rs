//! What tells one build of a program from another.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

/// The build id of a module: the bytes of its GNU note, by which it and its debug information find each other.
///
/// Prints and parses as hexadecimal digits, two for each byte, as `readelf -n` and `file` print it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BuildId(Box<[u8]>);

impl BuildId {
    /// Bytes it has at most. Linkers make 8, 16 or 20; whoever builds may choose others.
    pub const MOST_BYTES: usize = 64;

    /// A build id of those bytes. `None` for none at all, and for more than [`MOST_BYTES`](Self::MOST_BYTES).
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let fits = (1..=Self::MOST_BYTES).contains(&bytes.len());
        fits.then(|| Self(bytes.into()))
    }

    /// The bytes of the note.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BuildId({self})")
    }
}

impl FromStr for BuildId {
    type Err = InvalidBuildId;

    fn from_str(text: &str) -> Result<Self, InvalidBuildId> {
        if text.len() > 2 * Self::MOST_BYTES {
            return Err(InvalidBuildId);
        }
        bytes_of_hex(text).and_then(|bytes| Self::from_bytes(&bytes)).ok_or(InvalidBuildId)
    }
}

/// The bytes that pairs of hexadecimal digits stand for, or `None` when something else is in the text.
pub(crate) fn bytes_of_hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect()
}

/// What was to be a build id is none: it is not 1 to 64 bytes, two hexadecimal digits each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidBuildId;

impl fmt::Display for InvalidBuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a build id is 1 to {} bytes, two hexadecimal digits each", BuildId::MOST_BYTES)
    }
}

impl Error for InvalidBuildId {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_ids_print_and_parse_as_hexadecimal() {
        let id = BuildId::from_bytes(&[0x00, 0xab, 0x0c]).unwrap();
        assert_eq!(id.to_string(), "00ab0c");
        assert_eq!("00AB0c".parse(), Ok(id));
    }

    #[test]
    fn what_is_no_build_id_is_refused() {
        for text in ["", "a", "abc", "0x12", "zz", "é", "+1", "12 "] {
            assert_eq!(text.parse::<BuildId>(), Err(InvalidBuildId), "{text}");
        }
        assert!("00".repeat(64).parse::<BuildId>().is_ok());
        assert!("00".repeat(65).parse::<BuildId>().is_err());
        assert!(BuildId::from_bytes(&[]).is_none());
    }
}
