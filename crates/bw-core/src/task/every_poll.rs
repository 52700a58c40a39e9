//! A test mode, compiled in with `--cfg bw_every_poll` alone; `ci/lost_wakes` runs tests in it.
//!
//! A request wakes the task that it asks. So a storm of dumps wakes every task again and again, and hides a hook that loses
//! wakes: the next dump makes up for each wake that was lost. In this mode every poll of every traced task is polled with the
//! hook's waker, whether there is a request or not, and a request does not wake the task: it is answered by the task's next
//! poll, which the program itself must cause. A task that lost a wake stays suspended for ever, and a test sees that.

/// Whether the mode is on. A constant: builds without the mode have no code for it.
pub(crate) const EVERY_POLL: bool = cfg!(bw_every_poll);
