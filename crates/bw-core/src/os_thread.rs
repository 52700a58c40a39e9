//! What the operating system calls a thread, and what it does to threads. One of the files that may use `unsafe`.

/// The number by which `top -H`, `gdb` and `/proc` know this thread; `None` where there is none that we know of.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn id() -> Option<u64> {
    // SAFETY: `gettid` takes no arguments, touches no memory and cannot fail. The call by number is for C libraries that
    // have no function for it.
    let id = unsafe { libc::syscall(libc::SYS_gettid) };
    u64::try_from(id).ok()
}

/// The number by which `top -H`, `gdb` and `/proc` know this thread; `None` where there is none that we know of.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn id() -> Option<u64> {
    None
}

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

#[cfg(test)]
mod tests {
    #[test]
    #[cfg(target_os = "linux")]
    fn the_main_thread_has_the_number_of_the_process() {
        let here = super::id().unwrap();
        assert!(std::path::Path::new(&format!("/proc/self/task/{here}")).exists());
        assert_ne!(Some(here), std::thread::spawn(super::id).join().unwrap());
    }
}
