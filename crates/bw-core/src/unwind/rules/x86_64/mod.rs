//! What walks by rules need to know of x86-64. One of the files that may use `unsafe`.

#[deny(unsafe_code)]
mod prologue;
#[deny(unsafe_code)]
mod thread_walker;

use gimli::{Register, Vendor, X86_64};

use super::registers::Registers;
use super::rule::FrameRule;

pub(crate) use thread_walker::ThreadWalker;

pub(super) const STACK_POINTER: Register = X86_64::RSP;
pub(super) const FRAME_POINTER: Register = X86_64::RBP;
pub(super) const RETURN_ADDRESS: Register = X86_64::RA;
/// Whether a return address that is not on the stack is in a register.
pub(super) const HAS_LINK_REGISTER: bool = false;
/// Whose extensions unwind information may use.
pub(super) const VENDOR: Vendor = Vendor::Default;

/// The registers here, in the function this is inlined into.
#[inline(always)]
pub(super) fn registers_here() -> Registers {
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

/// Reads a word of this thread's stack. In assembly, since what is there may be padding or never written, which only a machine
/// may look at.
///
/// # Safety
///
/// `address` is a multiple of 8, at or above the caller's stack pointer, and below some address of a frame that is live on the
/// same stack.
#[inline(always)]
pub(super) unsafe fn read_stack(address: usize) -> usize {
    let word;
    // SAFETY: between the stack pointer and a live frame everything is mapped and readable. Only this thread writes its stack,
    // and it is here. Changes neither memory nor flags nor the stack.
    unsafe {
        core::arch::asm!(
            "mov {word}, qword ptr [{address}]",
            address = in(reg) address,
            word = lateout(reg) word,
            options(readonly, nostack, preserves_flags),
        );
    }
    word
}

/// A return address as the CPU would use it.
#[inline(always)]
pub(super) fn strip(return_address: usize) -> usize {
    return_address
}

/// The bits of a rule that say where registers are saved: 8 bits for the frame pointer. The call pushed the return address
/// right below the CFA.
pub(super) fn pack_saved(frame: FrameRule) -> Option<u32> {
    (frame.return_address == 1).then_some(u32::from(frame.frame_pointer))
}

/// The return address and the frame pointer that [`pack_saved`] packed, in words below the CFA.
#[inline(always)]
pub(super) fn unpack_saved(bits: u32) -> (u8, u8) {
    #[allow(clippy::cast_possible_truncation)] // The 8 bits that are meant.
    let frame_pointer = bits as u8;
    (1, frame_pointer)
}
