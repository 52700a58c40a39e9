//! The registers a walk begins with. One of the files that may use `unsafe`.

/// The registers of one frame, as unwind rules need them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Registers {
    /// Where the frame executes.
    pub(super) instruction_pointer: usize,
    pub(super) stack_pointer: usize,
    pub(super) frame_pointer: usize,
    /// 0 where return addresses are never in a register.
    pub(super) link_register: usize,
}

/// Reads a word of a stack that may end anywhere. `None` if nothing is there, or if the system does not let this process read its
/// own memory so. A system call: about 0.3 µs.
pub(super) fn read_anywhere(address: usize) -> Option<usize> {
    let mut word = 0_usize;
    let into = libc::iovec { iov_base: (&raw mut word).cast(), iov_len: size_of::<usize>() };
    let from =
        libc::iovec { iov_base: core::ptr::without_provenance_mut(address), iov_len: size_of::<usize>() };
    // SAFETY: no preconditions; cannot fail.
    let process = unsafe { libc::getpid() };
    // SAFETY: `into` is as large as `word`. What `from` names is read by the kernel, to which an address that is not mapped is
    // an error and no fault.
    let read = unsafe { libc::process_vm_readv(process, &raw const into, 1, &raw const from, 1, 0) };
    (usize::try_from(read) == Ok(size_of::<usize>())).then_some(word)
}
