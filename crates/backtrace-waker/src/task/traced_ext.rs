//! Wrapping as a method call: `future.traced()`.

use std::borrow::Cow;
use std::future::Future;

use crate::task::traced_task::TracedTask;

/// Wraps a future as a method call. Implemented for every future; no other type can implement it.
///
/// [`TracedTask::handle`] returns the handle. Dumps of the global [`Registry`](crate::Registry) include the task.
///
/// ```
/// use backtrace_waker::{TaskDump, TracedExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// tokio::spawn(tokio::time::sleep(std::time::Duration::from_secs(3600)).traced_as("sleeper"));
/// # tokio::task::yield_now().await;
///
/// let dump = TaskDump::take().await;
/// assert_eq!(dump.raw().tasks()[0].name(), Some("sleeper"));
/// # }
/// ```
pub trait TracedExt: Future + Sized {
    /// Wraps the future, as [`traced`](crate::traced) does.
    #[track_caller]
    fn traced(self) -> TracedTask<Self> {
        bw_core::TracedExt::traced(self).into()
    }

    /// Wraps the future and gives the task a name. A `&'static str` costs no allocation.
    #[track_caller]
    fn traced_as(self, name: impl Into<Cow<'static, str>>) -> TracedTask<Self> {
        bw_core::TracedExt::traced_as(self, name).into()
    }
}

impl<F: Future> TracedExt for F {}
