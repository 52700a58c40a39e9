//! The one line of memory that every poll on every thread looks at: the request [`generation`](crate::task::generation) and the
//! coarse [`clock`](crate::time::clock). Written a few times a second, so it is in every cache; together, so that a poll finds
//! both with one address.

use core::sync::atomic::AtomicU32;

use crate::sync::AtomicUsize;

/// See the module. Nothing else is on its line, so nothing else can slow it down.
#[repr(align(64))]
pub(crate) struct SharedCacheLine {
    pub(crate) generation: AtomicUsize,
    /// Not modelled: a time orders nothing.
    pub(crate) tick: AtomicU32,
}

#[cfg(not(bw_loom))]
pub(crate) static SHARED_CACHE_LINE: SharedCacheLine =
    SharedCacheLine { generation: AtomicUsize::new(0), tick: AtomicU32::new(0) };

#[cfg(bw_loom)]
loom::lazy_static! {
    pub(crate) static ref SHARED_CACHE_LINE: SharedCacheLine = SharedCacheLine { generation: AtomicUsize::new(0), tick: AtomicU32::new(0) };
}
