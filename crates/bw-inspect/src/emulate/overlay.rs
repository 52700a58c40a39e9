//! Memory that can be written without changing the original.

use core::fmt;
use core::ops::Range;
use std::collections::HashMap;

use super::fault::Fault;
use super::page::{GRANULE, OFFSET, PAGE, Page, granules, offset_of};
use crate::target::Memory;

/// How many recently used pages are found without a hash table.
const RECENT: usize = 256;

/// Copy-on-write memory over a [`Memory`] that never changes.
///
/// A page is copied when it is first touched. The number of pages is limited, so code that writes without end stops with
/// [`Fault::PageLimit`]. New memory, such as a stack, comes from [`map`](Self::map).
///
/// The overlay also records which bytes of the original mattered: [`used`](Self::used).
pub struct Overlay<'m> {
    original: &'m dyn Memory,
    pages: Vec<Box<Page>>,
    /// Where the page of a number is in `pages`.
    index: HashMap<u64, u32>,
    /// Page numbers and places in `pages`, by the low bits of the number.
    recent: [(u64, u32); RECENT],
    /// New memory, in numbers of pages.
    areas: Vec<Range<u64>>,
    limit: usize,
    /// Pages of a former run, to be filled again.
    spare: Vec<Box<Page>>,
}

/// No page has this number: numbers have 52 bits.
const NO_PAGE: (u64, u32) = (u64::MAX, 0);

impl<'m> Overlay<'m> {
    /// Makes an overlay over `original` that copies at most `page_limit` pages of 4096 bytes.
    #[must_use]
    pub fn new(original: &'m dyn Memory, page_limit: usize) -> Self {
        Self {
            original,
            pages: Vec::new(),
            index: HashMap::new(),
            recent: [NO_PAGE; RECENT],
            areas: Vec::new(),
            // Places are kept in 32 bits.
            limit: page_limit.min(u32::MAX as usize),
            spare: Vec::new(),
        }
    }

    /// Makes `len` bytes at `address` new memory that is zero. The range grows to whole pages.
    ///
    /// Costs no page until one is touched. It must be called before the range is touched.
    pub fn map(&mut self, address: u64, len: u64) {
        if len > 0 {
            let first = address / PAGE as u64;
            self.areas.push(first..address.saturating_add(len - 1) / PAGE as u64 + 1);
        }
    }

    /// Forgets all writes, all new memory and what was used, as if the overlay was made anew. Keeps its allocations.
    pub fn reset(&mut self) {
        self.index.clear();
        self.recent = [NO_PAGE; RECENT];
        self.areas.clear();
        self.spare.append(&mut self.pages);
    }

    /// Returns how many pages have been touched.
    #[must_use]
    pub fn page_count(&self) -> usize {
        self.pages.len()
    }

    /// Returns the ranges of the original, address and length, that were read before they were written: a result of the run
    /// depends on them and on nothing else of the original.
    ///
    /// The ranges are whole words of eight bytes, sorted and disjoint. New memory is not among them. Code is: it is read when it is
    /// decoded, but only by the first run that comes across it.
    #[must_use]
    pub fn used(&self) -> Vec<(u64, u64)> {
        let mut pages: Vec<&Page> =
            self.pages.iter().map(|page| &**page).filter(|page| !page.fresh).collect();
        pages.sort_unstable_by_key(|page| page.number);
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for page in pages {
            for granule in granules(&page.used) {
                let address = page.address().wrapping_add((granule * GRANULE) as u64);
                match ranges.last_mut() {
                    Some((start, len)) if start.wrapping_add(*len) == address => *len += GRANULE as u64,
                    _ => ranges.push((address, GRANULE as u64)),
                }
            }
        }
        ranges
    }

    /// Returns the addresses of the words of eight bytes that the run read, and whose values now differ from the original. Sorted.
    ///
    /// A word that the run only wrote is not among them: nothing that the run did depends on what the word was. New memory is not
    /// among them either. Costs a comparison of each page that was written.
    #[must_use]
    pub fn changed(&self) -> Vec<u64> {
        let mut changed = Vec::new();
        let mut original = [0; PAGE];
        for page in self.pages.iter().filter(|page| page.dirty && !page.fresh && !page.partial) {
            if self.original.read(page.address(), &mut original).is_err() {
                continue;
            }
            let differs = |granule: &usize| {
                let bytes = granule * GRANULE..(granule + 1) * GRANULE;
                page.bytes.get(bytes.clone()) != original.get(bytes)
            };
            let words = granules(&page.used).filter(differs);
            changed.extend(words.map(|granule| page.address().wrapping_add((granule * GRANULE) as u64)));
        }
        changed.sort_unstable();
        changed
    }

    /// Fills `into` with the bytes at `address`.
    ///
    /// # Errors
    ///
    /// [`Fault::Unreadable`] if the original cannot be read, [`Fault::PageLimit`].
    pub fn read(&mut self, address: u64, into: &mut [u8]) -> Result<(), Fault> {
        let mut address = address;
        let mut rest = into;
        while !rest.is_empty() {
            let offset = offset_of(address);
            let (part, after) = rest.split_at_mut((PAGE - offset).min(rest.len()));
            let page = self.page(address)?;
            check(page, offset, part.len())?;
            page.note_read(offset, part.len());
            part.copy_from_slice(&page.bytes[offset..offset + part.len()]);
            address = address.wrapping_add(part.len() as u64);
            rest = after;
        }
        Ok(())
    }

    /// Writes `bytes` at `address`. Writes all of them or none.
    ///
    /// # Errors
    ///
    /// [`Fault::Unreadable`] if there is no memory, [`Fault::PageLimit`].
    pub fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), Fault> {
        let last = address.wrapping_add((bytes.len() as u64).saturating_sub(1));
        if address & !OFFSET != last & !OFFSET {
            // Find out first whether all of it can be written.
            let mut at = address;
            let mut left = bytes.len();
            while left > 0 {
                let offset = offset_of(at);
                let len = (PAGE - offset).min(left);
                check(self.page(at)?, offset, len)?;
                at = at.wrapping_add(len as u64);
                left -= len;
            }
        }
        let mut address = address;
        let mut rest = bytes;
        while !rest.is_empty() {
            let offset = offset_of(address);
            let (part, after) = rest.split_at((PAGE - offset).min(rest.len()));
            let page = self.page(address)?;
            check(page, offset, part.len())?;
            page.note_write(offset, part.len());
            page.bytes[offset..offset + part.len()].copy_from_slice(part);
            address = address.wrapping_add(part.len() as u64);
            rest = after;
        }
        Ok(())
    }

    /// Returns the `N` bytes at `address`. Faster than [`read`](Self::read) inside one page.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    #[inline]
    pub fn read_array<const N: usize>(&mut self, address: u64) -> Result<[u8; N], Fault> {
        let offset = offset_of(address);
        let mut bytes = [0; N];
        if offset + N <= PAGE
            && N > 0
            && let Some(page) = self.recent_page(address)
            && !page.partial
        {
            page.note_read(offset, N);
            bytes.copy_from_slice(&page.bytes[offset..offset + N]);
        } else {
            self.read(address, &mut bytes)?;
        }
        Ok(bytes)
    }

    /// Writes `N` bytes at `address`. Faster than [`write`](Self::write) inside one page.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    #[inline]
    pub fn write_array<const N: usize>(&mut self, address: u64, bytes: [u8; N]) -> Result<(), Fault> {
        let offset = offset_of(address);
        if offset + N <= PAGE
            && N > 0
            && let Some(page) = self.recent_page(address)
            && !page.partial
        {
            page.note_write(offset, N);
            page.bytes[offset..offset + N].copy_from_slice(&bytes);
            Ok(())
        } else {
            self.write(address, &bytes)
        }
    }

    /// Returns the little-endian `u64` at `address`.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    #[inline]
    pub fn read_u64(&mut self, address: u64) -> Result<u64, Fault> {
        self.read_array(address).map(u64::from_le_bytes)
    }

    /// Writes a little-endian `u64` at `address`.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    #[inline]
    pub fn write_u64(&mut self, address: u64, value: u64) -> Result<(), Fault> {
        self.write_array(address, value.to_le_bytes())
    }

    /// The page of an address, if it was used recently.
    #[inline]
    fn recent_page(&mut self, address: u64) -> Option<&mut Page> {
        let number = address / PAGE as u64;
        let (known, place) = self.recent[recent_slot(number)];
        if known == number { self.pages.get_mut(place as usize).map(|page| &mut **page) } else { None }
    }

    /// The page of an address.
    fn page(&mut self, address: u64) -> Result<&mut Page, Fault> {
        let number = address / PAGE as u64;
        let slot = recent_slot(number);
        let place = match self.recent[slot] {
            (known, place) if known == number => place,
            _ => match self.index.get(&number) {
                Some(place) => *place,
                None => self.copy_page(number)?,
            },
        };
        self.recent[slot] = (number, place);
        // `place` came from `index` or `recent`, both of which are cleared with `pages`.
        self.pages.get_mut(place as usize).map(|page| &mut **page).ok_or(Fault::PageLimit)
    }

    /// Copies a page, or makes it if it is new memory.
    #[cold]
    fn copy_page(&mut self, number: u64) -> Result<u32, Fault> {
        if self.pages.len() >= self.limit {
            return Err(Fault::PageLimit);
        }
        let fresh = self.areas.iter().any(|area| area.contains(&number));
        let mut page = self.spare.pop().unwrap_or_else(|| Box::new(Page::new()));
        page.reset(number, fresh);
        if fresh {
            page.bytes.fill(0);
        } else {
            let address = page.address();
            if let Err(unreadable) = self.original.read(address, &mut page.bytes) {
                load_parts(self.original, &mut page);
                if page.missing.iter().all(|word| *word == u64::MAX) {
                    return Err(unreadable.into());
                }
            }
        }
        let place = u32::try_from(self.pages.len()).map_err(|_| Fault::PageLimit)?;
        self.pages.push(page);
        self.index.insert(number, place);
        Ok(place)
    }
}

/// Where `recent` has the page of a number.
#[expect(clippy::cast_possible_truncation, reason = "the remainder of a small number")]
#[inline]
const fn recent_slot(number: u64) -> usize {
    (number % RECENT as u64) as usize
}

/// Copies what can be read of a page, word by word: a core file may end within a page.
fn load_parts(original: &dyn Memory, page: &mut Page) {
    page.partial = true;
    for granule in 0..PAGE / GRANULE {
        let offset = granule * GRANULE;
        let address = page.address().wrapping_add(offset as u64);
        let mut word = [0; GRANULE];
        match original.read(address, &mut word) {
            Ok(()) => page.bytes[offset..offset + GRANULE].copy_from_slice(&word),
            Err(_) => page.missing[granule / 64] |= 1 << (granule % 64),
        }
    }
}

/// Fails if one of these bytes of the page is missing.
fn check(page: &Page, offset: usize, len: usize) -> Result<(), Fault> {
    if page.partial
        && let Some(missing) = page.first_missing(offset, len)
    {
        return Err(Fault::Unreadable(page.address().wrapping_add(missing as u64)));
    }
    Ok(())
}

impl fmt::Debug for Overlay<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Overlay")
            .field("pages", &self.pages.len())
            .field("limit", &self.limit)
            .field("areas", &self.areas)
            .finish()
    }
}
