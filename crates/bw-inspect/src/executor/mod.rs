//! How the tasks of executors are found in memory.

mod async_task_list;
mod async_task_state;
mod async_task_tables;
pub(crate) mod child_wakers;
pub(crate) mod found_task;
mod old_async_tables;
pub(crate) mod possible_wakers;
pub(crate) mod process_tasks;
pub(crate) mod runtime_threads;
pub(crate) mod task_list;
pub(crate) mod task_state;
pub(crate) mod task_vtables;
pub(crate) mod thread_blocks;
pub(crate) mod waker_index;
pub(crate) mod worker_tasks;
pub(crate) mod wrapped_tasks;
