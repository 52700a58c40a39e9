//! The process that is looked at: its memory, mappings, modules and threads. Every read may fail, and nothing is ever written.

pub(crate) mod architecture;
pub(crate) mod core_file;
pub(crate) mod core_notes;
pub(crate) mod data_scan;
pub(crate) mod exported_functions;
pub(crate) mod file_build;
pub(crate) mod frozen_copy;
#[cfg_attr(not(target_os = "linux"), path = "no_live_process.rs")]
pub(crate) mod live_process;
pub(crate) mod mappings;
pub(crate) mod memory;
pub(crate) mod modules;
pub(crate) mod open_error;
pub(crate) mod page_cache;
pub(crate) mod positioned_file;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod profiler;
pub(crate) mod recorder;
pub(crate) mod registers;
mod standstill;
pub(crate) mod stopped_copy;
pub(crate) mod thread_sample;
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), path = "no_thread_stop.rs")]
pub(crate) mod thread_stop;
pub(crate) mod threads;
pub(crate) mod words;

use std::ops::Range;
use std::time::Duration;

use bw_core::DumpSource;

pub use core_file::CoreFile;
pub use frozen_copy::FrozenCopy;
pub use live_process::LiveProcess;
pub use mappings::Mapping;
pub use memory::{Memory, Unreadable};
pub use open_error::OpenError;
pub use registers::Registers;
pub use thread_sample::ThreadSample;
pub use threads::{Thread, WaitingAt};

/// Bytes of a page: the unit in which memory is kept and compared.
pub(crate) const PAGE_BYTES: usize = 4096;
/// The same as an address.
pub(crate) const PAGE: u64 = 4096;

/// The time of a target's machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clocks {
    /// Since some moment, such as the start of the machine: what deadlines of timers are told in.
    pub monotonic: Duration,
    /// Since 1970.
    pub realtime: Duration,
}

/// What is looked at: memory, with what the operating system says of it.
pub trait Target: Memory + Sync {
    /// Returns the number of the process.
    fn pid(&self) -> u32;

    /// Returns its mappings, by address.
    ///
    /// # Errors
    ///
    /// When it has ended, or may not be read.
    fn mappings(&self) -> Result<Vec<Mapping>, OpenError>;

    /// Returns its threads.
    fn threads(&self) -> Vec<Thread>;

    /// Returns where a thread is now, without its name. `None` when it has ended.
    fn thread_now(&self, id: u64) -> Option<Thread>;

    /// Copies the registers and the stacks of threads that run, without stopping them. Blocks until each of them has run for a moment, or
    /// waits, for `most` at most. A thread is missing where that is not possible.
    fn sample_threads(&self, _ids: &[u64], _most: Duration) -> Vec<(u64, ThreadSample)> {
        Vec::new()
    }

    /// Returns the parts of a mapping that hold data.
    fn filled(&self, mapping: &Mapping) -> Vec<Range<u64>>;

    /// Reads pages at these addresses, one behind the other, into a buffer of so many pages. Returns whether all could be read.
    fn read_pages(&self, pages: &[u64], into: &mut [u8]) -> bool;

    /// Reads a piece of memory that is searched, most of which nothing is found in.
    ///
    /// # Errors
    ///
    /// As of [`read`](Memory::read).
    fn read_piece(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        self.read(address, into)
    }

    /// Returns the time, or that of the copy.
    fn clocks(&self) -> Clocks;

    /// Whether the process has ended, so that nothing can be read any more.
    fn is_over(&self) -> bool;

    /// Returns what a dump of it is said to be from.
    fn source(&self) -> DumpSource {
        DumpSource::Memory
    }

    /// Returns for how long its threads were stopped. `None` if they were not.
    fn pause(&self) -> Option<Duration> {
        None
    }

    /// Returns why all of the process stands still, as a sentence without a period at the end. `None` if it does not, and of a core file.
    fn standstill(&self) -> Option<String> {
        None
    }

    /// Returns sentences about what is missing in it, without a period at the end.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}
