//! Tasks that end: before, in and after the traced poll.

use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use bw_core::{TaskState, traced};

use crate::harness::{Bell, FOREVER, Gate, ask, poll};

#[test]
fn completes_during_the_traced_poll() {
    let gate = Gate::default();
    let (task, handle) = traced({
        let gate = gate.clone();
        async move {
            gate.await;
            7
        }
    });
    let mut task = pin!(task);
    assert!(ask(&handle, task.as_mut()).0.is_pending());
    gate.open();
    let (polled, answer) = ask(&handle, task.as_mut());
    assert_eq!(polled, Poll::Ready(7));
    assert!(answer.unwrap_err().is_finished());
    assert_eq!(handle.state(), TaskState::Finished);
}

#[test]
fn already_finished() {
    let (task, handle) = traced(async {});
    let mut task = pin!(task);
    assert!(poll(task.as_mut(), &Bell::new().1).is_ready());
    let error = handle.capture_blocking(FOREVER).unwrap_err();
    assert!(error.is_finished());
    assert_eq!(error.state(), Some(TaskState::Finished));
    let (_, waker) = Bell::new();
    assert!(matches!(poll(pin!(handle.capture()), &waker), Poll::Ready(Err(error)) if error.is_finished()));
}

#[test]
fn finished_lets_the_waker_go() {
    let gate = Gate::default();
    let (task, handle) = traced(gate.clone());
    let mut task = pin!(task);
    let (bell, waker) = Bell::new();
    assert!(poll(task.as_mut(), &waker).is_pending());
    drop(waker);
    gate.open();
    let (other, waker) = Bell::new();
    assert!(poll(task.as_mut(), &waker).is_ready());
    drop(waker);
    assert_eq!(std::sync::Arc::strong_count(&bell), 1);
    assert_eq!(std::sync::Arc::strong_count(&other), 1);
    drop(handle);
}

#[test]
fn polled_again_after_the_end_does_what_the_future_does() {
    let mut polls = 0;
    let (task, handle) = traced(poll_fn(move |_| {
        polls += 1;
        Poll::Ready(polls)
    }));
    let mut task = pin!(task);
    let (_, waker) = Bell::new();
    assert_eq!(poll(task.as_mut(), &waker), Poll::Ready(1));
    assert_eq!(poll(task.as_mut(), &waker), Poll::Ready(2));
    assert_eq!(handle.state(), TaskState::Finished);
    assert!(handle.capture_blocking(FOREVER).unwrap_err().is_finished());
}

#[test]
fn dropped_before_the_request() {
    let (task, handle) = traced(pending::<()>());
    drop(task);
    assert_eq!(handle.state(), TaskState::Dropped);
    assert!(handle.capture_blocking(FOREVER).unwrap_err().is_dropped());
}

#[test]
fn dropped_while_the_request_waits() {
    let (task, handle) = traced(Gate::default());
    let mut task = Box::pin(task);
    let (_, waker) = Bell::new();
    assert!(poll(task.as_mut(), &waker).is_pending());
    let (bell, requester) = Bell::new();
    let mut capture = pin!(handle.capture().no_timeout());
    assert!(poll(capture.as_mut(), &requester).is_pending());
    drop(task);
    assert_eq!(bell.rings(), 1);
    assert!(matches!(poll(capture, &requester), Poll::Ready(Err(error)) if error.is_dropped()));
}

#[test]
fn dropped_after_the_answer() {
    let (task, handle) = traced(Gate::default());
    let mut task = Box::pin(task);
    let trace = ask(&handle, task.as_mut()).1.unwrap();
    drop(task);
    assert_eq!(trace.stacks().count(), 1);
    assert!(handle.capture_blocking(FOREVER).unwrap_err().is_dropped());
}

#[test]
fn dropped_answers_before_the_futures_destructor_runs() {
    struct Asks(bw_core::TraceHandle);
    impl Drop for Asks {
        fn drop(&mut self) {
            assert!(self.0.capture_blocking(FOREVER).unwrap_err().is_dropped());
        }
    }
    let (sender, receiver) = std::sync::mpsc::channel::<bw_core::TraceHandle>();
    let (task, handle) = traced(async move {
        let _asks = Asks(receiver.recv().unwrap());
        pending::<()>().await;
    });
    sender.send(handle).unwrap();
    let mut task = Box::pin(task);
    assert!(poll(task.as_mut(), &Bell::new().1).is_pending());
    drop(task);
}

#[test]
fn aborted_on_a_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (task, handle) = traced(pending::<()>());
        let join = tokio::spawn(task);
        assert!(handle.capture().await.unwrap().is_empty());
        join.abort();
        assert!(join.await.unwrap_err().is_cancelled());
        assert!(handle.capture().await.unwrap_err().is_dropped());
    });
}

#[test]
fn runtime_shut_down_while_the_request_waits() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (task, handle) = traced(Gate::default());
    runtime.spawn(task);
    let (_, requester) = Bell::new();
    let mut capture = pin!(handle.capture().no_timeout());
    assert!(poll(capture.as_mut(), &requester).is_pending());
    drop(runtime);
    assert!(matches!(poll(capture, &requester), Poll::Ready(Err(error)) if error.is_dropped()));
}

#[test]
fn panics_in_the_traced_poll() {
    let (task, handle) = traced(async {
        let mut first = true;
        poll_fn(|cx| {
            if std::mem::take(&mut first) {
                drop(cx.waker().clone());
                return Poll::<()>::Pending;
            }
            std::panic::panic_any(String::from("the payload"))
        })
        .await;
    });
    let mut task = Box::pin(task);
    assert!(ask(&handle, task.as_mut()).1.is_ok());
    let (bell, requester) = Bell::new();
    let mut capture = pin!(handle.capture().no_timeout());
    assert!(poll(capture.as_mut(), &requester).is_pending());
    let payload = catch_unwind(AssertUnwindSafe(|| poll(task.as_mut(), &Bell::new().1))).unwrap_err();
    assert_eq!(*payload.downcast::<String>().unwrap(), "the payload");
    assert_eq!(bell.rings(), 1);
    assert!(matches!(poll(capture, &requester), Poll::Ready(Err(error)) if error.is_panicked()));
    assert_eq!(handle.state(), TaskState::Panicked);
    drop(task);
    assert_eq!(handle.state(), TaskState::Panicked, "how it ended, not how it was cleared away");
    assert!(handle.capture_blocking(FOREVER).unwrap_err().is_panicked());
}

#[test]
fn panics_in_a_poll_nobody_asked_about() {
    let (task, handle) = traced(async { panic!("on its own") });
    let mut task = Box::pin(task);
    assert!(catch_unwind(AssertUnwindSafe(|| poll(task.as_mut(), &Bell::new().1))).is_err());
    assert!(handle.capture_blocking(FOREVER).unwrap_err().is_panicked());
}

#[test]
fn a_future_that_survives_its_panic_can_be_asked_again() {
    let mut polls = 0;
    let (task, handle) = traced(poll_fn(move |cx| {
        polls += 1;
        assert!(polls != 1, "only once");
        drop(cx.waker().clone());
        Poll::<()>::Pending
    }));
    let mut task = Box::pin(task);
    assert!(catch_unwind(AssertUnwindSafe(|| poll(task.as_mut(), &Bell::new().1))).is_err());
    assert_eq!(handle.state(), TaskState::Panicked);
    let (_, waker) = Bell::new();
    assert!(poll(task.as_mut(), &waker).is_pending());
    assert_eq!(handle.state(), TaskState::Suspended);
    assert_eq!(ask(&handle, task.as_mut()).1.unwrap().stacks().count(), 1);
    drop(task);
    assert_eq!(handle.state(), TaskState::Dropped);
}

#[test]
fn a_task_that_nobody_polls_again_is_answered_at_the_deadline() {
    let (task, handle) = traced(Gate::default());
    let mut task = Box::pin(task);
    assert!(poll(task.as_mut(), &Bell::new().1).is_pending());
    let error = handle.capture_blocking(std::time::Duration::ZERO).unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(error.state(), Some(TaskState::Woken));
}
