//! Finds where async tasks wait in a process that nobody prepared, from its memory.
#![forbid(unsafe_code)]

mod capture;
pub mod emulate;
mod executor;
mod inspection;
mod task_type;
pub mod target;

pub use capture::limits::Limits;
pub use inspection::{Figures, Inspection, inspect};
pub use task_type::task_type;
