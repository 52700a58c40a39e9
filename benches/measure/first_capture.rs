//! The first capture of a process, when nothing is cached, mapped in or started yet. Each is taken by a process of its own.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Instant;

use crate::measure::name;
use crate::measure::request::{LEVELS, levels_over};
use crate::{answer_of, waker};

/// What a child measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// From the request to the raw trace, the request and the task polled by hand.
    Request,
    /// The clone of the waker alone.
    Hook,
}

/// Who can take part.
#[must_use]
pub fn names(part: Part) -> &'static [&'static str] {
    match part {
        Part::Request if cfg!(all(tokio_unstable, feature = "taskdump")) => {
            &[name::OURS, name::TASKTRACE, name::TOKIO]
        }
        Part::Request => &[name::OURS, name::TASKTRACE],
        Part::Hook => &[name::OURS, name::TASKTRACE, name::BACKTRACE],
    }
}

/// The child: captures once, and gives the microseconds it took. `None` for a name that takes no part.
///
/// # Panics
///
/// When there is no trace.
#[must_use]
pub fn microseconds(part: Part, name: &str) -> Option<f64> {
    // What the clone took, in the poll that captured, which is the second.
    let took = Arc::new(Mutex::new(0.0));
    let leaf = {
        let took = Arc::clone(&took);
        Box::pin(poll_fn(move |cx| {
            let start = Instant::now();
            drop(black_box(cx.waker().clone()));
            *took.lock().expect("no panic") = micros(start);
            Poll::Pending
        }))
    };
    let task = levels_over(LEVELS, leaf);
    let request = match name {
        name::OURS => {
            let (task, handle) = bw_core::traced(task);
            let mut task = pin!(task);
            poll_once(task.as_mut());
            let start = Instant::now();
            let trace = answer_of(pin!(handle.capture()), task).expect("a suspended task has a trace");
            let request = micros(start);
            assert!(trace.stacks().all(|stack| stack.len() > LEVELS && !stack.is_truncated()));
            request
        }
        name::TASKTRACE => {
            let (task, handle) = tasktrace::traced(task);
            let mut task = pin!(task);
            poll_once(task.as_mut());
            let start = Instant::now();
            black_box(answer_of(pin!(handle.backtrace()), task)).expect("a suspended task has a trace");
            micros(start)
        }
        name::BACKTRACE if part == Part::Hook => return Some(first_walk()),
        #[cfg(all(tokio_unstable, feature = "taskdump"))]
        name::TOKIO if part == Part::Request => return Some(tokio_capture()),
        _ => return None,
    };
    let hook = *took.lock().expect("no panic");
    Some(match part {
        Part::Request => request,
        Part::Hook => hook,
    })
}

/// A walk of the whole stack down to the same leaf.
fn first_walk() -> f64 {
    let took = Arc::new(Mutex::new(0.0));
    let leaf = {
        let took = Arc::clone(&took);
        Box::pin(poll_fn(move |_| {
            let start = Instant::now();
            let frames = Cell::new(0);
            backtrace::trace(|frame| {
                black_box(frame.ip());
                frames.set(frames.get() + 1);
                frames.get() <= LEVELS + 4
            });
            *took.lock().expect("no panic") = micros(start);
            Poll::Pending
        }))
    };
    poll_once(Pin::new(&mut levels_over(LEVELS, leaf)));
    let took = took.lock().expect("no panic");
    *took
}

#[cfg(all(tokio_unstable, feature = "taskdump"))]
fn tokio_capture() -> f64 {
    use tokio::runtime::dump::Trace;
    let mut task = pin!(Trace::root(crate::measure::request::levels(LEVELS)));
    poll_once(task.as_mut());
    let start = Instant::now();
    let ((), trace) = Trace::capture(|| poll_once(task.as_mut()));
    let took = micros(start);
    assert!(trace.to_string().contains("request::levels_over"), "tokio saw nothing");
    took
}

fn poll_once(task: Pin<&mut impl Future<Output = ()>>) {
    assert!(task.poll(&mut Context::from_waker(&waker())).is_pending());
}

fn micros(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e6
}
