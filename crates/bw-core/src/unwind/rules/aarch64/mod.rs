//! What walks by rules need to know of AArch64. One of the files that may use `unsafe`.

use gimli::{AArch64, Register, Vendor};

use super::registers::Registers;
use super::rule::FrameRule;

/// The link register of a waiting thread's leaf frame is unknown.
pub(crate) use super::super::no_thread_walker::ThreadWalker;

pub(super) const STACK_POINTER: Register = AArch64::SP;
pub(super) const FRAME_POINTER: Register = AArch64::X29;
pub(super) const RETURN_ADDRESS: Register = AArch64::X30;
/// Whether a return address that is not on the stack is in a register.
pub(super) const HAS_LINK_REGISTER: bool = true;
/// Whose extensions unwind information may use: instructions that say where return addresses are signed.
pub(super) const VENDOR: Vendor = Vendor::AArch64;

/// The registers here, in the function this is inlined into.
#[inline(always)]
pub(super) fn registers_here() -> Registers {
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
            "ldr {word}, [{address}]",
            address = in(reg) address,
            word = lateout(reg) word,
            options(readonly, nostack, preserves_flags),
        );
    }
    word
}

/// A return address without its pointer authentication code.
///
/// `xpaclri`, which is a hint and does nothing on CPUs without pointer authentication.
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

const PAIR: u32 = 1 << 8;

/// The bits of a rule that say where registers are saved: 8 bits for the link register. The frame pointer is saved as a pair
/// with it, right below, or not at all.
pub(super) fn pack_saved(frame: FrameRule) -> Option<u32> {
    let link_register = u32::from(frame.return_address);
    match u32::from(frame.frame_pointer) {
        0 => Some(link_register),
        below if link_register != 0 && below == link_register + 1 => Some(link_register | PAIR),
        _ => None,
    }
}

/// The return address and the frame pointer that [`pack_saved`] packed, in words below the CFA.
#[inline(always)]
pub(super) fn unpack_saved(bits: u32) -> (u8, u8) {
    #[allow(clippy::cast_possible_truncation)] // The 8 bits that are meant.
    let link_register = bits as u8;
    (link_register, if bits & PAIR == 0 { 0 } else { link_register.wrapping_add(1) })
}
