//! Which thread polls which task at this moment.

#[allow(unsafe_code)]
pub(crate) mod os_thread;
pub(crate) mod poll_stack;
pub(crate) mod thread_slot;

/// What [`poll_stack`] is made of. Its model has loom's instead.
mod primitives {
    pub(super) use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
    pub(super) use parking_lot::Mutex;
}
