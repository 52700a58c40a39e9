//! Wrapping in method position.

use std::borrow::Cow;
use std::future::Future;
use std::panic::Location;

use crate::task::registry::Registry;
use crate::task::traced_task::{self, TracedTask};
use crate::trace::name::Name;

/// Wraps a future in method position. [`TracedTask::handle`] has its handle; dumps of all tasks find it through the global
/// [`Registry`].
///
/// ```
/// use bw_core::TracedExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// tokio::spawn(tokio::time::sleep(std::time::Duration::from_secs(3600)).traced_as("sleeper"));
/// # tokio::task::yield_now().await;
///
/// let dump = bw_core::Registry::global().dump().await;
/// assert_eq!(dump.tasks()[0].name(), Some("sleeper"));
/// # }
/// ```
pub trait TracedExt: Future + Sized {
    /// Wraps the future, as [`traced`](crate::traced) does.
    #[track_caller]
    fn traced(self) -> TracedTask<Self> {
        traced_task::new(Registry::global(), None, self, Location::caller()).0
    }

    /// As [`traced`](Self::traced), with a name. A `&'static str` costs no allocation.
    #[track_caller]
    fn traced_as(self, name: impl Into<Cow<'static, str>>) -> TracedTask<Self> {
        traced_task::new(Registry::global(), Some(Name::new(name)), self, Location::caller()).0
    }
}

impl<F: Future> TracedExt for F {}
