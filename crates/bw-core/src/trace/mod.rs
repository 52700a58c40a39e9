//! Plain data: addresses, raw traces, errors, states, ids, names, counters, and the records of a dump. The lowest floor: it
//! knows nothing of polls, threads or requests.

pub(crate) mod address;
pub(crate) mod counters;
pub(crate) mod duration;
pub(crate) mod error;
pub(crate) mod id;
pub(crate) mod name;
pub(crate) mod raw_task_dump;
pub(crate) mod raw_trace;
pub(crate) mod state;
pub(crate) mod task_filter;
pub(crate) mod task_layout;
pub(crate) mod task_record;
