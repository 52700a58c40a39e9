//! Many tasks come and go in every way there is, while many ask: every request is answered, truthfully, and every task ends.

// Functions that tests call are no tests to clippy.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bw_core::{CaptureError, RawTrace, TaskState, TraceHandle, traced};
use tokio::sync::Semaphore;

const TASKS: usize = 4_000;
const ASKERS: usize = 4;
/// Never reached, unless something is broken.
const DEADLINE: Duration = Duration::from_secs(60);
const PANIC: &str = "one in five panics";

/// A short-lived task, by its number.
#[derive(Clone, Copy)]
struct Fate(usize);

impl Fate {
    fn panics(self) -> bool {
        self.0.is_multiple_of(5)
    }

    fn is_aborted(self) -> bool {
        self.0.is_multiple_of(3)
    }

    /// Whether a task of this fate may be answered so.
    fn check(self, answer: &Result<RawTrace, CaptureError>) {
        match answer {
            Ok(trace) => {
                let whole = trace.stacks().all(|stack| !stack.is_truncated() && !stack.is_foreign());
                assert!(whole && !trace.is_empty(), "it waits for a permit, or yields: {trace:?}");
            }
            Err(error) if error.is_finished() => assert!(!self.panics(), "{}: {error}", self.0),
            Err(error) if error.is_panicked() => assert!(self.panics(), "{}: {error}", self.0),
            Err(error) if error.is_dropped() => assert!(self.is_aborted(), "{}: {error}", self.0),
            Err(error) => panic!("{}: {error}", self.0),
        }
    }

    /// The state in which it must be in the end.
    fn check_end(self, outcome: Result<usize, tokio::task::JoinError>, state: &TaskState) {
        match outcome {
            Ok(number) => {
                assert!(number == self.0 && !self.panics());
                assert_eq!(*state, TaskState::Finished);
            }
            Err(error) if error.is_panic() => {
                assert!(self.panics());
                assert_eq!(*state, TaskState::Panicked);
            }
            Err(_) => {
                assert!(self.is_aborted());
                assert_eq!(*state, TaskState::Dropped);
            }
        }
    }
}

/// Leaves the panics that belong to the test unprinted.
fn print_only_other_panics() {
    let others = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info.payload().downcast_ref::<&str>() != Some(&PANIC) {
            others(info);
        }
    }));
}

#[test]
fn every_request_is_answered_while_tasks_finish_panic_and_are_aborted() {
    print_only_other_panics();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    let answers = Arc::new(AtomicUsize::new(0));
    // Tasks that stay until the end: always a trace, of two places.
    let release = Arc::new(Semaphore::new(0));
    let (residents, resident_handles): (Vec<_>, Vec<_>) = (0..8)
        .map(|_| {
            let release = Arc::clone(&release);
            let (task, handle) = traced(async move {
                let (one, two) = tokio::join!(release.acquire(), release.acquire());
                drop((one.unwrap(), two.unwrap()));
            });
            (runtime.spawn(task), handle)
        })
        .unzip();
    let (to_askers, handles) = async_channel::unbounded::<(Fate, TraceHandle)>();
    let askers: Vec<_> = (0..ASKERS)
        .map(|asker| {
            let (handles, answers) = (handles.clone(), Arc::clone(&answers));
            let resident = resident_handles[asker].clone();
            std::thread::spawn(move || {
                while let Ok((fate, handle)) = handles.recv_blocking() {
                    for _ in 0..3 {
                        fate.check(&handle.capture_blocking(DEADLINE));
                        answers.fetch_add(1, Ordering::Relaxed);
                    }
                    let trace = resident.capture_blocking(DEADLINE).unwrap();
                    assert_eq!((trace.stacks().count(), trace.dropped()), (2, 0), "{trace:?}");
                }
            })
        })
        .collect();
    let asked_inside = runtime.block_on(async {
        let permits = Arc::new(Semaphore::new(3));
        let (mut tasks, mut captures) = (Vec::new(), Vec::new());
        for fate in (0..TASKS).map(Fate) {
            let permits = Arc::clone(&permits);
            let (task, handle) = traced(async move {
                let _permit = permits.acquire_owned().await.unwrap();
                for _ in 0..fate.0 % 7 {
                    tokio::task::yield_now().await;
                }
                if fate.panics() {
                    std::panic::panic_any(PANIC);
                }
                fate.0
            });
            let join = tokio::spawn(task);
            to_askers.send((fate, handle.clone())).await.unwrap();
            if fate.0.is_multiple_of(11) {
                let handle = handle.clone();
                captures.push(tokio::spawn(async move {
                    fate.check(&handle.capture().deadline(DEADLINE).await);
                }));
            }
            if fate.is_aborted() {
                join.abort();
            }
            tasks.push((fate, join, handle));
        }
        for (fate, join, handle) in tasks {
            fate.check_end(join.await, &handle.state());
        }
        let asked_inside = captures.len();
        for capture in captures {
            capture.await.unwrap();
        }
        asked_inside
    });
    assert_eq!(asked_inside, TASKS.div_ceil(11));
    drop(to_askers);
    for asker in askers {
        asker.join().unwrap();
    }
    assert_eq!(answers.load(Ordering::Relaxed), 3 * TASKS);
    release.add_permits(2 * residents.len());
    runtime.block_on(async {
        for resident in residents {
            resident.await.unwrap();
        }
    });
    assert!(resident_handles.iter().all(|handle| handle.state() == TaskState::Finished));
}
