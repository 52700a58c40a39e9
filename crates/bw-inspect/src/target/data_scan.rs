//! Passes over all memory in which tasks and wakers may lie, piece by piece, so that no copy of it is needed.

use std::ops::Range;

use super::Target;
use super::mappings::Mapping;

/// Bytes of a piece. A multiple of everything that is searched for.
const PIECE: u64 = 1 << 20;
/// Bytes behind a piece that are read with it, so that what is found at its end is whole.
pub(crate) const MARGIN: usize = 128;

/// The memory of a target in which tasks may lie.
#[derive(Clone, Debug)]
pub(crate) struct DataScan {
    ranges: Vec<Range<u64>>,
    skipped: u64,
}

impl DataScan {
    /// Finds out which memory there is, and leaves out what is more than `most_bytes`.
    pub(crate) fn new(target: &dyn Target, mappings: &[Mapping], most_bytes: u64) -> Self {
        let mut left = most_bytes;
        let mut skipped = 0;
        let filled = mappings.iter().filter(|it| it.may_hold_tasks()).flat_map(|it| target.filled(it));
        let mut ranges = Vec::new();
        for range in filled {
            let length = (range.end - range.start).min(left);
            skipped += range.end - range.start - length;
            left -= length;
            if length > 0 {
                ranges.push(range.start..range.start + length);
            }
        }
        Self { ranges, skipped }
    }

    /// Returns how many bytes were left out.
    pub(crate) fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Returns how many bytes a pass reads.
    pub(crate) fn bytes(&self) -> u64 {
        self.ranges.iter().map(|range| range.end - range.start).sum()
    }

    /// Hands each piece of memory to `look`: its address, its words, and how many of the words belong to it. The others are those
    /// behind it, of which there may be none. A piece that cannot be read any more is left out.
    pub(crate) fn each(&self, target: &dyn Target, mut look: impl FnMut(u64, &[[u8; 8]], usize)) {
        let mut bytes = Vec::new();
        for range in &self.ranges {
            let mut at = range.start;
            while at < range.end {
                let length = usize::try_from((range.end - at).min(PIECE)).unwrap_or(0);
                let margin =
                    usize::try_from(range.end - at).map_or(MARGIN, |left| (left - length).min(MARGIN));
                bytes.resize(length + margin, 0);
                if read_most(target, at, &mut bytes) {
                    look(at, bytes.as_chunks::<8>().0, length / 8);
                }
                at += length as u64;
            }
        }
    }
}

/// Reads a piece; where a part of it cannot be read, page by page, with zeros for what is missing. `false` if nothing can be read.
fn read_most(target: &dyn Target, at: u64, into: &mut [u8]) -> bool {
    if target.read_piece(at, into).is_ok() {
        return true;
    }
    let mut is_any = false;
    for (number, page) in into.chunks_mut(super::PAGE_BYTES).enumerate() {
        if target.read_piece(at + (number * super::PAGE_BYTES) as u64, page).is_ok() {
            is_any = true;
        } else {
            page.fill(0);
        }
    }
    is_any
}
