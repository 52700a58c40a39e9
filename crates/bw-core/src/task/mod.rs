//! One traced task: the wrapper and its two ways to poll, the requests for a trace, and the registry that lists all tasks.

pub(crate) mod blocked_poll;
pub(crate) mod capture_future;
pub(crate) mod distinct_traces;
pub(crate) mod every_poll;
pub(crate) mod generation;
pub(crate) mod handle;
pub(crate) mod inbox;
#[cfg(all(target_pointer_width = "64", not(bw_loom)))]
pub(crate) mod layout_table;
#[allow(unsafe_code)]
pub(crate) mod poll_record;
pub(crate) mod poll_traced;
pub(crate) mod registry;
pub(crate) mod request;
pub(crate) mod requester;
pub(crate) mod task_cell;
pub(crate) mod traced_ext;
pub(crate) mod traced_task;
pub(crate) mod tracer;
pub(crate) mod wake;
