//! All tasks of a registry at once: asking them ([`dump_future`], [`collector`], [`blocked_polls`]) or only looking at them
//! ([`look`]).

mod blocked_polls;
mod collector;
pub(crate) mod dump_future;
mod look;
mod polling_now;
