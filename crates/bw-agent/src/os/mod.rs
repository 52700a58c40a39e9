//! What the operating system does without a safe function for it in the standard library. The file that may use `unsafe`.
#![allow(unsafe_code)]

#[cfg(unix)]
pub(crate) mod fork_guard;

/// Returns the user that this process acts as.
#[cfg(unix)]
pub(crate) fn user_id() -> u32 {
    // SAFETY: reads a number of the process; it cannot fail.
    unsafe { libc::geteuid() }
}

/// Has this called when the process ends by returning from `main` or by `exit`; tells whether it will be. The caller's code must
/// not be unloaded before: it has a thread that runs in it.
#[cfg(unix)]
pub(crate) fn at_exit(ending: extern "C" fn()) -> bool {
    // SAFETY: the function is safe to call at any time, and is there as long as the process; see above.
    unsafe { libc::atexit(ending) == 0 }
}

/// Has this called in every child that is forked from now on, by its only thread, before `fork` returns; tells whether it will
/// be. What it calls must be allowed in a signal handler. The caller's code must not be unloaded; see [`at_exit`].
#[cfg(unix)]
pub(crate) fn in_forked_children(forked: extern "C" fn()) -> bool {
    let forked: unsafe extern "C" fn() = forked;
    // SAFETY: the function is safe to call at any time, and is there as long as the process; see above.
    unsafe { libc::pthread_atfork(None, None, Some(forked)) == 0 }
}

/// Closes a descriptor of the parent's in a child that was just forked, where nobody is left who would use it.
#[cfg(unix)]
pub(crate) fn close_in_child(descriptor: i32) {
    // SAFETY: touches no memory. Those who own the descriptor are threads that are not there in this process.
    unsafe { libc::close(descriptor) };
}

/// While it is there, the calling thread gets no signals but those it causes itself, and threads that it starts get none ever:
/// a handler of the program's should run on the program's threads, and who waits for a signal with `sigwait` should get it.
#[cfg(unix)]
pub(crate) struct NoSignals {
    before: libc::sigset_t,
}

#[cfg(unix)]
impl NoSignals {
    pub(crate) fn here() -> Self {
        use std::mem::MaybeUninit;

        let mut all = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: initializes the set.
        unsafe { libc::sigfillset(all.as_mut_ptr()) };
        // SAFETY: the call above initialized it.
        let mut all = unsafe { all.assume_init() };
        // Those that a fault of this thread causes end the process at once where they are blocked, and nobody's handler, as that of
        // the standard library for a stack overflow, would say why.
        for fault in [
            libc::SIGSEGV,
            libc::SIGBUS,
            libc::SIGILL,
            libc::SIGFPE,
            libc::SIGTRAP,
            libc::SIGSYS,
            libc::SIGABRT,
        ] {
            // SAFETY: writes to the set, which is initialized; the number is a signal's.
            unsafe { libc::sigdelset(&raw mut all, fault) };
        }
        let mut before = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: reads the one set, and initializes the other with the mask of this thread. Cannot fail: `SIG_SETMASK` is valid.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, before.as_mut_ptr()) };
        // SAFETY: the call above initialized it.
        let before = unsafe { before.assume_init() };
        Self { before }
    }
}

#[cfg(unix)]
impl Drop for NoSignals {
    fn drop(&mut self) {
        // SAFETY: reads the set, which is a mask that this thread had.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, std::ptr::null_mut()) };
    }
}

/// There are no signals.
#[cfg(not(unix))]
pub(crate) struct NoSignals;

#[cfg(not(unix))]
impl NoSignals {
    pub(crate) fn here() -> Self {
        Self
    }
}
