//! Which tasks wait for which, and what is wrong with that.
//!
//! An edge leads from a task to another one without which it cannot go on: that is known, or there is no edge. So each ring of edges is a
//! deadlock.

mod finding;
mod wait_graph;
mod waiting_task;

pub use finding::{Blocker, Evidence, Finding, FindingKind, InvolvedTask, Line};
pub(crate) use wait_graph::{Edge, WaitGraph, Why};
pub(crate) use waiting_task::{Examined, Examiner, NO_DEBUG_INFO, ResumableTask, Wait, WaitingTask, edges};
