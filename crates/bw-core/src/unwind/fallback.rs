//! The portable walk: the `backtrace` crate's. One of the files that may use `unsafe`.
//!
//! It asks the platform's unwinder for each frame anew, 100 to 600 ns a frame on x86-64 Linux.

use super::{Bounds, End, Frames};

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
        if frames.push(address) {
            return true;
        }
        end = End::Full;
        false
    });
    end
}

/// Calls `f` for each frame from here outwards, until it returns `false`.
#[cfg(not(windows))]
#[inline(always)]
fn each_frame(f: impl FnMut(&backtrace::Frame) -> bool) {
    // SAFETY: unsynchronized use is a hazard only where unwinding goes through a library that is not thread-safe,
    // which is Windows' dbghelp. Elsewhere this is `_Unwind_Backtrace`, which any thread may call at any time:
    // unwinding of concurrent panics depends on it. `f` does not panic.
    unsafe { backtrace::trace_unsynchronized(f) }
}

/// Calls `f` for each frame from here outwards, until it returns `false`. Takes `backtrace`'s process-wide lock.
#[cfg(windows)]
#[inline(always)]
fn each_frame(f: impl FnMut(&backtrace::Frame) -> bool) {
    backtrace::trace(f);
}
