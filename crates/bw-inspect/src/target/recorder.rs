//! A target that remembers which pages are read.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::mappings::Mapping;
use super::memory::{Memory, Unreadable};
use super::open_error::OpenError;
use super::threads::Thread;
use super::{Clocks, PAGE, Target};

/// Pages that are remembered: 1 GiB.
const MOST_PAGES: usize = 1 << 18;

/// A target that remembers which pages are read, but for those that a search passes over.
pub(crate) struct Recorder<'t> {
    target: &'t dyn Target,
    pages: Mutex<BTreeSet<u64>>,
}

impl<'t> Recorder<'t> {
    pub(crate) fn new(target: &'t dyn Target) -> Self {
        Self { target, pages: Mutex::default() }
    }

    /// Returns the pages as runs.
    pub(crate) fn runs(&self) -> Vec<Range<u64>> {
        let mut runs: Vec<Range<u64>> = Vec::new();
        for &page in &*self.pages.lock().unwrap_or_else(PoisonError::into_inner) {
            match runs.last_mut() {
                Some(last) if last.end == page => last.end += PAGE,
                _ => runs.push(page..page + PAGE),
            }
        }
        runs
    }

    fn note(&self, address: u64, length: usize) {
        let end = address.saturating_add(length as u64).min(u64::MAX - PAGE);
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let mut page = address & !(PAGE - 1);
        while page < end && pages.len() < MOST_PAGES {
            pages.insert(page);
            page += PAGE;
        }
    }
}

impl Memory for Recorder<'_> {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        self.note(address, into.len());
        self.target.read(address, into)
    }
}

impl Target for Recorder<'_> {
    fn pid(&self) -> u32 {
        self.target.pid()
    }

    fn mappings(&self) -> Result<Vec<Mapping>, OpenError> {
        self.target.mappings()
    }

    fn threads(&self) -> Vec<Thread> {
        self.target.threads()
    }

    fn thread_now(&self, id: u64) -> Option<Thread> {
        self.target.thread_now(id)
    }

    fn filled(&self, mapping: &Mapping) -> Vec<Range<u64>> {
        self.target.filled(mapping)
    }

    fn read_pages(&self, pages: &[u64], into: &mut [u8]) -> bool {
        self.target.read_pages(pages, into)
    }

    fn read_piece(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        self.target.read_piece(address, into)
    }

    fn clocks(&self) -> Clocks {
        self.target.clocks()
    }

    fn is_over(&self) -> bool {
        self.target.is_over()
    }
}
