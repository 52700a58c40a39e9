//! Any executor will do: what a suspended task answers on each of them, and that it finishes afterwards.
//!
//! `ci/lost_wakes` runs these tests with `--cfg bw_every_poll` too. Requests do not wake tasks then, so nobody asks; but every poll
//! records, so each task is woken through what the hook's waker gave it, or not at all.

// Functions that tests call are no tests to clippy.
#![allow(clippy::unwrap_used)]

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use bw_core::{TraceHandle, traced};
use event_listener::Event;
use futures::executor::{LocalPool, ThreadPool};
use futures::task::{LocalSpawnExt, SpawnExt};

/// What a test may take before it counts as stuck. Shorter where `ci/lost_wakes` breaks the hook on purpose, since tests get stuck there.
fn patience() -> Duration {
    let is_broken = std::env::var_os("BW_BROKEN_HOOK").is_some();
    Duration::from_secs(if is_broken { 5 } else { 60 })
}

/// Runs a test on a thread of its own, and fails if it does not end: a task that lost its wake waits for ever.
fn ends(test: impl FnOnce() + Send + 'static) {
    let (done, ended) = mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        let _done = done;
        test();
    });
    let waited = ended.recv_timeout(patience());
    assert_eq!(waited, Err(RecvTimeoutError::Disconnected), "a wake was lost: a task did not end in time");
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Pending once, and wakes itself: as an executor's own `yield_now`.
async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A task that waits for an event, then yields once, and the event.
fn task() -> (impl Future<Output = u32> + Send, Arc<Event>) {
    let event = Arc::new(Event::new());
    let listener = event.listen();
    let future = async move {
        listener.await;
        yield_once().await;
        42
    };
    (future, event)
}

/// Asks twice, checks the trace, and lets the task go on.
async fn check(handle: TraceHandle, event: Arc<Event>) {
    while handle.status().polls == 0 {
        yield_once().await;
    }
    let asks = if cfg!(bw_every_poll) { 0 } else { 2 };
    for _ in 0..asks {
        let trace = handle.capture().await.unwrap();
        assert_eq!((trace.stacks().count(), trace.dropped()), (1, 0));
        let stack = trace.stacks().next().unwrap();
        assert!(!stack.is_truncated() && !stack.is_foreign() && !stack.is_yield() && stack.len() > 2);
    }
    event.notify(1);
}

#[test]
fn tokio_multi_thread() {
    ends(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        runtime.block_on(async {
            let (future, event) = task();
            let (task, handle) = traced(future);
            let join = tokio::spawn(task);
            check(handle, event).await;
            assert_eq!(join.await.unwrap(), 42);
        });
    });
}

#[test]
fn tokio_current_thread() {
    ends(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (future, event) = task();
            let (task, handle) = traced(future);
            let join = tokio::spawn(task);
            check(handle, event).await;
            assert_eq!(join.await.unwrap(), 42);
        });
    });
}

#[test]
fn tokio_local_set() {
    ends(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, async {
            let (future, event) = task();
            let (task, handle) = traced(future);
            let join = tokio::task::spawn_local(task);
            check(handle, event).await;
            assert_eq!(join.await.unwrap(), 42);
        });
    });
}

#[test]
fn tokio_block_on_is_asked_from_a_thread() {
    ends(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (future, event) = task();
        let (task, handle) = traced(future);
        std::thread::scope(|scope| {
            scope.spawn(|| futures::executor::block_on(check(handle, event)));
            assert_eq!(runtime.block_on(task), 42);
        });
    });
}

#[test]
fn smol_global_and_own() {
    ends(|| {
        smol::block_on(async {
            let (future, event) = task();
            let (task, handle) = traced(future);
            let join = smol::spawn(task);
            check(handle, event).await;
            assert_eq!(join.await, 42);

            let executor = smol::Executor::new();
            let (future, event) = crate::task();
            let (task, handle) = traced(future);
            let join = executor.spawn(task);
            executor.run(check(handle, event)).await;
            assert_eq!(executor.run(join).await, 42);
        });
    });
}

#[test]
fn futures_block_on() {
    ends(|| {
        let (future, event) = task();
        let (task, handle) = traced(future);
        let (sum, ()) = futures::executor::block_on(futures::future::join(task, check(handle, event)));
        assert_eq!(sum, 42);
    });
}

#[test]
fn futures_pools() {
    ends(|| {
        let mut local = LocalPool::new();
        let (future, event) = task();
        let (task, handle) = traced(future);
        let join = local.spawner().spawn_local_with_handle(task).unwrap();
        local.run_until(check(handle, event));
        assert_eq!(local.run_until(join), 42);

        let pool = ThreadPool::builder().pool_size(2).create().unwrap();
        let (future, event) = crate::task();
        let (task, handle) = traced(future);
        let join = pool.spawn_with_handle(task).unwrap();
        futures::executor::block_on(check(handle, event));
        assert_eq!(futures::executor::block_on(join), 42);
    });
}

type Spawned = Pin<Box<dyn Future<Output = ()>>>;

/// The least an executor can be: a list of tasks, a flag for each, and a thread to park.
#[derive(Default)]
struct HandWritten {
    tasks: RefCell<Vec<(Spawned, Arc<Flag>)>>,
}

struct Flag {
    woken: AtomicBool,
    thread: Thread,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

impl HandWritten {
    fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        let flag = Flag { woken: AtomicBool::new(true), thread: std::thread::current() };
        self.tasks.borrow_mut().push((Box::pin(future), Arc::new(flag)));
    }

    fn run(&self) {
        loop {
            let mut tasks = self.tasks.take();
            tasks.retain_mut(|(task, flag)| {
                let waker = Waker::from(Arc::clone(flag));
                !flag.woken.swap(false, Ordering::AcqRel)
                    || task.as_mut().poll(&mut Context::from_waker(&waker)) == Poll::Pending
            });
            let woken = tasks.iter().any(|(_, flag)| flag.woken.load(Ordering::Acquire));
            self.tasks.borrow_mut().append(&mut tasks);
            if self.tasks.borrow().is_empty() {
                return;
            }
            if !woken {
                std::thread::park();
            }
        }
    }
}

#[test]
fn hand_written() {
    ends(|| {
        let executor = HandWritten::default();
        let result = Rc::new(RefCell::new(None));
        let (future, event) = task();
        let (task, handle) = traced({
            let result = Rc::clone(&result);
            async move { *result.borrow_mut() = Some(future.await) }
        });
        executor.spawn(task);
        executor.spawn(check(handle, event));
        executor.run();
        assert_eq!(*result.borrow(), Some(42));
    });
}
