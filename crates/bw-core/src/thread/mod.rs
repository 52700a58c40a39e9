//! Which thread polls which task at this moment.

#[allow(unsafe_code)]
pub(crate) mod os_thread;
pub(crate) mod thread_slot;
