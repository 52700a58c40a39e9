//! One page of an overlay.

/// How many bytes a page has.
pub(super) const PAGE: usize = 4096;
/// The part of an address that is an offset in its page.
pub(super) const OFFSET: u64 = PAGE as u64 - 1;
/// How many bytes share one bit of a page's sets.
pub(super) const GRANULE: usize = 8;

/// How many words have one bit for each granule of a page.
const WORDS: usize = PAGE / GRANULE / 64;
/// One bit for each granule of a page.
pub(super) type Granules = [u64; WORDS];

const NONE: Granules = [0; WORDS];

/// One page of an overlay: its content, and what happened to it.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) number: u64,
    pub(super) bytes: [u8; PAGE],
    /// The page is new memory: it has no original.
    pub(super) fresh: bool,
    /// Some granules of the original cannot be read; `missing` says which.
    pub(super) partial: bool,
    pub(super) missing: Granules,
    /// Read before they were written.
    pub(super) used: Granules,
    /// Written as a whole.
    written: Granules,
    /// Something was written.
    pub(super) dirty: bool,
}

impl Page {
    pub(super) const fn new() -> Self {
        Self {
            number: 0,
            bytes: [0; PAGE],
            fresh: true,
            partial: false,
            missing: NONE,
            used: NONE,
            written: NONE,
            dirty: false,
        }
    }

    /// Forgets what happened to the page, for use at another place. Its bytes stay.
    pub(super) const fn reset(&mut self, number: u64, fresh: bool) {
        (self.number, self.fresh, self.partial, self.dirty) = (number, fresh, false, false);
        (self.missing, self.used, self.written) = (NONE, NONE, NONE);
    }

    /// The address of its first byte.
    pub(super) const fn address(&self) -> u64 {
        self.number.wrapping_mul(PAGE as u64)
    }

    /// Records that the original was read at these bytes, as far as they have not been written.
    #[inline]
    pub(super) fn note_read(&mut self, offset: usize, len: usize) {
        let (first, last) = (offset / GRANULE, (offset + len - 1) / GRANULE);
        for granule in first..=last {
            let (word, bit) = (granule / 64 % WORDS, 1 << (granule % 64));
            self.used[word] |= bit & !self.written[word];
        }
    }

    /// Records that these bytes were written. A granule of which a part was written still depends on its original.
    #[inline]
    pub(super) fn note_write(&mut self, offset: usize, len: usize) {
        self.dirty = true;
        let (first, end) = (offset.div_ceil(GRANULE), (offset + len) / GRANULE);
        for granule in first..end {
            self.written[granule / 64 % WORDS] |= 1 << (granule % 64);
        }
    }

    /// The first byte among these that cannot be read.
    pub(super) fn first_missing(&self, offset: usize, len: usize) -> Option<usize> {
        (offset..offset + len).find(|at| has(&self.missing, at / GRANULE))
    }
}

/// The granules of a set.
pub(super) fn granules(set: &Granules) -> impl Iterator<Item = usize> {
    set.iter().enumerate().flat_map(|(n, word)| {
        let mut left = *word;
        core::iter::from_fn(move || {
            let bit = (left != 0).then_some(left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(n * 64 + bit)
        })
    })
}

/// Whether a set has this granule.
const fn has(set: &Granules, granule: usize) -> bool {
    set[granule / 64] >> (granule % 64) & 1 == 1
}

/// Where an address is in its page.
#[inline]
pub(super) const fn offset_of(address: u64) -> usize {
    (address & OFFSET) as usize
}
