//! Numbers in the memory of a target, which is little-endian.

use super::memory::{Memory, Unreadable};

/// Reads eight bytes as a number.
pub(crate) fn word_at(memory: &dyn Memory, address: u64) -> Result<u64, Unreadable> {
    let mut bytes = [0; 8];
    memory.read(address, &mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

/// Returns the words of a slice; bytes at the end that fill no word are left out.
pub(crate) fn words_of(bytes: &[u8]) -> impl DoubleEndedIterator<Item = u64> + ExactSizeIterator {
    bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word))
}

/// Reads `length` bytes.
pub(crate) fn bytes_at(memory: &dyn Memory, address: u64, length: usize) -> Result<Vec<u8>, Unreadable> {
    let mut bytes = vec![0; length];
    memory.read(address, &mut bytes)?;
    Ok(bytes)
}
