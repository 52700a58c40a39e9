//! The backend for platforms with ELF modules, and the symbolizer of modules of other processes: ELF files and
//! DWARF, read by object and gimli. Only what asks the dynamic loader of this process needs such a platform.
//!
//! Imports run down this table. `find` and `read` do not know each other.
//!
//! | Folder or file | Holds |
//! |---|---|
//! | `process/` | the backends: this process and recorded ones, their modules by address, and how much memory those may take |
//! | `find/` | what a module is, and the search for files that describe it |
//! | `read/` | frames from the bytes of those files: sections, DWARF, symbol tables |
//! | `file_bytes.rs` | bytes of files (the only file I/O; unsafe: mapping) |

#![cfg_attr(
    not(all(any(target_os = "linux", target_os = "android"), not(bw_portable))),
    allow(dead_code, reason = "some of it is for the modules of this process only")
)]

mod file_bytes;
mod find;
mod process;
mod read;

pub use process::debug_file::DebugFile;
pub(crate) use process::memory_budget::Budget;
pub(crate) use process::recorded_process::RecordedProcess;
#[cfg(all(any(target_os = "linux", target_os = "android"), not(bw_portable)))]
pub(crate) use process::this_process::ThisProcess;
