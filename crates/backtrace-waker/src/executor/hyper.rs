//! What hyper spawns: HTTP/2 streams and connections, and whatever hyper-util adds.

use std::future::Future;

use ::hyper::rt::Executor;

use super::TracedExecutor;
use crate::task::traced_task::TracedTask;

/// ```
/// use backtrace_waker::{TracedExecutor, Tracer};
/// use hyper_util::rt::TokioExecutor;
///
/// // Give it to `hyper::server::conn::http2::Builder::new`, `hyper_util::server::conn::auto::Builder::new`,
/// // `hyper_util::client::legacy::Client::builder`, or whoever else asks for an executor.
/// let executor = TracedExecutor::with_tracer(TokioExecutor::new(), Tracer::new().named("http"));
/// # fn execute<F: Future<Output = ()>>(executor: &impl hyper::rt::Executor<F>, future: F) { executor.execute(future) }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async { execute(&executor, async {}) });
/// ```
impl<E, F> Executor<F> for TracedExecutor<E>
where
    E: Executor<TracedTask<F>>,
    F: Future,
{
    fn execute(&self, future: F) {
        self.executor.execute(self.trace(future));
    }
}
