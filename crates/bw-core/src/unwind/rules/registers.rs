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

/// The registers here, in the function this is inlined into.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn here() -> Registers {
    let (instruction_pointer, stack_pointer, frame_pointer);
    // SAFETY: copies registers; touches neither memory nor flags nor the stack.
    unsafe {
        core::arch::asm!(
            // First, because the compiler may choose it for another of the outputs.
            "mov {fp}, rbp",
            "lea {ip}, [rip]",
            "mov {sp}, rsp",
            ip = out(reg) instruction_pointer,
            sp = out(reg) stack_pointer,
            fp = out(reg) frame_pointer,
            options(nomem, nostack, preserves_flags),
        );
    }
    Registers { instruction_pointer, stack_pointer, frame_pointer, link_register: 0 }
}

/// The registers here, in the function this is inlined into.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
pub(super) fn here() -> Registers {
    let (instruction_pointer, stack_pointer, frame_pointer, link_register);
    // SAFETY: copies registers; touches neither memory nor flags nor the stack.
    unsafe {
        core::arch::asm!(
            // These first, because the compiler may choose them for others of the outputs.
            "mov {fp}, x29",
            "mov {lr}, x30",
            "adr {ip}, .",
            "mov {sp}, sp",
            ip = out(reg) instruction_pointer,
            sp = out(reg) stack_pointer,
            fp = out(reg) frame_pointer,
            lr = out(reg) link_register,
            options(nomem, nostack, preserves_flags),
        );
    }
    Registers { instruction_pointer, stack_pointer, frame_pointer, link_register }
}

/// A return address as the CPU would use it.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn strip(return_address: usize) -> usize {
    return_address
}

/// A return address without its pointer authentication code.
///
/// `xpaclri`, which is a hint and does nothing on CPUs without pointer authentication.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
pub(super) fn strip(return_address: usize) -> usize {
    let stripped;
    // SAFETY: changes only x30, which is declared.
    unsafe {
        core::arch::asm!(
            "hint #7",
            inout("x30") return_address => stripped,
            options(nomem, nostack, preserves_flags),
        );
    }
    stripped
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
