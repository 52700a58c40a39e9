//! Where frames come from: one backend per kind of platform, chosen here and nowhere else.
//!
//! The contract of a backend, all of it callable from any number of threads:
//!
//! * `ThisProcess::new(sources, budget)` opens nothing. The backend may look for debug information only where `sources`
//!   say, and keeps no more of it in memory than the budget.
//! * `generation()` says which modules are loaded, as a [`LoadGeneration`], cheaply enough to ask at every use of a
//!   cached frame.
//! * `resolve(address, generation)` finds the frames of one address, and says for which generation they hold.
//!   It may open files, block, and take long. It never fails: what is not known is left out.
//! * `outlives(frame, then, now)` says whether a frame found in one generation still holds in a later one.
//! * `problems()` says why names or lines are missing.
//! * `clear()` gives memory back.

use bw_core::ReturnAddress;
use bw_dump::loaded::LoadGeneration;

use crate::frame::PhysicalFrame;
use crate::problem::Problem;

mod elf;
pub use elf::DebugFile;
#[cfg(all(any(target_os = "linux", target_os = "android"), not(bw_portable)))]
pub(crate) use elf::ThisProcess;
pub(crate) use elf::{Budget, RecordedProcess};

#[cfg(not(all(any(target_os = "linux", target_os = "android"), not(bw_portable))))]
mod portable;
#[cfg(not(all(any(target_os = "linux", target_os = "android"), not(bw_portable))))]
pub(crate) use portable::ThisProcess;

/// The process whose addresses are asked for.
pub(crate) enum Backend {
    /// This one, as it is now.
    ThisProcess(ThisProcess),
    /// Another, as it was.
    Recorded(RecordedProcess),
}

impl Backend {
    /// The debug information of the module at an address. `None` without any, and for this process.
    pub(crate) fn debug_file(&self, address: u64) -> Option<DebugFile> {
        match self {
            Self::ThisProcess(_) => None,
            Self::Recorded(recorded) => recorded.debug_file(address),
        }
    }

    pub(crate) fn generation(&self) -> LoadGeneration {
        match self {
            Self::ThisProcess(resolver) => resolver.generation(),
            Self::Recorded(_) => LoadGeneration::default(),
        }
    }

    pub(crate) fn resolve(
        &self,
        address: ReturnAddress,
        generation: LoadGeneration,
    ) -> (LoadGeneration, PhysicalFrame) {
        match self {
            Self::ThisProcess(resolver) => resolver.resolve(address, generation),
            Self::Recorded(recorded) => (generation, recorded.resolve(address)),
        }
    }

    pub(crate) fn outlives(&self, frame: &PhysicalFrame, then: LoadGeneration, now: LoadGeneration) -> bool {
        match self {
            Self::ThisProcess(resolver) => resolver.outlives(frame, then, now),
            Self::Recorded(_) => true,
        }
    }

    pub(crate) fn problems(&self) -> Vec<Problem> {
        match self {
            Self::ThisProcess(resolver) => resolver.problems(),
            Self::Recorded(recorded) => recorded.problems(),
        }
    }

    pub(crate) fn clear(&self) {
        match self {
            Self::ThisProcess(resolver) => resolver.clear(),
            Self::Recorded(recorded) => recorded.clear(),
        }
    }
}
