//! Where the memory of other processes cannot be read.

use std::convert::Infallible;
use std::ops::Range;

use super::mappings::Mapping;
use super::memory::{Memory, Unreadable};
use super::open_error::OpenError;
use super::threads::Thread;
use super::{Clocks, Target};

/// A process of this machine that runs. This system has none that can be read.
#[derive(Debug)]
pub struct LiveProcess(Infallible);

impl LiveProcess {
    /// Refuses.
    ///
    /// # Errors
    ///
    /// Always.
    pub fn open(_: u32) -> Result<Self, OpenError> {
        Err(OpenError::Unsupported)
    }

    /// Whether it is there, and has not ended.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        match self.0 {}
    }
}

impl Memory for LiveProcess {
    fn read(&self, _: u64, _: &mut [u8]) -> Result<(), Unreadable> {
        match self.0 {}
    }
}

impl Target for LiveProcess {
    fn pid(&self) -> u32 {
        match self.0 {}
    }

    fn mappings(&self) -> Result<Vec<Mapping>, OpenError> {
        match self.0 {}
    }

    fn threads(&self) -> Vec<Thread> {
        match self.0 {}
    }

    fn thread_now(&self, _: u64) -> Option<Thread> {
        match self.0 {}
    }

    fn filled(&self, _: &Mapping) -> Vec<Range<u64>> {
        match self.0 {}
    }

    fn read_pages(&self, _: &[u64], _: &mut [u8]) -> bool {
        match self.0 {}
    }

    fn clocks(&self) -> Clocks {
        match self.0 {}
    }

    fn is_over(&self) -> bool {
        match self.0 {}
    }
}
