//! The registers of a thread that stood still.

use std::sync::Arc;

/// The registers of a thread that stood still when they were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registers {
    /// The address of the next instruction.
    pub instruction: u64,
    /// The stack pointer.
    pub stack_pointer: u64,
    /// Where the thread's own values are: the FS base. 0 on AArch64, where it is not known.
    pub thread_pointer: u64,
    /// The number of the system call that the thread is in. `None` if it stood in user space.
    pub system_call: Option<u64>,
    /// The general registers in the numbering of DWARF.
    pub general: Arc<[u64]>,
}

impl Registers {
    /// Words of [`from_words_of_aarch64`](Self::from_words_of_aarch64).
    pub(crate) const WORDS_OF_AARCH64: usize = 34;
    /// Words of [`from_words`](Self::from_words).
    pub(crate) const WORDS: usize = 27;

    /// Takes the registers of x86-64 in the order of the kernel's `struct user_regs_struct`.
    #[must_use]
    pub(crate) fn from_words(words: &[u64; Self::WORDS]) -> Self {
        let [
            r15,
            r14,
            r13,
            r12,
            rbp,
            rbx,
            r11,
            r10,
            r9,
            r8,
            rax,
            rcx,
            rdx,
            rsi,
            rdi,
            call,
            rip,
            _,
            _,
            rsp,
            _,
            fs_base,
            ..,
        ] = *words;
        let general = [rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12, r13, r14, r15];
        Self {
            instruction: rip,
            stack_pointer: rsp,
            thread_pointer: fs_base,
            // The kernel has a negative number there in user space.
            system_call: Some(call).filter(|call| !call.cast_signed().is_negative()),
            general: general.into(),
        }
    }
}

impl Registers {
    /// Takes the registers of AArch64 in the order of the kernel's `struct user_pt_regs`. The thread pointer is not among them, nor
    /// whether the thread is in a system call.
    #[must_use]
    pub(crate) fn from_words_of_aarch64(words: &[u64; Self::WORDS_OF_AARCH64]) -> Self {
        let [general @ .., instruction, _] = words;
        Self {
            instruction: *instruction,
            stack_pointer: general[31],
            thread_pointer: 0,
            system_call: None,
            general: general.as_slice().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_register_is_taken_for_another() {
        let registers = Registers::from_words(&core::array::from_fn(|at| at as u64));
        assert_eq!((registers.instruction, registers.stack_pointer, registers.thread_pointer), (16, 19, 21));
        assert_eq!(registers.system_call, Some(15));
        assert_eq!(*registers.general, [10, 12, 11, 5, 13, 14, 4, 19, 9, 8, 7, 6, 3, 2, 1, 0]);
        let of_aarch64 = Registers::from_words_of_aarch64(&core::array::from_fn(|at| at as u64));
        assert_eq!((of_aarch64.instruction, of_aarch64.stack_pointer), (32, 31));
        assert_eq!(of_aarch64.general.len(), 32);
        let mut words = [0; Registers::WORDS];
        words[15] = u64::MAX;
        assert_eq!(Registers::from_words(&words).system_call, None);
    }
}
