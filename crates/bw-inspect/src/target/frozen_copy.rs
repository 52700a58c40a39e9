//! A copy of a process that never changes: to look at later, and for tests.

use std::ops::Range;

use super::PAGE_BYTES;
use super::mappings::Mapping;
use super::memory::{Memory, Unreadable};
use super::open_error::OpenError;
use super::threads::Thread;
use super::{Clocks, Target};

/// Bytes that are copied at once.
const STEP: u64 = 1 << 20;

/// A copy of another target, as it was while the copy was made. Parts of it may be of different moments.
#[derive(Clone, Debug, Default)]
pub struct FrozenCopy {
    pid: u32,
    mappings: Vec<Mapping>,
    threads: Vec<Thread>,
    clocks: Clocks,
    /// Whole pages, by address.
    runs: Vec<(u64, Vec<u8>)>,
}

impl FrozenCopy {
    /// Copies everything that can be read, up to `most_bytes`.
    ///
    /// # Errors
    ///
    /// When the target has ended, or may not be read.
    pub fn of(target: &dyn Target, most_bytes: usize) -> Result<Self, OpenError> {
        let mappings = target.mappings()?;
        let threads = target.threads();
        let mut runs = Vec::new();
        let mut left = most_bytes;
        for filled in mappings.iter().filter(|it| it.is_readable).flat_map(|mapping| target.filled(mapping)) {
            let mut at = filled.start;
            while at < filled.end && left >= PAGE_BYTES {
                let length = usize::try_from((filled.end - at).min(STEP)).unwrap_or(PAGE_BYTES).min(left);
                let mut bytes = vec![0; length];
                if target.read(at, &mut bytes).is_ok() {
                    left -= length;
                    runs.push((at, bytes));
                }
                at += length as u64;
            }
        }
        runs.sort_by_key(|(start, _)| *start);
        Ok(Self { pid: target.pid(), mappings, threads, clocks: target.clocks(), runs })
    }

    /// Overwrites bytes of the copy. Returns whether all of them are in it, in one piece.
    pub fn overwrite(&mut self, address: u64, bytes: &[u8]) -> bool {
        let place = self.runs.partition_point(|(start, _)| *start <= address).checked_sub(1);
        let run = place.and_then(|at| self.runs.get_mut(at));
        let target = run.and_then(|(start, run)| {
            let from = usize::try_from(address - *start).ok()?;
            run.get_mut(from..from.checked_add(bytes.len())?)
        });
        let found = target.map(|target| target.copy_from_slice(bytes));
        found.is_some()
    }

    fn run_at(&self, address: u64) -> Option<&[u8]> {
        let (start, run) =
            self.runs.get(self.runs.partition_point(|(start, _)| *start <= address).checked_sub(1)?)?;
        run.get(usize::try_from(address - start).ok()?..).filter(|rest| !rest.is_empty())
    }
}

impl Memory for FrozenCopy {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        let mut at = address;
        let mut rest = into;
        // Runs follow each other where one mapping was copied in steps.
        while !rest.is_empty() {
            let run = self.run_at(at).ok_or(Unreadable { address: at })?;
            let (part, after) = rest.split_at_mut(run.len().min(rest.len()));
            part.copy_from_slice(run.get(..part.len()).ok_or(Unreadable { address: at })?);
            at = at.checked_add(part.len() as u64).ok_or(Unreadable { address: at })?;
            rest = after;
        }
        Ok(())
    }
}

impl Target for FrozenCopy {
    fn pid(&self) -> u32 {
        self.pid
    }

    fn mappings(&self) -> Result<Vec<Mapping>, OpenError> {
        Ok(self.mappings.clone())
    }

    fn threads(&self) -> Vec<Thread> {
        self.threads.clone()
    }

    fn thread_now(&self, id: u64) -> Option<Thread> {
        self.threads.iter().find(|thread| thread.id == id).cloned()
    }

    fn filled(&self, mapping: &Mapping) -> Vec<Range<u64>> {
        let inside = self.runs.iter().filter(|(start, _)| mapping.range.contains(start));
        inside
            .map(|(start, run)| *start..start.saturating_add(run.len() as u64).min(mapping.range.end))
            .collect()
    }

    fn read_pages(&self, pages: &[u64], into: &mut [u8]) -> bool {
        let mut each = pages.iter().zip(into.as_chunks_mut::<PAGE_BYTES>().0);
        each.all(|(&page, into)| self.read(page, into).is_ok())
    }

    fn clocks(&self) -> Clocks {
        self.clocks
    }

    fn is_over(&self) -> bool {
        false
    }
}
