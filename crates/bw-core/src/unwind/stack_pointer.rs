//! Where on its stack a function runs. One of the files that may use `unsafe`.

/// The stack pointer of the function this is inlined into.
///
/// The real register, not the address of a local variable: AddressSanitizer moves variables to a stack of its own,
/// and a variable whose address escapes costs a stack slot. The value lies between the stack pointer an unwinder
/// reports for that function and the one it reports for its caller, which is all the walk asks of it.
#[inline(always)]
pub(crate) fn current() -> usize {
    #[cfg(not(miri))]
    {
        let sp: usize;
        #[cfg(target_arch = "x86_64")]
        // SAFETY: copies a register; touches neither memory nor flags nor the stack.
        unsafe {
            core::arch::asm!("mov {}, rsp", out(reg) sp, options(nomem, nostack, preserves_flags));
        }
        #[cfg(target_arch = "aarch64")]
        // SAFETY: copies a register; touches neither memory nor flags nor the stack.
        unsafe {
            core::arch::asm!("mov {}, sp", out(reg) sp, options(nomem, nostack, preserves_flags));
        }
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
        return sp;
    }
    #[cfg(any(miri, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
    {
        let here = 0_u8;
        core::ptr::from_ref(core::hint::black_box(&here)).addr()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callees_run_below_their_callers() {
        #[inline(never)]
        fn callee() -> usize {
            core::hint::black_box(current())
        }
        let here = core::hint::black_box(current());
        assert!(callee() < here);
    }
}
