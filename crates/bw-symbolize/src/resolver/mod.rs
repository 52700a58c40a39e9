//! Where frames come from: one backend per kind of platform, chosen here and nowhere else.
//!
//! The contract of a backend, all of it callable from any number of threads:
//!
//! * `Resolver::new()` is `const`-cheap: nothing is opened.
//! * `generation()` says which modules are loaded, as a [`Generation`], cheaply enough to ask at every use of a
//!   cached frame.
//! * `resolve(address, generation)` finds the frames of one address, and says for which generation they hold.
//!   It may open files, block, and take long. It never fails: what is not known is left out.
//! * `outlives(frame, then, now)` says whether a frame found in one generation still holds in a later one.
//! * `clear()` gives memory back.

#[cfg(all(any(target_os = "linux", target_os = "android"), not(bw_portable)))]
mod elf;
#[cfg(all(any(target_os = "linux", target_os = "android"), not(bw_portable)))]
pub(crate) use elf::Resolver;

#[cfg(not(all(any(target_os = "linux", target_os = "android"), not(bw_portable))))]
mod portable;
#[cfg(not(all(any(target_os = "linux", target_os = "android"), not(bw_portable))))]
pub(crate) use portable::Resolver;

/// How often modules were loaded and unloaded in this process. Later is greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Generation {
    /// Modules loaded since the process started.
    pub(crate) loads: u64,
    /// Modules unloaded since the process started.
    pub(crate) unloads: u64,
}
