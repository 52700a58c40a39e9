//! Requesters: many, impatient, gone, inside the task itself.

use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use bw_core::{CaptureFuture, TaskState, TraceHandle, traced};

use crate::harness::{Bell, FOREVER, Gate, ask, only_stack, poll};

#[test]
fn requester_dropped_before_it_asked() {
    let (task, handle) = traced(Gate::default());
    let mut task = pin!(task);
    let (bell, waker) = Bell::new();
    assert!(poll(task.as_mut(), &waker).is_pending());
    drop(handle.capture());
    assert_eq!(bell.rings(), 0, "a future does nothing until it is polled");
}

#[test]
#[cfg_attr(bw_every_poll, ignore = "it needs the wake of a request")]
fn requester_dropped_half_way() {
    let gate = Gate::default();
    let (task, handle) = traced(gate.clone());
    let mut task = pin!(task);
    let (bell, waker) = Bell::new();
    assert!(poll(task.as_mut(), &waker).is_pending());
    let (gone, requester) = Bell::new();
    {
        let mut capture = pin!(handle.capture());
        assert!(poll(capture.as_mut(), &requester).is_pending());
    }
    drop(requester);
    assert_eq!(Arc::strong_count(&gone), 1, "nothing of the requester is left");
    assert_eq!(bell.rings(), 1);
    assert!(poll(task.as_mut(), &waker).is_pending());
    assert_eq!(gone.rings(), 0);
    only_stack(&ask(&handle, task.as_mut()).1.unwrap());
    gate.open();
    assert!(poll(task, &waker).is_ready());
}

#[test]
fn requester_dropped_after_the_answer() {
    let (task, handle) = traced(Gate::default());
    let mut task = pin!(task);
    let (_, requester) = Bell::new();
    let mut capture = Box::pin(handle.capture().no_timeout());
    assert!(poll(capture.as_mut(), &requester).is_pending());
    assert!(poll(task.as_mut(), &Bell::new().1).is_pending());
    drop(capture);
    only_stack(&ask(&handle, task).1.unwrap());
}

#[test]
fn requester_that_moves_to_another_waker_is_woken_there() {
    let (task, handle) = traced(Gate::default());
    let mut task = pin!(task);
    let ((old, old_waker), (new, new_waker)) = (Bell::new(), Bell::new());
    let mut capture = pin!(handle.capture().no_timeout());
    assert!(poll(capture.as_mut(), &old_waker).is_pending());
    assert!(poll(capture.as_mut(), &new_waker).is_pending());
    assert!(poll(task.as_mut(), &Bell::new().1).is_pending());
    assert_eq!((old.rings(), new.rings()), (0, 1));
    assert!(poll(capture, &new_waker).is_ready());
}

#[test]
fn handle_dropped() {
    let gate = Gate::default();
    let (task, handle) = traced(gate.clone());
    let mut task = pin!(task);
    let (_, waker) = Bell::new();
    assert!(poll(task.as_mut(), &waker).is_pending());
    drop(handle);
    assert!(poll(task.as_mut(), &waker).is_pending());
    only_stack(&ask(&task.handle(), task.as_mut()).1.unwrap());
    gate.open();
    assert!(poll(task, &waker).is_ready());
}

/// A request, and whether its requester was woken.
type Waiting = (Pin<Box<CaptureFuture>>, Arc<Bell>);

#[test]
#[cfg_attr(bw_every_poll, ignore = "it needs the wake of a request")]
fn a_thousand_requests_at_once_share_one_poll() {
    let polls = Arc::new(Mutex::new(0));
    let (task, handle) = traced({
        let polls = Arc::clone(&polls);
        let mut gate = Gate::default();
        std::future::poll_fn(move |cx| {
            *polls.lock().unwrap() += 1;
            Pin::new(&mut gate).poll(cx)
        })
    });
    let mut task = pin!(task);
    let (bell, waker) = Bell::new();
    assert!(poll(task.as_mut(), &waker).is_pending());
    let captures: Vec<Vec<Waiting>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let each = || {
                        let (bell, requester) = Bell::new();
                        let mut capture = Box::pin(handle.capture().no_timeout());
                        assert!(poll(capture.as_mut(), &requester).is_pending());
                        (capture, bell)
                    };
                    (0..125).map(|_| each()).collect()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!((1..=1000).contains(&bell.rings()));
    assert!(poll(task, &waker).is_pending());
    assert_eq!(*polls.lock().unwrap(), 2);
    let (_, requester) = Bell::new();
    let mut first = None;
    for (mut capture, bell) in captures.into_iter().flatten() {
        assert_eq!(bell.rings(), 1);
        let Poll::Ready(Ok(trace)) = poll(capture.as_mut(), &requester) else { panic!("not answered") };
        assert_eq!(*first.get_or_insert_with(|| trace.clone()), trace);
    }
}

#[test]
#[cfg_attr(bw_every_poll, ignore = "it needs the wake of a request")]
fn a_thousand_blocking_requests_from_eight_threads_while_the_task_runs() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let (task, handle) = traced(Gate::default());
    runtime.spawn(task);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..125 {
                    only_stack(&handle.capture_blocking(FOREVER).unwrap());
                }
            });
        }
    });
}

#[test]
fn a_deadline_of_nothing_and_one_of_everything() {
    let (task, handle) = traced(Gate::default());
    let error = handle.capture_blocking(Duration::ZERO).unwrap_err();
    assert_eq!(error.state(), Some(TaskState::NeverPolled));
    assert!(error.to_string().contains("never been polled"), "{error}");
    let (_, requester) = Bell::new();
    let mut capture = pin!(handle.capture().timeout(Duration::MAX));
    assert!(poll(capture.as_mut(), &requester).is_pending());
    let mut task = pin!(task);
    assert!(poll(task.as_mut(), &Bell::new().1).is_pending());
    assert!(matches!(poll(capture, &requester), Poll::Ready(Ok(_))));
    drop(std::thread::scope(|scope| {
        let asks = scope.spawn(|| handle.capture_blocking(Duration::MAX));
        // Polled until it has been asked.
        while !asks.is_finished() {
            let _ = poll(task.as_mut(), &Bell::new().1);
            std::thread::yield_now();
        }
        asks.join().unwrap().unwrap()
    }));
}

#[test]
#[cfg_attr(bw_every_poll, ignore = "it needs the wake of a request")]
fn asked_from_inside_the_task() {
    let (sender, receiver) = std::sync::mpsc::channel::<TraceHandle>();
    let (task, handle) = traced(async move {
        let handle = receiver.recv().unwrap();
        let blocking = handle.capture_blocking(Duration::ZERO).unwrap_err();
        assert!(matches!(blocking.state(), Some(TaskState::Polling(_))), "{blocking}");
        handle.capture().await
    });
    sender.send(handle).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let trace = runtime.block_on(async { tokio::spawn(task).await }).unwrap().unwrap();
    assert_eq!(trace.stacks().count(), 1, "where it asks");
}

#[test]
fn two_captures_in_one_requester() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (task, handle) = traced(Gate::default());
        tokio::spawn(task);
        let (one, two) = tokio::join!(handle.capture(), handle.capture());
        assert_eq!(one.unwrap(), two.unwrap());
    });
}

#[test]
fn a_requester_whose_waker_panics_does_not_harm_the_task() {
    struct Panics;
    impl std::task::Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("a requester's waker");
        }
    }
    let gate = Gate::default();
    let (task, handle) = traced(gate.clone());
    let mut task = pin!(task);
    let requester = std::task::Waker::from(Arc::new(Panics));
    let mut capture = pin!(handle.capture().no_timeout());
    assert!(poll(capture.as_mut(), &requester).is_pending());
    let other = pin!(handle.capture().no_timeout());
    let mut other = other;
    let (bell, waker) = Bell::new();
    assert!(poll(other.as_mut(), &waker).is_pending());
    assert!(poll(task.as_mut(), &waker).is_pending());
    assert!(poll(capture, &requester).is_ready());
    assert!(bell.rings() >= 1, "those after it are answered too");
    gate.open();
    assert!(poll(task, &waker).is_ready());
}
