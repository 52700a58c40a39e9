//! Hearing of forks: a child has everything but the timer's thread. One of the files that may use `unsafe`.

/// Has this called in every child that is forked from now on, by its only thread, before `fork` returns. For as long as the
/// process lives: the caller's code must not be unloaded. Tells whether it will be.
#[cfg(unix)]
pub(crate) fn call_in_children(forked: extern "C" fn()) -> bool {
    let forked: unsafe extern "C" fn() = forked;
    // SAFETY: the function may be called at any time, as it is safe. It is there as long as the process: whoever calls this
    // keeps a thread running in the same code.
    unsafe { libc::pthread_atfork(None, None, Some(forked)) == 0 }
}

/// There is no `fork`.
#[cfg(not(unix))]
pub(crate) fn call_in_children(_: extern "C" fn()) -> bool {
    true
}
