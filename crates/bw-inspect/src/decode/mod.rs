//! The values of suspended futures: where each waits, for what, and which guards it has.
//!
//! A guard that was moved elsewhere still looks like a guard in its old place. So what is decoded here is where a guard may be; whether it
//! is held, the task's own drop glue tells.

mod decoded_task;
mod future_walk;
mod known_types;

pub(crate) use decoded_task::{Await, DecodedTask, FoundAcquire, LockKind};
pub(crate) use future_walk::{TypeKnowledge, decode};
