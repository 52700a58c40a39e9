//! The portable walk: the `backtrace` crate's. One of the files that may use `unsafe`.
//!
//! It asks the platform's unwinder for each frame anew, 100 to 600 ns a frame on x86-64 Linux.
//!
//! # Locks
//!
//! The walk runs in the hook, inside other crates' critical sections. So it must not take a lock that somebody may hold who is
//! waiting for such a section. The `backtrace` crate has a lock of its own, which `backtrace::trace` takes and symbolizing holds for long: it is
//! never taken here. What is left are the locks of the platform's unwinder:
//!
//! | platform | walk | its locks |
//! |---|---|---|
//! | Linux, glibc from 2.35 | `_Unwind_Backtrace`, `_dl_find_object` | none |
//! | other Unixes | `_Unwind_Backtrace` | of the C library, around its list of modules (`dl_iterate_phdr` or its like) |
//! | Windows of 64 bits | `RtlLookupFunctionEntry`, `RtlVirtualUnwind` | of ntdll, around its tables of functions |
//! | Windows of 32 bits | none: dbghelp would need the crate's lock | none; each trace is empty and truncated |
//!
//! The C library and ntdll hold theirs while they look at their own tables, or add a module to them. They call no code of
//! the program meanwhile, so whoever holds one goes on and lets go. Each panic and each exception takes the same locks. One case is
//! not covered: a program that calls `dl_iterate_phdr` itself, and in its callback waits for a thread that is in a waker's clone.

use super::{Bounds, End, Frames};

/// So many frames are looked for the root in where there is no more room for them: each takes up to 50 times as long here as by rules.
const MOST_BEYOND: usize = 1_024;

pub(super) fn walk(bounds: Bounds, frames: &mut Frames) -> End {
    let mut end = End::Lost;
    // Beyond the leaf a frame may be below it again: where the leaf's stack was switched to from a lower one.
    let mut beyond = false;
    each_frame(|frame| {
        let address = frame.ip().addr();
        if address == 0 {
            return false;
        }
        // The stack pointer as it is in this frame once its callee has returned; its caller's is greater.
        match frame.sp().addr() {
            // The platform does not tell: take everything. Nothing ends the walk then, so it counts as truncated.
            0 => {}
            sp if sp <= bounds.leaf && !beyond => {
                // The walker's own frame, or the leaf: whichever is last in this branch is the leaf.
                frames.restart(address);
                return true;
            }
            sp if bounds.root.is_some_and(|root| sp > root) => {
                end = End::Root;
                return false;
            }
            _ => beyond = true,
        }
        if frames.push(address) && frames.beyond() < MOST_BEYOND {
            return true;
        }
        end = End::Full;
        false
    });
    end
}

/// Calls `f` for each frame from here outwards, until it returns `false`.
#[cfg(not(all(
    windows,
    not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm64ec"))
)))]
#[inline(always)]
fn each_frame(f: impl FnMut(&backtrace::Frame) -> bool) {
    // SAFETY: unsynchronized use is a hazard only where the walk is done by Windows' dbghelp, which is not thread-safe: on Windows
    // of 32 bits, where this is not compiled. On Windows of 64 bits it is `RtlVirtualUnwind`, elsewhere
    // `_Unwind_Backtrace`. Any thread may call them at any time: exceptions and panics of several threads depend on it. `f` does
    // not panic.
    unsafe { backtrace::trace_unsynchronized(f) }
}

/// Calls nobody: no walk of this platform is without a lock of this process.
#[cfg(all(windows, not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm64ec"))))]
fn each_frame(_: impl FnMut(&backtrace::Frame) -> bool) {}
