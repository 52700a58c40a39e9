//! The types of tasks, from the names of the functions that poll them.

use bw_core::{RawTrace, StackFlags};
use bw_symbolize::Symbolizer;

/// Returns the type of the tasks that a function polls, as people write it, such as `async fn shop::accept`. `None` where debug
/// information does not tell.
///
/// `poll` is the address of tokio's `poll::<T, S>`, from [`Inspection::poll_of`](crate::Inspection::poll_of). Costs what
/// symbolizing one address costs.
#[must_use]
pub fn task_type(symbolizer: &Symbolizer, poll: u64) -> Option<String> {
    let after = usize::try_from(poll).ok()?.checked_add(1)?;
    let trace = symbolizer.symbolize(&RawTrace::from_stacks([([after], StackFlags::default())]));
    let frame = trace.stacks.first()?.frames.first()?;
    let function = frame.frames.last()?.function.as_ref()?;
    Some(format!("{} | {}", function.name, function.path))
}
