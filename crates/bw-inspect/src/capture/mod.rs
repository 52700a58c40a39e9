//! Stacks of tasks: by emulated polls, and of the threads that poll.

mod aarch64_prologue;
pub(crate) mod address_space;
pub(crate) mod allocator;
pub(crate) mod block_on_root;
pub(crate) mod child_polls;
pub(crate) mod emulated_drop;
pub(crate) mod emulated_poll;
mod frame_pointer;
pub(crate) mod kernel;
pub(crate) mod limits;
pub(crate) mod progress;
pub(crate) mod stack_walk;
mod system_call_numbers;
pub(crate) mod thread_stack;
pub(crate) mod unwind_rules;
