//! A timeout for tests, on tokio.

use std::future::{Future, IntoFuture, poll_fn};
use std::panic::Location;
use std::pin::pin;
use std::time::Duration;

use super::timeout::timeout_traced;
use crate::dump::task_dump::TaskDump;
use crate::test_timeout::TestTimeout;

/// For tests: waits for the future, and when the time is up, prints a dump of all traced tasks and fails.
///
/// The panic's message has the trace of the future itself, which need not be traced; the [dump](TaskDump) goes to stderr before,
/// with what the test has printed, unless no task is traced. While it is taken, at most two seconds, the future is polled on, so that
/// children of its own can answer.
///
/// A test whose runtime is wedged cannot panic: nothing polls this future. So a [`TestTimeout`] watches as well,
/// and five seconds ([`TestTimeout::GRACE`]) after the time was up in vain, prints the dump from outside and aborts the process.
/// It counts real time, also where tokio's is paused.
///
/// ```
/// use std::time::Duration;
///
/// use backtrace_waker::tokio::test_timeout;
///
/// // #[tokio::test]
/// async fn the_answer_comes() {
///     let (sender, receiver) = tokio::sync::oneshot::channel();
///     tokio::spawn(async move { sender.send(42) });
///     assert_eq!(test_timeout(Duration::from_secs(10), receiver).await, Ok(42));
/// }
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(the_answer_comes());
/// ```
///
/// The time begins with the first poll. Costs a thread until the future is done or dropped.
///
/// # Panics
///
/// When the time is up; and, when it is first polled, outside of a tokio runtime with time, or if no thread can be started.
#[track_caller]
pub fn test_timeout<F: IntoFuture>(timeout: Duration, future: F) -> impl Future<Output = F::Output> {
    let at = Location::caller();
    let future = future.into_future();
    async move {
        let mut future = pin!(future);
        let traced = timeout_traced(timeout, future.as_mut());
        let mut watch =
            TestTimeout::start(timeout, timeout.saturating_add(TestTimeout::GRACE), Duration::ZERO, at);
        let elapsed = match traced.await {
            Ok(output) => {
                // In time by tokio's clock, which is the one that counts.
                watch.end();
                return output;
            }
            Err(elapsed) => elapsed,
        };
        let mut dump = pin!(TaskDump::take());
        let mut is_over = false;
        let dump = poll_fn(|cx| {
            // Too late, if it becomes ready now; but it must not be polled after that.
            is_over = is_over || future.as_mut().poll(cx).is_ready();
            dump.as_mut().poll(cx)
        });
        let dump = dump.await;
        watch.end();
        // One of nothing looks like an answer, and the trace below is one.
        if !dump.raw().tasks().is_empty() {
            // The macro, which the harness of tests captures: this test is going to end.
            eprintln!("{dump}");
        }
        panic!("test timeout at {at}: {elapsed:#}");
    }
}
