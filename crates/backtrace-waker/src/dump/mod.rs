//! All tasks of a registry at once, as a dump that prints itself.

pub(crate) mod dump_future;
pub(crate) mod task_dump;
