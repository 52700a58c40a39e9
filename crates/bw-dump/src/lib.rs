//! Raw task dumps as files: written in one process without symbolizing anything, and read, merged and symbolized in another.
//!
//! A task dump of [`bw_core`] has return addresses. They mean something only together with the modules that the process had
//! loaded. A [`RawDumpFile`] holds both: the dump, the [`Process`] and its [`ModuleMap`]. Whoever has the debug information
//! symbolizes it later, on any machine, with the crate `bw-symbolize`.
//!
//! ```
//! use bw_dump::RawDumpFile;
//!
//! let dump = bw_core::Registry::global().dump().blocking();
//! let mut file = Vec::new();
//! RawDumpFile::of_this_process(&dump).write_gzip(&mut file)?;
//!
//! let read = RawDumpFile::read(&*file)?;
//! println!("process {} has {} traced tasks", read.process().pid, read.dump().tasks().len());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! This prints, in a program with two tasks:
//!
//! ```text
//! process 4711 has 2 traced tasks
//! ```
//!
//! # What is here
//!
//! * [`raw_dump`]: the format of the file. [`RawDumpReader`] reads files that are not trusted, within bounds.
//! * [`ModuleMap`] and [`BuildId`]: what a process has loaded, and which builds they are. [`loaded`] asks the dynamic loader.
//! * [`Merge`]: the dumps of many processes as one, to see what a fleet waits for.
//! * [`contract`]: what an agent in a program and the command `backtrace-waker` agree on.
//! * [`rfc3339`]: times as text.
//!
//! # Features
//!
//! `file`, on by default, writes and reads raw dump files and the answers of agents. Without it the data types
//! remain, and neither serde nor flate2 is built. `bw-symbolize` uses this crate so.
//!
//! # What it is not for
//!
//! It does not symbolize or print anything: it depends on no library that reads debug information. Writing a file
//! allocates and asks the dynamic loader, so it does not belong in a waker's `clone` or in a signal handler.
//!
//! # Unsafe code
//!
//! `loaded/dynamic_loader.rs` asks the dynamic loader. Everything else denies unsafe code.
#![deny(unsafe_code)]

mod build_id;
pub mod contract;
pub mod loaded;
mod merge;
mod module_map;
mod process;
pub mod raw_dump;
pub mod rfc3339;

// A program that only reads dump files can filter tasks without a dependency on bw-core.
#[doc(no_inline)]
pub use bw_core::{InvalidTaskFilter, TaskFilter};

pub use build_id::{BuildId, InvalidBuildId};
pub use merge::{Merge, MergedDump, MergedGroup, MergedProgram, MergedTask};
pub use module_map::{CodeSegment, Module, ModuleMap};
pub use process::Process;
#[cfg(feature = "file")]
pub use raw_dump::error::RawDumpError;
pub use raw_dump::file::RawDumpFile;
#[cfg(feature = "file")]
pub use raw_dump::reader::RawDumpReader;

#[cfg(all(test, feature = "file"))]
mod tests {
    use std::error::Error;
    use std::fmt::{Debug, Display};
    use std::str::FromStr;

    use super::*;

    #[test]
    fn public_types_have_the_traits_that_users_expect() {
        fn data<T: Clone + Debug + Send + Sync>() {}
        fn error<T: Error + Send + Sync>() {}
        fn text<T: Display + FromStr>() {}
        data::<RawDumpFile<'_>>();
        data::<RawDumpReader>();
        data::<(Process, Module, ModuleMap, CodeSegment, BuildId)>();
        data::<(MergedDump, MergedGroup, MergedTask, MergedProgram)>();
        data::<(loaded::LoadedModules, loaded::LoadGeneration)>();
        data::<(contract::ProcessDescription, contract::sockets::SocketName)>();
        error::<RawDumpError>();
        error::<InvalidBuildId>();
        error::<rfc3339::InvalidTime>();
        error::<contract::InvalidProcessDescription>();
        error::<contract::sockets::InvalidSocketName>();
        text::<BuildId>();
        text::<contract::sockets::SocketName>();
    }
}
