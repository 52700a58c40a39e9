//! A copy of what a process may change, made while its threads stood still.
//!
//! The copy has the memory that the process can write to. Code and constants are read from the process where they are needed, after its
//! threads went on: they stay the same.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::live_process::LiveProcess;
use super::mappings::Mapping;
use super::memory::{Memory, Unreadable};
use super::open_error::OpenError;
use super::thread_stop;
use super::threads::Thread;
use super::{Clocks, PAGE_BYTES, Target};

/// Bytes of memory that are copied whole. Of more than that, only what was used a moment before is copied.
pub(crate) const MOST_WHOLE_BYTES: u64 = 128 << 20;
/// Bytes of mappings whose pages are looked up while the threads stand still: that takes a millisecond for so many.
const MOST_LISTED_BYTES: u64 = 256 << 20;
/// Bytes that are copied between two looks at the clock.
const STEP: u64 = 1 << 20;

/// A process as it was at one moment.
#[derive(Debug)]
pub(crate) struct StoppedCopy<'p> {
    process: &'p LiveProcess,
    mappings: Vec<Mapping>,
    threads: Vec<Thread>,
    clocks: Clocks,
    data: CopiedRuns,
    pause: Duration,
    /// Whether everything that was to be copied was.
    is_whole: bool,
    /// Whether all pages that hold data are known, so that every other one is zero.
    is_listed: bool,
    /// What a note says of how the copy was made.
    limits: Limitation,
    /// Reads of memory that can change, and that the copy does not have.
    late_reads: AtomicU64,
    /// Why the process stood still before.
    standstill: Option<String>,
}

/// Why a copy is not one of the whole memory at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limitation {
    None,
    /// Only these parts were to be copied, since there is more memory than is copied whole.
    Parts,
    /// Not all threads stopped within this time.
    NotStopped(Duration),
    /// This time was over before all was copied.
    NotCopied(Duration),
}

/// Memory that was copied, in one buffer.
#[derive(Debug, Default)]
struct CopiedRuns {
    buffer: Vec<u8>,
    /// Addresses, and where in the buffer they begin; by address.
    runs: Vec<(Range<u64>, usize)>,
}

/// What is done while the threads stand still.
struct Copied {
    mappings: Vec<Mapping>,
    threads: Vec<Thread>,
    clocks: Clocks,
    data: CopiedRuns,
    is_whole: bool,
    is_listed: bool,
}

impl<'p> StoppedCopy<'p> {
    /// Returns how many bytes of a process can change.
    pub(crate) fn changing_bytes(process: &LiveProcess) -> Result<u64, OpenError> {
        let mappings = process.mappings()?;
        Ok(bytes(&filled(process, &mappings)))
    }

    /// Stops the threads of a process, copies its memory or these parts of it, and lets the threads go on after `most` at the latest.
    pub(crate) fn of(
        process: &'p LiveProcess,
        parts: Option<&[Range<u64>]>,
        most: Duration,
    ) -> Result<Self, OpenError> {
        let standstill = process.standstill();
        let before = process.mappings()?;
        let known = filled(process, &before);
        let expected = parts.map_or_else(|| bytes(&known), bytes);
        // What it maps meanwhile has room, too.
        let room = usize::try_from(expected + expected / 4).unwrap_or(0) + (1 << 20);
        let mut buffer = vec![0; room];
        // Pages of the buffer are not to be looked for by the kernel while the threads wait.
        buffer.fill(1);
        let copy = |threads, until| -> Result<Copied, OpenError> {
            let clocks = process.clocks();
            let mappings = process.mappings()?;
            let mapped = mappings.iter().filter(|it| it.is_private_data());
            let is_small = mapped.map(|it| it.range.end - it.range.start).sum::<u64>() <= MOST_LISTED_BYTES;
            let ranges = match parts {
                Some(parts) => writable_parts(parts, &mappings),
                None if is_small => filled(process, &mappings),
                None => known,
            };
            let is_listed = is_small && parts.is_none();
            let (data, is_whole) = CopiedRuns::copy(process, &ranges, buffer, until);
            Ok(Copied { mappings, threads, clocks, data, is_whole, is_listed })
        };
        let outcome = thread_stop::while_stopped(process, most, copy)?;
        let pause = outcome.pause;
        let Some(copied) = outcome.result.transpose()? else {
            return Ok(Self {
                process,
                mappings: process.mappings()?,
                threads: process.threads(),
                clocks: process.clocks(),
                data: CopiedRuns::default(),
                pause,
                is_whole: false,
                is_listed: false,
                limits: Limitation::NotStopped(most),
                late_reads: AtomicU64::new(0),
                standstill,
            });
        };
        let limits = match (copied.is_whole, parts) {
            (false, _) => Limitation::NotCopied(most),
            (true, Some(_)) => Limitation::Parts,
            (true, None) => Limitation::None,
        };
        let mut threads = copied.threads;
        let named = process.threads();
        for thread in &mut threads {
            thread.name = named.iter().find(|it| it.id == thread.id).and_then(|it| it.name.clone());
        }
        Ok(Self {
            process,
            mappings: copied.mappings,
            threads,
            clocks: copied.clocks,
            data: copied.data,
            pause,
            is_whole: copied.is_whole,
            is_listed: copied.is_listed && copied.is_whole,
            limits,
            late_reads: AtomicU64::new(0),
            standstill,
        })
    }

    fn mapping_at(&self, address: u64) -> Option<&Mapping> {
        let after = self.mappings.partition_point(|mapping| mapping.range.start <= address);
        let mapping = self.mappings.get(after.checked_sub(1)?)?;
        mapping.range.contains(&address).then_some(mapping)
    }
}

/// The parts of the memory of a process that it can change and has written to.
fn filled(process: &LiveProcess, mappings: &[Mapping]) -> Vec<Range<u64>> {
    mappings.iter().filter(|it| it.is_private_data()).flat_map(|it| process.filled(it)).collect()
}

fn bytes(ranges: &[Range<u64>]) -> u64 {
    ranges.iter().map(|range| range.end - range.start).sum()
}

/// The parts of these ranges that can change.
fn writable_parts(ranges: &[Range<u64>], mappings: &[Mapping]) -> Vec<Range<u64>> {
    let mut parts = Vec::new();
    for range in ranges {
        let first = mappings.partition_point(|mapping| mapping.range.end <= range.start);
        let inside = mappings.iter().skip(first).take_while(|mapping| mapping.range.start < range.end);
        parts.extend(
            inside
                .filter(|it| it.is_private_data())
                .map(|it| range.start.max(it.range.start)..range.end.min(it.range.end)),
        );
    }
    parts
}

impl CopiedRuns {
    /// Copies ranges, until all are copied, the buffer is full or the time is over. Says whether all were.
    fn copy(
        process: &LiveProcess,
        ranges: &[Range<u64>],
        mut buffer: Vec<u8>,
        until: Instant,
    ) -> (Self, bool) {
        let mut runs: Vec<(Range<u64>, usize)> = Vec::new();
        let mut used = 0;
        let mut is_whole = true;
        for range in ranges {
            let mut at = range.start;
            while at < range.end {
                let end = range.end.min(at.saturating_add(STEP));
                let length = usize::try_from(end - at).unwrap_or(usize::MAX);
                let into = used + length <= buffer.len() && Instant::now() < until;
                let Some(into) = buffer.get_mut(used..used.saturating_add(length)).filter(|_| into) else {
                    is_whole = false;
                    break;
                };
                if process.read(at, into).is_ok() {
                    runs.push((at..end, used));
                    used += length;
                }
                at = end;
            }
        }
        runs.sort_unstable_by_key(|(range, _)| range.start);
        (Self { buffer, runs }, is_whole)
    }

    /// The bytes that were copied from an address on.
    fn at(&self, address: u64) -> Option<&[u8]> {
        let after = self.runs.partition_point(|(range, _)| range.start <= address);
        let (range, at) = self.runs.get(after.checked_sub(1)?)?;
        let left = range.end.checked_sub(address).filter(|&left| left > 0)?;
        let from = at + usize::try_from(address - range.start).ok()?;
        self.buffer.get(from..from + usize::try_from(left).ok()?)
    }
}

impl Memory for StoppedCopy<'_> {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        let mut at = address;
        let mut rest = into;
        while !rest.is_empty() {
            let length = if let Some(known) = self.data.at(at) {
                let length = known.len().min(rest.len());
                let (part, known) = (rest.get_mut(..length), known.get(..length));
                let both = part.zip(known).ok_or(Unreadable { address: at })?;
                both.0.copy_from_slice(both.1);
                length
            } else {
                // Up to the next page, which may be in the copy.
                let page = PAGE_BYTES - usize::try_from(at).unwrap_or(0) % PAGE_BYTES;
                let length = page.min(rest.len());
                let part = rest.get_mut(..length).ok_or(Unreadable { address: at })?;
                let mapping = self.mapping_at(at);
                if self.is_listed && mapping.is_some_and(Mapping::may_hold_tasks) {
                    part.fill(0);
                } else {
                    self.process.read(at, part)?;
                    // Ordering: Relaxed; a count.
                    let is_late = mapping.is_some_and(|it| it.is_writable);
                    self.late_reads.fetch_add(u64::from(is_late), Ordering::Relaxed);
                }
                length
            };
            at = at.checked_add(length as u64).ok_or(Unreadable { address: at })?;
            rest = rest.get_mut(length..).unwrap_or_default();
        }
        Ok(())
    }
}

impl Target for StoppedCopy<'_> {
    fn pid(&self) -> u32 {
        self.process.pid()
    }

    fn mappings(&self) -> Result<Vec<Mapping>, OpenError> {
        Ok(self.mappings.clone())
    }

    fn threads(&self) -> Vec<Thread> {
        self.threads.clone()
    }

    fn thread_now(&self, id: u64) -> Option<Thread> {
        match self.limits {
            Limitation::NotStopped(_) => self.process.thread_now(id),
            _ => self.threads.iter().find(|thread| thread.id == id).cloned(),
        }
    }

    fn filled(&self, mapping: &Mapping) -> Vec<Range<u64>> {
        if !mapping.is_private_data() || !self.is_whole && self.limits != Limitation::Parts {
            return self.process.filled(mapping);
        }
        let first = self.data.runs.partition_point(|(range, _)| range.end <= mapping.range.start);
        let inside = self.data.runs.iter().skip(first).map(|(range, _)| range);
        let inside = inside.take_while(|range| range.start < mapping.range.end);
        let mut parts: Vec<Range<u64>> = Vec::new();
        for range in inside {
            match parts.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => parts.push(range.clone()),
            }
        }
        parts
    }

    fn read_pages(&self, pages: &[u64], into: &mut [u8]) -> bool {
        let mut each = pages.iter().zip(into.as_chunks_mut::<PAGE_BYTES>().0);
        each.all(|(&page, into)| self.read(page, into).is_ok())
    }

    fn clocks(&self) -> Clocks {
        self.clocks
    }

    fn is_over(&self) -> bool {
        self.process.is_over()
    }

    fn pause(&self) -> Option<Duration> {
        Some(self.pause)
    }

    fn standstill(&self) -> Option<String> {
        self.standstill.clone()
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = match self.limits {
            Limitation::None => Vec::new(),
            Limitation::Parts => vec![
                "the process has more memory than is copied at once; what it used a moment before was copied, and tasks that \
                 were spawned since are missing"
                    .to_owned(),
            ],
            Limitation::NotStopped(most) => vec![format!(
                "not all threads stopped within {} ms, so they ran while memory was read",
                most.as_millis()
            )],
            Limitation::NotCopied(most) => vec![format!(
                "the threads went on after {} ms, before all memory was copied; the rest was read while they ran",
                most.as_millis()
            )],
        };
        if let (Limitation::None | Limitation::Parts, late @ 1..) =
            (self.limits, self.late_reads.load(Ordering::Relaxed))
        {
            notes.push(format!(
                "{late} reads were of memory that was not copied, and that may have changed since"
            ));
        }
        notes
    }
}
