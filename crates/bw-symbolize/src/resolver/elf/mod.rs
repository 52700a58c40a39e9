//! The backend for platforms with ELF modules, and the symbolizer of modules of other processes: ELF files and
//! DWARF, read by object, gimli and addr2line. Only what asks the dynamic loader of this process needs such a platform.
//!
//! | File | Holds |
//! |---|---|
//! | `resolver.rs` | the backend: the modules of this process |
//! | `program.rs` | what `bw_dump::loaded` tells, as modules like any other's |
//! | `table.rs` | modules by address |
//! | `recorded.rs` | the backend for another process |
//! | `identity.rs` | what a module is, and whether a file describes it |
//! | `module.rs` | one module, with its debug information once somebody asked |
//! | `budget.rs` | how much memory all of them may take |
//! | `debug_source.rs` | which files have its debug information |
//! | `file_bytes.rs` | bytes of files (the only file I/O; unsafe: mapping) |
//! | `object_bytes.rs` | sections, unpacked, and the files with split units |
//! | `debug_info.rs` | frames from those bytes |
//! | `estimate.rs` | how much memory that takes |
//! | `damage.rs` | what files must not be like |
//! | `scopes.rs` | what the debug information calls a function and the bodies around it |
//! | `symbol_table.rs` | functions from the symbol table |

#![cfg_attr(
    not(all(any(target_os = "linux", target_os = "android"), not(bw_portable))),
    allow(dead_code, reason = "some of it is for the modules of this process only")
)]

macro_rules! with_loader {
    ($($item:item)*) => {
        $(
            #[cfg(all(any(target_os = "linux", target_os = "android"), not(bw_portable)))]
            $item
        )*
    };
}

with_loader! {
    mod program;
    #[allow(clippy::module_inception, reason = "the backend's `Resolver`")]
    mod resolver;
    pub(crate) use resolver::Resolver;
}

mod budget;
mod damage;
mod debug_info;
mod debug_source;
mod estimate;
mod file_bytes;
mod identity;
mod module;
mod object_bytes;
mod recorded;
mod scopes;
mod symbol_table;
mod table;

pub(crate) use budget::Budget;
pub(crate) use recorded::Recorded;
