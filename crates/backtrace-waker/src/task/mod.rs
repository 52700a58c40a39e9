//! One traced task: the wrapper, ways to wrap, the registry that lists all tasks, and the handle that asks one.

pub(crate) mod registry;
pub(crate) mod trace_handle;
pub(crate) mod traced_ext;
pub(crate) mod traced_task;
pub(crate) mod tracer;
