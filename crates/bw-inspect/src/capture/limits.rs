//! What looking at a process may cost.

/// What looking at a process may cost at most. A limit that is reached is reported, and what was found until then is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of memory that are searched for tasks.
    pub data_bytes: u64,
    /// Instructions of one emulated poll.
    pub poll_instructions: u64,
    /// Instructions of all emulated polls together.
    pub all_instructions: u64,
    /// Pages of 4 KiB that one emulated poll may touch.
    pub poll_pages: usize,
    /// Stacks that are kept of one poll.
    pub stacks: usize,
    /// Frames that are kept of one stack.
    pub frames: usize,
    /// Children of one task that are polled: futures that the task polls with wakers of their own.
    pub children: usize,
    /// How often a task is read again because it ran while it was read.
    pub attempts: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            data_bytes: 8 << 30,
            poll_instructions: 2_000_000,
            all_instructions: 4_000_000_000,
            poll_pages: 4096,
            stacks: 2600,
            frames: 512,
            children: 1000,
            attempts: 4,
        }
    }
}
