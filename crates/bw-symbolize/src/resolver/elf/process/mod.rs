//! The modules of a process, each with its debug information once an address in it was asked for.

pub(crate) mod debug_file;
pub(crate) mod memory_budget;
mod module;
mod module_table;
pub(crate) mod recorded_process;
#[cfg(all(any(target_os = "linux", target_os = "android"), not(bw_portable)))]
pub(crate) mod this_process;
