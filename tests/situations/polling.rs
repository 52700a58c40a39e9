//! What the traced poll does, and what it records.

use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::task::Poll;
use std::time::Duration;

use bw_core::{TaskState, traced};

use crate::harness::{Bell, FOREVER, Gate, ask, only_stack, poll};

#[test]
fn requested_before_the_first_poll() {
    let (task, handle) = traced(Gate::default());
    let mut task = pin!(task);
    assert_eq!(handle.state(), TaskState::NeverPolled);
    let (polled, answer) = ask(&handle, task.as_mut());
    assert!(polled.is_pending());
    only_stack(&answer.unwrap());
    assert_eq!(handle.state(), TaskState::Suspended);
}

#[test]
#[cfg_attr(bw_every_poll, ignore = "it needs the wake of a request")]
fn suspended() {
    let (task, handle) = traced(Gate::default());
    let mut task = pin!(task);
    let (bell, waker) = Bell::new();
    assert!(poll(task.as_mut(), &waker).is_pending());
    let (_, requester) = Bell::new();
    let mut capture = pin!(handle.capture().no_timeout());
    assert!(poll(capture.as_mut(), &requester).is_pending());
    assert_eq!(bell.rings(), 1, "the task is woken");
    assert!(poll(capture.as_mut(), &requester).is_pending(), "and not asked twice");
    assert_eq!(bell.rings(), 1);
    assert!(poll(task.as_mut(), &waker).is_pending());
    let Poll::Ready(answer) = poll(capture, &requester) else { panic!("not answered") };
    only_stack(&answer.unwrap());
}

#[test]
fn a_poll_nobody_asked_about_answers_nobody_and_wakes_nobody() {
    let (task, handle) = traced(Gate::default());
    let mut task = pin!(task);
    let (bell, waker) = Bell::new();
    for _ in 0..3 {
        assert!(poll(task.as_mut(), &waker).is_pending());
    }
    assert_eq!(bell.rings(), 0);
    assert_eq!(handle.state(), TaskState::Suspended);
}

#[test]
fn advances_to_a_later_await() {
    let (first, second) = (Gate::default(), Gate::default());
    let (task, handle) = traced({
        let (first, second) = (first.clone(), second.clone());
        async move {
            first.await;
            second.await;
        }
    });
    let mut task = pin!(task);
    let at_first = only_stack(&ask(&handle, task.as_mut()).1.unwrap());
    first.open();
    let at_second = only_stack(&ask(&handle, task.as_mut()).1.unwrap());
    assert_ne!(at_first, at_second, "another await");
    assert_eq!(at_first.last(), at_second.last(), "the same root");
    second.open();
    assert!(poll(task, &Bell::new().1).is_ready());
}

#[test]
fn returns_pending_without_touching_the_waker() {
    let (task, handle) = traced(pending::<()>());
    let (polled, answer) = ask(&handle, pin!(task));
    assert!(polled.is_pending());
    let trace = answer.unwrap();
    assert!(trace.is_empty());
    assert_eq!(trace.stacks().count(), 0);
}

#[test]
fn yields_by_waking_itself() {
    let mut yielded = false;
    let (task, handle) = traced(poll_fn(move |cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }));
    let mut task = pin!(task);
    let (bell, waker) = Bell::new();
    let (_, requester) = Bell::new();
    let mut capture = pin!(handle.capture().no_timeout());
    assert!(poll(capture.as_mut(), &requester).is_pending());
    assert!(poll(task.as_mut(), &waker).is_pending());
    assert_eq!(bell.rings(), 1, "the wake reaches the executor, once");
    let Poll::Ready(Ok(trace)) = poll(capture, &requester) else { panic!("not answered") };
    only_stack(&trace);
    assert!(trace.stacks().next().unwrap().is_yield());
    assert!(poll(task, &waker).is_ready());
}

#[test]
fn waits_at_several_places_at_once() {
    let gates: Vec<_> = (0..3).map(|_| Gate::default()).collect();
    let (task, handle) = traced(futures::future::join_all(gates.clone()));
    let mut task = pin!(task);
    let trace = ask(&handle, task.as_mut()).1.unwrap();
    assert_eq!(trace.stacks().count(), 3);
    gates[1].open();
    assert_eq!(ask(&handle, task.as_mut()).1.unwrap().stacks().count(), 2);
}

#[test]
fn the_poll_computes_past_the_deadline() {
    let (started, wait_started) = mpsc::channel();
    let release = Arc::new(AtomicBool::new(false));
    let wait_release = Arc::clone(&release);
    let (task, handle) = traced(async move {
        started.send(()).unwrap();
        // Not blocked in the kernel: then the capture would see where.
        while !wait_release.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
    });
    let thread = std::thread::Builder::new().name("the busy one".into());
    let thread = thread.spawn(move || poll(pin!(task), &Bell::new().1).is_ready()).unwrap();
    wait_started.recv_timeout(FOREVER).unwrap();
    let error = handle.capture_blocking(Duration::from_millis(1)).unwrap_err();
    assert!(error.is_timeout());
    let Some(TaskState::Polling(polling)) = error.state() else { panic!("{error}") };
    assert_eq!(polling.name(), Some("the busy one"));
    assert_eq!(polling.id(), Some(thread.thread().id()));
    assert!(error.to_string().contains("the busy one"), "{error}");
    release.store(true, Ordering::SeqCst);
    assert!(thread.join().unwrap());
    assert_eq!(handle.state(), TaskState::Finished);
}

#[test]
fn the_traced_poll_itself_blocks_past_the_deadline() {
    let (started, wait_started) = mpsc::channel();
    let (release, wait_release) = mpsc::channel::<()>();
    let mut first = true;
    let (task, handle) = traced(poll_fn(move |cx| {
        drop(cx.waker().clone());
        if std::mem::take(&mut first) {
            return Poll::Pending;
        }
        started.send(()).unwrap();
        wait_release.recv().unwrap();
        Poll::Ready(())
    }));
    let mut task = Box::pin(task);
    let (_, waker) = Bell::new();
    assert!(poll(task.as_mut(), &waker).is_pending());
    let (_, requester) = Bell::new();
    let mut early = pin!(handle.capture().no_timeout());
    assert!(poll(early.as_mut(), &requester).is_pending());
    let thread = std::thread::spawn(move || poll(task.as_mut(), &waker).is_ready());
    wait_started.recv_timeout(FOREVER).unwrap();
    assert!(poll(early.as_mut(), &requester).is_pending(), "its poll has not ended");
    // Where it blocks, on platforms that tell it, and once the thread has got there.
    match handle.capture_blocking(Duration::ZERO) {
        Ok(trace) => assert!(trace.stacks().count() == 1 && trace.stacks().all(|stack| stack.is_blocked())),
        Err(error) => assert!(
            matches!(error.state(), Some(TaskState::Polling(now)) if now.id() == Some(thread.thread().id()))
        ),
    }
    release.send(()).unwrap();
    assert!(thread.join().unwrap());
    assert!(matches!(poll(early, &requester), Poll::Ready(Err(error)) if error.is_finished()));
}

#[test]
fn an_asynchronous_deadline_passes_while_the_executor_is_blocked() {
    let (task, handle) = traced(Gate::default());
    let mut task = pin!(task);
    assert!(poll(task.as_mut(), &Bell::new().1).is_pending());
    let error = futures::executor::block_on(handle.capture().timeout(Duration::from_millis(1))).unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(error.state(), Some(TaskState::Woken));
    // It takes no harm, and answers the next one.
    only_stack(&ask(&handle, task).1.unwrap());
}
