//! The numbers of system calls on AArch64.

use crate::target::architecture::Architecture;

/// Numbers on AArch64, and those of the same calls on x86-64.
const NUMBERS: [(u64, u64); 22] = [
    // epoll_ctl, epoll_pwait, epoll_pwait2, close, write, writev
    (21, 233),
    (22, 281),
    (441, 441),
    (57, 3),
    (64, 1),
    (66, 20),
    // ppoll, timerfd_settime
    (73, 271),
    (86, 286),
    // exit, exit_group, futex, clock_gettime, sched_yield
    (93, 60),
    (94, 231),
    (98, 202),
    (113, 228),
    (124, 24),
    // rt_sigprocmask, getpid, gettid, brk, munmap, mmap
    (135, 14),
    (172, 39),
    (178, 186),
    (214, 12),
    (215, 11),
    (222, 9),
    // mprotect, madvise, getrandom
    (226, 10),
    (233, 28),
    (278, 318),
];

/// Returns the number of a call on x86-64: the names in this crate are of these. A call that is not known here has a number that no call has.
pub(super) fn as_on_x86_64((architecture, number): (Architecture, u64)) -> u64 {
    match architecture {
        Architecture::X86_64 => number,
        Architecture::Aarch64 => {
            let known = NUMBERS.iter().find(|(own, _)| *own == number);
            known.map_or(u64::MAX, |(_, other)| *other)
        }
    }
}
