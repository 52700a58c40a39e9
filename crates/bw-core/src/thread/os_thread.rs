//! What the operating system calls a thread, and what tells threads apart. One of the files that may use `unsafe`.

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

/// A number that tells running threads apart. A thread that ended may share it with a later one.
///
/// Called in the hook, so it is not `std::thread::current`, which may allocate.
#[cfg(unix)]
pub(crate) fn number() -> usize {
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
pub(crate) fn number() -> usize {
    // No destructor, so nothing is registered for thread exit.
    thread_local!(static HERE: u8 = const { 0 });
    HERE.with(|here| core::ptr::from_ref(here).addr())
}

/// What tells running threads apart in what is model checked, where threads are coroutines of one.
#[cfg(not(bw_loom))]
pub(crate) type ThreadKey = usize;

/// What tells running threads apart in what is model checked, where threads are coroutines of one.
#[cfg(bw_loom)]
pub(crate) type ThreadKey = loom::thread::ThreadId;

/// The key of this thread.
#[cfg(not(bw_loom))]
pub(crate) fn key() -> ThreadKey {
    number()
}

/// The key of this thread.
#[cfg(bw_loom)]
pub(crate) fn key() -> ThreadKey {
    loom::thread::current().id()
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

    #[test]
    fn threads_differ_while_both_run() {
        let here = super::number();
        assert_eq!(here, super::number());
        assert_ne!(here, std::thread::spawn(super::number).join().unwrap());
    }
}
