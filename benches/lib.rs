//! What tracing costs, measured: one module for each thing measured, used by the criterion benches and the scoreboard.
//!
//! A measurement is a [`Sampler`]. Criterion benches run one after the other and watch for regressions; the scoreboard
//! takes samples of all contestants in turn and prints them side by side. To add a row there, add a [`Figure`] to
//! [`figures`].
//!
//! The peer most like us is tasktrace 0.1.1. Its traces are empty in optimized builds, so the root manifest compiles its
//! dependency scoped-trace without optimization for benches and releases (`profile.*.package.scoped-trace`), and every
//! figure of tasktrace is taken under that override. Each sampler asserts that what it times is a whole trace.

#![forbid(unsafe_code)]

mod figure;
pub mod measure;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

pub use figure::{Effort, Entrant, Figure, Measure, Target, figures, median, play};

/// Does something so many times, and tells how long that took. What criterion's `iter_custom` wants.
pub type Sampler = Box<dyn FnMut(u64) -> Duration>;

/// A task as an executor holds it: in a box of its own, its type forgotten.
pub type BoxedTask = Pin<Box<dyn Future<Output = ()>>>;

/// A waker as executors have it, behind an `Arc`, whose wake does nothing.
#[must_use]
pub fn waker() -> Waker {
    struct Nobody;
    impl Wake for Nobody {
        fn wake(self: Arc<Self>) {}
    }
    Waker::from(Arc::new(Nobody))
}

/// Polls the request, then the task, then the request again.
fn answer_of<T>(mut request: Pin<&mut impl Future<Output = T>>, task: Pin<&mut impl Future>) -> T {
    let waker = waker();
    let mut cx = Context::from_waker(&waker);
    assert!(request.as_mut().poll(&mut cx).is_pending());
    assert!(task.poll(&mut cx).is_pending());
    match request.poll(&mut cx) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the traced poll did not answer the request"),
    }
}
