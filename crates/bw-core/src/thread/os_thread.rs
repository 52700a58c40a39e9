//! What the operating system calls a thread, and what tells threads apart. One of the files that may use `unsafe`.

#[cfg(all(target_os = "linux", not(miri)))]
use core::mem::MaybeUninit;
use core::ops::Range;

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

/// This thread's own stack, from the lowest address that may be used up to its end. `None` where the system does not tell.
///
/// Allocates, and of the main thread reads a file of the kernel: tens of microseconds.
#[cfg(all(target_os = "linux", not(miri)))]
pub(crate) fn stack() -> Option<Range<usize>> {
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: `pthread_self` has no preconditions and cannot fail.
    let thread = unsafe { libc::pthread_self() };
    // SAFETY: a thread that runs, this one, and room for its attributes.
    if unsafe { libc::pthread_getattr_np(thread, attributes.as_mut_ptr()) } != 0 {
        return None;
    }
    let (mut lowest, mut bytes, mut guard) = (core::ptr::null_mut(), 0, 0);
    // SAFETY: the attributes were initialized by the call above, which succeeded, as for the two calls below.
    let told = unsafe { libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut lowest, &raw mut bytes) };
    // SAFETY: see above.
    let told_guard = unsafe { libc::pthread_attr_getguardsize(attributes.as_ptr(), &raw mut guard) };
    // SAFETY: see above; nobody uses them after this.
    unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
    if told != 0 || told_guard != 0 {
        return None;
    }
    // Before 2.27 glibc counted the guard as part of the stack, and there is no telling which it is: this errs to the safe side.
    let start = lowest.addr().checked_add(guard)?;
    let end = lowest.addr().checked_add(bytes)?;
    (start < end).then_some(start..end)
}

/// This thread's own stack. `None`: the system does not tell.
#[cfg(not(all(target_os = "linux", not(miri))))]
pub(crate) fn stack() -> Option<Range<usize>> {
    None
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

    #[test]
    #[cfg(target_os = "linux")]
    fn every_thread_has_a_stack_that_its_functions_run_on() {
        let check = || {
            let here = core::hint::black_box(0_u8);
            let stack = super::stack().unwrap();
            assert!(stack.contains(&core::ptr::from_ref(&here).addr()), "{stack:x?}");
            stack.len()
        };
        assert!(check() > 64 * 1024);
        let small = std::thread::Builder::new().stack_size(64 * 1024).spawn(check).unwrap().join().unwrap();
        // The C library rounds up, and puts what is thread-local there too.
        assert!(small < 256 * 1024, "{small}");
    }
}
