//! The system's allocator, reporting to the counts. One of the files that may use `unsafe`.
//!
//! Where nothing is counted it costs a load of a flag that nobody writes, the same for all.

use std::alloc::{GlobalAlloc, Layout, System};

use benches::measure::allocations;

#[global_allocator]
static COUNTED: Counted = Counted;

struct Counted;

// SAFETY: every function hands its arguments to the system's allocator and gives back what that gave. The reports touch
// atomics only: they neither allocate nor unwind.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        allocations::note_allocated();
        // SAFETY: the caller's contract is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        allocations::note_allocated();
        // SAFETY: the caller's contract is the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // A new one and the end of an old one, as a growing vector is without this function.
        allocations::note_allocated();
        allocations::note_freed();
        // SAFETY: the caller's contract is the same.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        allocations::note_freed();
        // SAFETY: the caller's contract is the same.
        unsafe { System.dealloc(memory, layout) }
    }
}
