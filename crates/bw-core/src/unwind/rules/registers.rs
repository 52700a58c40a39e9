//! The registers a walk begins with. One of the files that may use `unsafe`.

/// The registers of one frame, as unwind rules need them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Registers {
    /// Where the frame executes.
    pub(super) instruction_pointer: usize,
    pub(super) stack_pointer: usize,
    pub(super) frame_pointer: usize,
    /// 0 where return addresses are never in a register.
    pub(super) link_register: usize,
}

/// Reads a word of this thread's stack.
///
/// # Safety
///
/// `address` is a multiple of 8, at or above this function's caller's stack pointer, and below some address of a frame
/// that is live on the same stack.
#[inline(always)]
pub(super) unsafe fn read_stack(address: usize) -> usize {
    let word = core::ptr::with_exposed_provenance::<usize>(address);
    // SAFETY: between the stack pointer and a live frame everything is mapped and readable, and the address is aligned.
    // Only this thread writes its stack, and it is here. Volatile, because the compiler knows of no variable there.
    unsafe { word.read_volatile() }
}
