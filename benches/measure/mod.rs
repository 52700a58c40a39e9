//! The measurements, one file for each thing measured.

pub mod allocations;
pub mod clones;
pub mod dump;
pub mod first_capture;
pub mod idle;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod inspect;
pub mod memory;
pub mod raw_dump;
pub mod request;
pub mod service;
pub mod spawn;
pub mod symbols;
pub mod two_threads;

/// What the contestants are called, in tables and in JSON.
pub mod name {
    /// The future alone.
    pub const BARE: &str = "bare";
    /// bw-core.
    pub const OURS: &str = "ours";
    /// tasktrace 0.1.1.
    pub const TASKTRACE: &str = "tasktrace";
    /// async-backtrace 0.2.
    pub const ASYNC_BACKTRACE: &str = "async-backtrace";
    /// await-tree 0.3.
    pub const AWAIT_TREE: &str = "await-tree";
    /// `tokio::runtime::dump::Trace`.
    pub const TOKIO: &str = "tokio";
    /// `backtrace::trace`, to the same depth and without symbols: the walk that the peers build on.
    pub const BACKTRACE: &str = "backtrace";
    /// `addr2line::Loader`, the other reader of debug information that is used as a library.
    pub const LOADER: &str = "addr2line";
    /// `gdb -p PID`, which stops a process and prints the stacks of its threads.
    pub const GDB: &str = "gdb";
    /// All of them, in the order of the columns.
    pub const ALL: [&str; 9] =
        [BARE, OURS, TASKTRACE, ASYNC_BACKTRACE, AWAIT_TREE, TOKIO, BACKTRACE, LOADER, GDB];
}
