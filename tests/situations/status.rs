//! What a task says of itself without being asked for a trace.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bw_core::{NoTrace, Registry, TaskFilter, TaskState, TaskStatus, TraceHandle, TracedTask, traced};

use crate::harness::{Bell, FOREVER, Gate, Inline, ask, poll};

/// Waits until the clock has moved on so far that this holds.
fn wait_until(handle: &TraceHandle, holds: impl Fn(&TaskStatus) -> bool) -> TaskStatus {
    let began = Instant::now();
    loop {
        let status = handle.status();
        if holds(&status) {
            return status;
        }
        assert!(began.elapsed() < FOREVER, "{status:?}");
        std::thread::yield_now();
    }
}

fn longer_than(millis: u64) -> impl Fn(&TaskStatus) -> bool {
    move |status| status.in_state.unwrap() > Duration::from_millis(millis)
}

#[test]
fn a_task_tells_how_long_it_has_been_where_it_is() {
    let (task, handle) = traced(Gate::default());
    let born = Instant::now();
    let mut task = pin!(task);
    let unpolled = wait_until(&handle, longer_than(150));
    assert_eq!((&unpolled.state, unpolled.polls), (&TaskState::NeverPolled, 0));
    assert_eq!(unpolled.in_state, unpolled.age);
    let (_, waker) = Bell::new();
    assert!(poll(task.as_mut(), &waker).is_pending());
    let suspended = handle.status();
    assert_eq!((&suspended.state, suspended.polls), (&TaskState::Suspended, 1));
    assert!(suspended.in_state.unwrap() < suspended.age.unwrap(), "{suspended:?}");
    let later = wait_until(&handle, longer_than(150));
    assert_eq!(later.polls, 1);
    assert!(later.to_string().starts_with("is suspended (for "), "{later}");
    // Too long by a tick or so, but never too short.
    let true_age = born.elapsed();
    assert!(handle.status().age.unwrap() >= true_age);
}

#[test]
fn polls_are_counted_but_for_those_that_only_answer() {
    let gate = Gate::default();
    let (task, handle) = traced(gate.clone());
    let mut task = pin!(task);
    let (_, waker) = Bell::new();
    for polls in 1..=5 {
        assert!(poll(task.as_mut(), &waker).is_pending());
        assert_eq!(handle.status().polls, polls);
    }
    assert!(handle.capture_blocking(Duration::ZERO).unwrap_err().is_timeout());
    let before = wait_until(&handle, longer_than(150));
    ask(&handle, task.as_mut()).1.unwrap();
    let after = handle.status();
    assert_eq!((after.state, after.polls), (TaskState::Suspended, 5));
    assert!(after.in_state >= before.in_state, "asking for how long it waits does not end the wait");
    gate.open();
    assert!(poll(task.as_mut(), &waker).is_ready());
    let finished = handle.status();
    assert_eq!((finished.state, finished.in_state, finished.polls), (TaskState::Finished, None, 6));
}

/// A leaf that drops its waker: nothing wakes the task when the event comes.
struct LosesItsWake(Gate);

impl Future for LosesItsWake {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        pin!(self.0.clone()).poll(&mut Context::from_waker(Waker::noop()))
    }
}

#[test]
#[cfg_attr(bw_every_poll, ignore = "it needs the wake of a request")]
fn a_lost_wake_that_the_dump_cures_does_not_give_its_age_to_the_place_after_it() {
    let registry = Registry::new();
    let (lost, next) = (Gate::default(), Gate::default());
    let waits = |lost: Gate, next: Gate| async move {
        LosesItsWake(lost).await;
        next.await;
    };
    let cured = Inline::new(registry.tracer().trace(waits(lost.clone(), next.clone())));
    Waker::from(Arc::clone(&cured)).wake();
    let finishing = Inline::new(registry.tracer().trace(LosesItsWake(lost.clone())));
    Waker::from(Arc::clone(&finishing)).wake();
    lost.open();
    // No poll comes, whatever the event.
    let second = Duration::from_millis(1_100);
    while registry.look(&TaskFilter::new()).tasks().iter().any(|task| task.status().in_state < Some(second)) {
        std::thread::yield_now();
    }
    let dump = registry.dump().blocking();
    let took = dump.took();
    let [cured, finished] = dump.tasks() else { panic!("{dump:?}") };
    assert!(cured.trace().is_ok(), "{cured:?}");
    assert_eq!(cured.status().state, TaskState::Suspended);
    assert!(cured.status().polled_late().unwrap() <= took, "the dump's own poll: {cured:?}");
    assert!(cured.status().in_state >= Some(second), "the age before the dump's poll: {cured:?}");
    assert_eq!((&finished.status().state, finished.trace()), (&TaskState::Finished, Err(NoTrace::Over)));
    assert!(
        finished.status().in_state >= Some(second) && finished.status().polled_late().is_some(),
        "{finished:?}"
    );
    // The next dump is not the first request since its own last poll, and says so, until the task is polled for itself.
    let again = registry.dump().blocking();
    let [again] = again.tasks() else { panic!("{again:?}") };
    assert!(again.status().since_request > cured.status().since_request, "{again:?} after {cured:?}");
    assert!(again.status().in_state > cured.status().in_state, "{again:?} after {cured:?}");
    next.open();
    assert!(registry.look(&TaskFilter::new()).tasks().is_empty(), "its wake was not lost, so it is over");
}

#[test]
fn a_poll_of_the_tasks_own_ends_what_a_request_left() {
    let (task, handle) = traced(Gate::default());
    let mut task = pin!(task);
    let (_, waker) = Bell::new();
    assert!(poll(task.as_mut(), &waker).is_pending());
    assert_eq!(handle.status().since_request, None);
    ask(&handle, task.as_mut()).1.unwrap();
    assert!(handle.status().since_request.is_some());
    assert!(poll(task.as_mut(), &waker).is_pending());
    assert_eq!(handle.status().since_request, None);
}

#[test]
fn polls_of_a_task_that_is_gone_are_remembered() {
    let (task, handle) = traced(Gate::default());
    let mut task = Box::pin(task);
    assert!(poll(task.as_mut(), &Bell::new().1).is_pending());
    drop(task);
    let status = handle.status();
    assert_eq!((status.state, status.polls), (TaskState::Dropped, 1));
}

#[test]
fn a_task_that_was_woken_for_nothing_says_so_until_it_is_polled() {
    let (task, handle) = traced(Gate::default());
    let mut task = pin!(task);
    let (_, waker) = Bell::new();
    assert!(poll(task.as_mut(), &waker).is_pending());
    assert!(handle.capture_blocking(Duration::ZERO).unwrap_err().is_timeout());
    assert_eq!(handle.state(), TaskState::Woken);
    // Since the first of those wakes.
    wait_until(&handle, longer_than(150));
    let error = handle.capture_blocking(Duration::ZERO).unwrap_err();
    assert!(handle.status().in_state.unwrap() > Duration::from_millis(150));
    assert!(error.to_string().contains("was woken and has not been polled since (for "), "{error}");
    assert!(poll(task.as_mut(), &waker).is_pending());
    assert_eq!(handle.state(), TaskState::Suspended);
}

#[test]
fn a_poll_that_does_not_return_tells_how_long_it_runs() {
    let (started, wait_started) = mpsc::channel();
    let (release, wait_release) = mpsc::channel::<()>();
    let (task, handle) = traced(async move {
        started.send(()).unwrap();
        wait_release.recv().unwrap();
    });
    let thread = std::thread::spawn(move || poll(pin!(task), &Bell::new().1).is_ready());
    wait_started.recv_timeout(FOREVER).unwrap();
    let status = wait_until(&handle, longer_than(150));
    let TaskState::Polling(polling) = &status.state else { panic!("{status:?}") };
    assert_eq!(polling.id(), Some(thread.thread().id()));
    #[cfg(target_os = "linux")]
    assert!(std::path::Path::new(&format!("/proc/self/task/{}", polling.os_id().unwrap())).exists());
    assert_eq!(status.polls, 0, "none has returned");
    release.send(()).unwrap();
    assert!(thread.join().unwrap());
}

#[test]
fn a_task_that_is_never_dropped_can_be_read_for_ever() {
    // Not `mem::forget`, so that a leak checker still sees it.
    static KEPT: Mutex<Option<Pin<Box<TracedTask<Gate>>>>> = Mutex::new(None);
    let (task, handle) = traced(Gate::default());
    let mut task = Box::pin(task);
    assert!(poll(task.as_mut(), &Bell::new().1).is_pending());
    *KEPT.lock().unwrap() = Some(task);
    assert_eq!(handle.status().polls, 1);
}
