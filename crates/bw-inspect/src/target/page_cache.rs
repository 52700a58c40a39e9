//! Pages of a target that were read, kept so that they are read once, and compared with what the target has later.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;

use super::memory::{Memory, Unreadable};
use super::{PAGE, PAGE_BYTES, Target};

/// Pages that never change, such as code, are forgotten when there are so many: 256 MiB.
const MOST_CONSTANT_PAGES: usize = 65_536;
/// Pages that change are forgotten when there are so many: 256 MiB. Callers forget them much earlier.
const MOST_CHANGING_PAGES: usize = 65_536;

/// Pages that are read ahead at most: 16 MiB.
const MOST_READ_AHEAD: usize = 4096;

type Page = [u8; PAGE_BYTES];
/// `None` for a page that cannot be read.
type Pages = HashMap<u64, Option<Box<Page>>>;

/// Memory of a target whose pages are read once and kept.
///
/// The target goes on meanwhile. [`changed`](Self::changed) says whether a result that depends on some ranges can be trusted: read
/// once, used, and read again, they were the same.
pub(crate) struct PageCache<'t> {
    target: &'t dyn Target,
    /// Where the process cannot write, by address.
    constant_ranges: Vec<Range<u64>>,
    constant: RefCell<Pages>,
    changing: RefCell<Pages>,
    /// Words that may change without changing a result.
    ignored: Vec<u64>,
}

impl<'t> PageCache<'t> {
    /// Makes a cache. The pages of `constant_ranges` are taken not to change.
    pub(crate) fn new(target: &'t dyn Target, mut constant_ranges: Vec<Range<u64>>) -> Self {
        constant_ranges.sort_by_key(|range| range.start);
        Self {
            target,
            constant_ranges,
            constant: RefCell::default(),
            changing: RefCell::default(),
            ignored: Vec::new(),
        }
    }

    /// From now on, these words do not count as changed: clocks, which change all the time.
    pub(crate) fn ignore(&mut self, words: Vec<u64>) {
        self.ignored = words;
    }

    /// Forgets the pages that may have changed, so that they are read anew.
    pub(crate) fn forget(&self) {
        self.changing.borrow_mut().clear();
    }

    /// Reads the pages of these ranges, addresses and lengths, with few calls. What cannot be read so is read when it is used.
    pub(crate) fn read_ahead(&self, ranges: impl Iterator<Item = (u64, u64)>) {
        let mut pages: Vec<u64> = ranges.flat_map(pages_of).filter(|&page| !self.is_constant(page)).collect();
        pages.sort_unstable();
        pages.dedup();
        pages.truncate(MOST_READ_AHEAD);
        let mut bytes = vec![0; pages.len() * PAGE_BYTES];
        if self.target.read_pages(&pages, &mut bytes) {
            let mut known = self.changing.borrow_mut();
            for (page, bytes) in pages.iter().zip(bytes.as_chunks::<PAGE_BYTES>().0) {
                known.entry(*page).or_insert_with(|| Some(Box::new(*bytes)));
            }
        }
    }

    fn is_constant(&self, page: u64) -> bool {
        let after = self.constant_ranges.partition_point(|range| range.start <= page);
        after
            .checked_sub(1)
            .and_then(|at| self.constant_ranges.get(at))
            .is_some_and(|range| range.contains(&page))
    }

    /// Whether a part of a page differs in nothing but ignored words.
    fn differ_in_ignored(&self, page: u64, part: Range<usize>, before: &Page, now: &Page) -> bool {
        let is_ignored = |at: usize| self.ignored.contains(&page.saturating_add(at as u64 & !7));
        !self.ignored.is_empty() && part.into_iter().all(|at| before.get(at) == now.get(at) || is_ignored(at))
    }

    /// Reads the pages of these ranges again, and says for each set of ranges whether a byte of it differs from what was read first. A
    /// set with a page that cannot be read any more has changed.
    ///
    /// `None` if the target has ended.
    pub(crate) fn changed(&self, sets: &[Vec<(u64, u64)>]) -> Option<Vec<bool>> {
        let mut pages: Vec<u64> = sets.iter().flatten().copied().flat_map(pages_of).collect();
        pages.sort_unstable();
        pages.dedup();
        pages.retain(|&page| !self.is_constant(page));
        let mut fresh = vec![0; pages.len() * PAGE_BYTES];
        let mut unreadable = vec![false; pages.len()];
        if !self.target.read_pages(&pages, &mut fresh) {
            let each = pages.iter().zip(fresh.as_chunks_mut::<PAGE_BYTES>().0).zip(&mut unreadable);
            each.for_each(|((&page, into), unreadable)| *unreadable = self.target.read(page, into).is_err());
            if self.target.is_over() {
                return None;
            }
        }
        let fresh = fresh.as_chunks::<PAGE_BYTES>().0;
        let known = self.changing.borrow();
        let is_same = |page: u64, part: Range<usize>| {
            let Ok(at) = pages.binary_search(&page) else { return true };
            let now = fresh.get(at).filter(|_| unreadable.get(at) == Some(&false));
            match (known.get(&page), now) {
                (Some(Some(before)), Some(now)) => {
                    before.get(part.clone()) == now.get(part.clone())
                        || self.differ_in_ignored(page, part, before, now)
                }
                (Some(None), None) => true,
                _ => false,
            }
        };
        let has_changed = |ranges: &Vec<(u64, u64)>| {
            let parts = ranges.iter().flat_map(|range| pages_of(*range).map(move |page| (page, *range)));
            let mut parts = parts.map(|(page, (start, length))| {
                let from = usize::try_from(start.saturating_sub(page)).unwrap_or(0).min(PAGE_BYTES);
                let end = start.saturating_add(length).saturating_sub(page);
                (page, from..usize::try_from(end).unwrap_or(PAGE_BYTES).min(PAGE_BYTES))
            });
            parts.any(|(page, part)| !is_same(page, part))
        };
        Some(sets.iter().map(has_changed).collect())
    }
}

/// The pages of a range, address and length.
fn pages_of((start, length): (u64, u64)) -> impl Iterator<Item = u64> {
    let last = start.saturating_add(length.saturating_sub(1));
    (start / PAGE..=last / PAGE).map(|number| number * PAGE)
}

impl Memory for PageCache<'_> {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        let mut at = address;
        let mut rest = into;
        while !rest.is_empty() {
            let page = at & !(PAGE - 1);
            let offset = usize::try_from(at - page).unwrap_or(0);
            let (part, after) = rest.split_at_mut((PAGE_BYTES - offset).min(rest.len()));
            let (pages, most) = if self.is_constant(page) {
                (&self.constant, MOST_CONSTANT_PAGES)
            } else {
                (&self.changing, MOST_CHANGING_PAGES)
            };
            let mut pages = pages.borrow_mut();
            if pages.len() >= most {
                pages.clear();
            }
            let kept = pages.entry(page).or_insert_with(|| {
                let mut bytes = Box::new([0; PAGE_BYTES]);
                self.target.read(page, &mut *bytes).is_ok().then_some(bytes)
            });
            let kept = kept.as_ref().ok_or(Unreadable { address: at })?;
            part.copy_from_slice(kept.get(offset..offset + part.len()).ok_or(Unreadable { address: at })?);
            at = at.wrapping_add(part.len() as u64);
            rest = after;
        }
        Ok(())
    }
}
