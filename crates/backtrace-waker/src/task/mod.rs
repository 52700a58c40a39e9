//! One traced task: its wrapper, the ways to wrap, its handle, and the registry that lists all tasks.

pub(crate) mod registry;
pub(crate) mod trace_handle;
pub(crate) mod traced_ext;
pub(crate) mod traced_task;
pub(crate) mod tracer;
