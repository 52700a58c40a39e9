//! Where on its stack a function runs. One of the files that may use `unsafe`.

/// The stack pointer of the function this is inlined into.
///
/// The real register, not the address of a local variable: AddressSanitizer moves variables to a stack of its own,
/// and a variable whose address escapes costs a stack slot. The value lies between the stack pointer an unwinder
/// reports for that function and the one it reports for its caller, which is all the walk asks of it.
#[inline(always)]
pub(crate) fn pointer() -> usize {
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

/// A number that tells running threads apart. A thread that ended may share it with a later one.
///
/// Called in the hook, so it is not `std::thread::current`, which may allocate.
#[cfg(unix)]
pub(crate) fn thread() -> usize {
    // SAFETY: `pthread_self` has no preconditions and cannot fail.
    let thread = unsafe { libc::pthread_self() };
    // An integer on some platforms, a pointer on others: `as` is what covers both.
    #[allow(clippy::cast_possible_truncation)]
    {
        thread as usize
    }
}

/// A number that tells running threads apart. A thread that ended may share it with a later one.
#[cfg(not(unix))]
pub(crate) fn thread() -> usize {
    // No destructor, so nothing is registered for thread exit.
    thread_local!(static HERE: u8 = const { 0 });
    HERE.with(|here| core::ptr::from_ref(here).addr())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callees_run_below_their_callers() {
        #[inline(never)]
        fn callee() -> usize {
            core::hint::black_box(pointer())
        }
        let here = core::hint::black_box(pointer());
        assert!(callee() < here);
    }

    #[test]
    fn threads_differ_while_both_run() {
        let here = thread();
        assert_eq!(here, thread());
        assert_ne!(here, std::thread::spawn(thread).join().unwrap());
    }
}
