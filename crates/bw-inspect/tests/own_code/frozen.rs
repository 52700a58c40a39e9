//! The memory of a child that waits.

use std::arch::asm;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;

use bw_inspect::target::{Memory, Unreadable};

/// A child of this process, forked, which waits until it is killed.
#[derive(Debug)]
pub(crate) struct Frozen {
    pid: libc::pid_t,
    memory: File,
    thread_pointer: u64,
    /// Pages that have been read, as a snapshot has them.
    pages: RefCell<HashMap<u64, Option<Box<[u8; PAGE]>>>>,
}

const PAGE: usize = 4096;

impl Frozen {
    /// Forks a child that has this thread alone.
    pub(crate) fn fork() -> Self {
        let thread_pointer: u64;
        // SAFETY: on x86-64 Linux, a thread control block begins with its own address.
        unsafe { asm!("mov {}, fs:[0]", out(reg) thread_pointer, options(nostack, readonly)) };
        // Until the C library is done in the child, its locks are still held there.
        let (mut ready, child_end) = std::io::pipe().expect("cannot make a pipe");
        // SAFETY: the child calls nothing but functions that are safe after a fork of a process with threads.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            // SAFETY: no memory is passed. The child ends with its parent.
            unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
            // SAFETY: one byte is read from a constant.
            unsafe { libc::write(child_end.as_raw_fd(), b"r".as_ptr().cast(), 1) };
            loop {
                // SAFETY: it only waits.
                unsafe { libc::pause() };
            }
        }
        assert!(pid > 0, "cannot fork: {}", std::io::Error::last_os_error());
        drop(child_end);
        ready.read_exact(&mut [0]).expect("the child ended");
        let memory = File::open(format!("/proc/{pid}/mem")).expect("cannot read the memory of a child");
        Self { pid, memory, thread_pointer, pages: RefCell::default() }
    }

    pub(crate) fn thread_pointer(&self) -> u64 {
        self.thread_pointer
    }
}

impl Memory for Frozen {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        let mut pages = self.pages.borrow_mut();
        let (number, offset) = (address / PAGE as u64, address as usize % PAGE);
        let page = pages.entry(number).or_insert_with(|| {
            let mut page = Box::new([0; PAGE]);
            self.memory.read_exact_at(&mut *page, number * PAGE as u64).ok().map(|()| page)
        });
        // The interpreter reads whole pages and parts of them.
        let bytes = page.as_ref().and_then(|page| page.get(offset..offset + into.len()));
        into.copy_from_slice(bytes.ok_or(Unreadable { address })?);
        Ok(())
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        // SAFETY: a child of ours that has not been waited for, so the number is still its own.
        unsafe { libc::kill(self.pid, libc::SIGKILL) };
        // SAFETY: no status is asked for.
        unsafe { libc::waitpid(self.pid, std::ptr::null_mut(), 0) };
    }
}
