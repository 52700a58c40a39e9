//! The triggers of the agent, in programs of their own: `reports`.

mod child;
mod panics;
mod signals;
mod stalls;
