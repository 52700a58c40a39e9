//! How the tasks of an executor are found in memory.

pub(crate) mod runtime_threads;
pub(crate) mod task_list;
pub(crate) mod task_state;
pub(crate) mod task_vtables;
pub(crate) mod thread_blocks;
pub(crate) mod waker_index;
pub(crate) mod wrapped_tasks;
