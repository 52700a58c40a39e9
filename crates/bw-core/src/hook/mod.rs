//! The waker whose clone records, and where the stacks of one poll go.

#[cfg(bw_broken_hook)]
mod broken_hook;
pub(crate) mod recorded;
#[allow(unsafe_code)]
pub(crate) mod recording_waker;
pub(crate) mod slot;
pub(crate) mod slot_pool;
