//! The coarse clock that every poll reads, and the timer thread that advances it and keeps deadlines.

pub(crate) mod clock;
#[allow(unsafe_code)]
pub(crate) mod fork;
pub(crate) mod shared_cache_line;
#[allow(unsafe_code)]
pub(crate) mod stamp;
pub(crate) mod timer;
