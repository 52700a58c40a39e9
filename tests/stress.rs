//! Many tasks come and go in every way there is, while many ask: every request is answered, truthfully, and every task ends.
//! The program `stress` does that with dumps, for as long as one likes.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use bw_core::{CaptureError, RawTrace, TraceHandle, traced};
use tokio::sync::Semaphore;

const TASKS: usize = 4_000;
const ASKERS: usize = 4;

/// What a task may take to end. Shorter where `ci/lost_wakes` breaks the hook on purpose, since tasks do not end there.
fn patience() -> Duration {
    let is_broken = std::env::var_os("BW_BROKEN_HOOK").is_some();
    Duration::from_secs(if is_broken { 5 } else { 60 })
}

#[derive(Default)]
struct Counts {
    traces: AtomicUsize,
    finished: AtomicUsize,
    dropped: AtomicUsize,
    panicked: AtomicUsize,
}

impl Counts {
    fn count(&self, answer: &Result<RawTrace, CaptureError>) {
        let counter = match answer {
            Ok(trace) => {
                assert!(trace.stacks().all(|stack| !stack.is_truncated()), "{trace:?}");
                &self.traces
            }
            Err(error) if error.is_finished() => &self.finished,
            Err(error) if error.is_dropped() => &self.dropped,
            Err(error) if error.is_panicked() => &self.panicked,
            Err(error) => panic!("{error}"),
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Yields as executors other than tokio do: tokio's own `yield_now` clones the waker.
async fn wake_itself() {
    let mut woken = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut woken, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[test]
fn every_request_is_answered_while_tasks_finish_panic_and_are_aborted() {
    std::panic::set_hook(Box::new(|_| ()));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    let counts = Arc::new(Counts::default());
    let (to_askers, handles) = async_channel::unbounded::<TraceHandle>();
    let askers: Vec<_> = (0..ASKERS)
        .map(|_| {
            let (handles, counts) = (handles.clone(), Arc::clone(&counts));
            std::thread::spawn(move || {
                while let Ok(handle) = handles.recv_blocking() {
                    for _ in 0..3 {
                        counts.count(&handle.capture_blocking(Duration::from_secs(60)));
                    }
                }
            })
        })
        .collect();
    let asked_inside = runtime.block_on(async {
        let permits = Arc::new(Semaphore::new(3));
        let mut joins = Vec::new();
        let mut asked_inside = 0;
        for n in 0..TASKS {
            let permits = Arc::clone(&permits);
            let (task, handle) = traced(async move {
                let _permit = permits.acquire_owned().await.unwrap();
                for _ in 0..n % 7 {
                    tokio::task::yield_now().await;
                    wake_itself().await;
                }
                assert!(n % 5 != 0, "one in five panics");
            });
            let join = tokio::spawn(task);
            to_askers.send(handle.clone()).await.unwrap();
            if n % 11 == 0 {
                let counts = Arc::clone(&counts);
                joins.push(tokio::spawn(async move {
                    counts.count(&handle.capture().timeout(Duration::from_secs(60)).await);
                }));
                asked_inside += 1;
            }
            if n % 3 == 0 {
                join.abort();
            }
            joins.push(join);
        }
        for join in joins {
            // A timeout, and not the outcome: some panic and some are aborted.
            assert!(
                tokio::time::timeout(patience(), join).await.is_ok(),
                "a wake was lost: a task did not end in time"
            );
        }
        asked_inside
    });
    drop(to_askers);
    for asker in askers {
        asker.join().unwrap();
    }
    let [traces, finished, dropped, panicked] =
        [&counts.traces, &counts.finished, &counts.dropped, &counts.panicked]
            .map(|counter| counter.load(Ordering::Relaxed));
    assert_eq!(traces + finished + dropped + panicked, 3 * TASKS + asked_inside);
    assert!(dropped > 0 && panicked > 0 && finished > 0, "{finished} {dropped} {panicked}");
}

#[test]
fn two_seconds_of_dumps_at_full_speed_harm_nobody() {
    // Optimized or not, so fewer tasks than it has by itself.
    let mut stress = std::process::Command::new(env!("CARGO_BIN_EXE_stress"));
    let output = stress.args(["--seconds", "2", "--tasks", "5000"]).output().unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    // With `--cfg bw_every_poll` a dump does not wake those that it asks, so most do not answer.
    let is_answered = cfg!(bw_every_poll) || said.contains(" 0 not answered in time");
    assert!(output.status.success() && is_answered, "{said}");
    print!("{said}");
}
