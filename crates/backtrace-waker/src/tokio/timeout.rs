//! tokio's `timeout`, whose error says where the future waited.

use std::error::Error;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bw_core::poll_traced;
use pin_project_lite::pin_project;

use ::tokio::task::unconstrained;
use ::tokio::time::{Instant, Sleep, sleep};

use crate::trace::Trace;

/// As [`tokio::time::timeout`](::tokio::time::timeout), with an error that tells where the future waited when the time was up.
///
/// The future need not be traced, nor does this make it a task of dumps: until the time is up it costs what tokio's `timeout`
/// does, and no allocation. The poll that the timer causes then is the one that [records](bw_core::poll_traced). It is
/// a poll like any other: what becomes ready in it is the result, and nothing is lost. At no time is the future polled twice
/// in one poll of this one. Where the time passes while the future is being polled, the error comes with the next poll, which
/// this one asks for.
///
/// Dropping it drops the future, as ever. Give it `&mut future` to go on waiting after the error.
///
/// ```
/// use std::time::Duration;
///
/// use backtrace_waker::tokio::timeout_traced;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// async fn fetch(answers: &mut tokio::sync::mpsc::Receiver<u32>) -> Option<u32> {
///     answers.recv().await
/// }
///
/// let (_sender, mut receiver) = tokio::sync::mpsc::channel(1);
/// let elapsed = timeout_traced(Duration::from_secs(5), fetch(&mut receiver)).await.unwrap_err();
/// assert_eq!(elapsed.to_string(), "5s have passed, and the future is not ready");
/// println!("{elapsed:#}");
/// # assert!(format!("{elapsed:#}").contains("it waits here:"), "{elapsed:#}");
/// # }
/// ```
///
/// # Errors
///
/// [`Elapsed`], when the time is up and the future is not ready.
///
/// # Panics
///
/// As tokio's: outside of a runtime with time (`enable_time`, `enable_all`).
#[track_caller]
pub fn timeout_traced<F: IntoFuture>(timeout: Duration, future: F) -> TimeoutTraced<F::IntoFuture> {
    TimeoutTraced { future: future.into_future(), timer: sleep(timeout), timeout, stage: Stage::New }
}

pin_project! {
    /// A future with a time limit; made by [`timeout_traced`].
    #[must_use = "a future does nothing unless it is polled"]
    pub struct TimeoutTraced<F> {
        #[pin]
        future: F,
        #[pin]
        timer: Sleep,
        timeout: Duration,
        stage: Stage,
    }
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Never polled.
    New,
    /// The timer knows whom to wake.
    Waiting,
    /// The time is up.
    Elapsed,
}

impl<F: Future> Future for TimeoutTraced<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        // Before the future is polled, so that this one poll can be the one that records.
        let elapsed = match this.stage {
            Stage::New => this.timer.deadline() <= Instant::now(),
            Stage::Waiting => this.timer.is_elapsed(),
            Stage::Elapsed => true,
        };
        if elapsed {
            *this.stage = Stage::Elapsed;
            let polled = poll_traced(this.future, cx);
            return Poll::Ready(polled.map_err(|raw| {
                Elapsed::new(*this.timeout, Trace::new(raw).of_type(std::any::type_name::<F>()))
            }));
        }
        if let Poll::Ready(output) = this.future.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        *this.stage = Stage::Waiting;
        // Without the task's budget, which a future may use up in every poll: the timer would never be told whom to wake.
        ready!(pin!(unconstrained(this.timer)).poll(cx));
        *this.stage = Stage::Elapsed;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<F> fmt::Debug for TimeoutTraced<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimeoutTraced")
            .field("timeout", &self.timeout)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

/// The time was up, and the future waited on: the error of [`timeout_traced`].
///
/// `{}` is one line, without the trace, and never symbolizes. `{:#}` is that line and the tree below it, and symbolizes as
/// [`Trace`] does. `{:?}` has the addresses.
pub struct Elapsed(Box<Inner>);

/// Boxed, to keep what is passed along when all is well small.
struct Inner {
    timeout: Duration,
    trace: Trace,
}

impl Elapsed {
    fn new(timeout: Duration, trace: Trace) -> Self {
        Self(Box::new(Inner { timeout, trace }))
    }

    /// How long the future had.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.0.timeout
    }

    /// Where it waited. Nothing is symbolized before it is printed; its [`raw`](Trace::raw) never is.
    #[must_use]
    pub fn trace(&self) -> &Trace {
        &self.0.trace
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} have passed, and the future is not ready", self.0.timeout)?;
        if f.alternate() {
            // Not its own alternate form, which has every frame.
            write!(f, "; it waits here:\n{}", self.0.trace)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elapsed").field("timeout", &self.0.timeout).field("trace", &self.0.trace).finish()
    }
}

impl Error for Elapsed {}

/// An error of the kind [`TimedOut`](io::ErrorKind::TimedOut), with this one inside.
impl From<Elapsed> for io::Error {
    fn from(elapsed: Elapsed) -> Self {
        Self::new(io::ErrorKind::TimedOut, elapsed)
    }
}
