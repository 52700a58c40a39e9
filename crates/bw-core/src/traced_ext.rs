//! Wrapping in method position.

use std::borrow::Cow;
use std::future::Future;
use std::panic::Location;

use crate::name::Name;
use crate::registry::Registry;
use crate::task::{self, TracedTask};

/// Wraps a future where no handle is wanted: it is found through the global [`Registry`], in dumps of all tasks.
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
    /// As [`traced`](crate::traced), without a handle.
    #[track_caller]
    fn traced(self) -> TracedTask<Self> {
        task::new(Registry::global(), None, self, Location::caller()).0
    }

    /// As [`traced_as`](crate::traced_as), without a handle.
    #[track_caller]
    fn traced_as(self, name: impl Into<Cow<'static, str>>) -> TracedTask<Self> {
        task::new(Registry::global(), Some(Name::new(name)), self, Location::caller()).0
    }
}

impl<F: Future> TracedExt for F {}
