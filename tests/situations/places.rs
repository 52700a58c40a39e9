//! Where dumps are asked from, and what goes on meanwhile.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use bw_core::{NoTrace, RawTaskDump, Registry, TaskFilter, TaskRecord, TaskState};
use tokio::runtime::{Builder, Runtime};

use crate::harness::{FOREVER, Gate, on_panic, only_stack, poll};

fn runtime(workers: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(workers).enable_all().build().unwrap()
}

fn state_of<'a>(dump: &'a RawTaskDump, name: &str) -> &'a TaskState {
    let task = dump.tasks().iter().find(|task| task.name() == Some(name));
    &task.unwrap_or_else(|| panic!("{name} is not in {dump:?}")).status().state
}

#[test]
fn a_blocked_executor_does_not_make_the_dump_hang() {
    let (registry, runtime) = (Registry::new(), runtime(1));
    let gate = Gate::default();
    let suspended = runtime.spawn(registry.tracer().named("suspended").trace(gate.clone()));
    let (started, wait_started) = mpsc::channel();
    let (release, wait_release) = mpsc::channel::<()>();
    let blocks = async move {
        // The other one has been polled: it came first.
        started.send(()).unwrap();
        wait_release.recv().unwrap();
    };
    let blocks = runtime.spawn(registry.tracer().named("blocks").trace(blocks));
    wait_started.recv_timeout(FOREVER).unwrap();
    let dump = registry.dump().timeout(Duration::from_millis(20)).blocking();
    let TaskState::Polling(thread) = state_of(&dump, "blocks") else { panic!("{dump:?}") };
    assert!(thread.name().is_some_and(|name| name.starts_with("tokio")), "{thread}");
    // It may not have got its first poll: the worker takes the latest task first.
    assert!(matches!(state_of(&dump, "suspended"), TaskState::Woken | TaskState::NeverPolled), "{dump:?}");
    // Asked from another runtime: the deadline is kept by no executor.
    let elsewhere = Builder::new_current_thread().build().unwrap();
    let dump = elsewhere.block_on(registry.dump().timeout(Duration::from_millis(20)));
    assert!(dump.is_partial());
    release.send(()).unwrap();
    gate.open();
    runtime.block_on(async { (suspended.await.unwrap(), blocks.await.unwrap()) });
    assert!(registry.is_empty());
}

#[test]
#[cfg_attr(bw_every_poll, ignore = "it needs the wake of a request")]
fn while_the_runtime_shuts_down() {
    let registry = Registry::new();
    // Begun before, ended by it.
    let runtime = runtime(2);
    let mut handles = Vec::new();
    for _ in 0..100 {
        let task = registry.tracer().trace(Gate::default());
        let handle = task.handle();
        runtime.spawn(task);
        handles.push(handle);
    }
    for handle in &handles {
        only_stack(&handle.capture_blocking(FOREVER).unwrap());
    }
    let mut dump = pin!(registry.dump().timeout(FOREVER));
    let _ = poll(dump.as_mut(), Waker::noop());
    drop(runtime);
    let Poll::Ready(dump) = poll(dump, Waker::noop()) else { panic!("they are all gone") };
    assert_eq!((dump.tasks().len(), dump.is_partial()), (100, false));
    // Many, all the while.
    let (stop, stopped) = mpsc::channel::<()>();
    let dumps = {
        let registry = registry.clone();
        thread::spawn(move || {
            let mut dumps = 0;
            while stopped.try_recv() != Err(mpsc::TryRecvError::Disconnected) {
                assert!(!registry.dump().timeout(FOREVER).blocking().is_partial());
                dumps += 1;
            }
            dumps
        })
    };
    for _ in 0..20 {
        let runtime = self::runtime(2);
        for _ in 0..100 {
            runtime.spawn(registry.tracer().trace(Gate::default()));
        }
        runtime.shutdown_background();
    }
    drop(stop);
    assert!(dumps.join().unwrap() > 0);
    // They end in their own time.
    while !registry.is_empty() {
        thread::yield_now();
    }
}

#[test]
#[cfg_attr(bw_every_poll, ignore = "it needs the wake of a request")]
fn two_from_two_threads_at_once() {
    let (registry, runtime) = (Registry::new(), runtime(2));
    for _ in 0..500 {
        runtime.spawn(registry.tracer().trace(Gate::default()));
    }
    thread::scope(|scope| {
        for at_once in [7, 512] {
            let registry = &registry;
            scope.spawn(move || {
                for _ in 0..20 {
                    let dump = registry.dump().at_once(at_once).timeout(FOREVER).blocking();
                    let asked = |task: &&TaskRecord| task.trace() != Err(NoTrace::NeverPolled);
                    assert!(dump.tasks().iter().filter(asked).all(|task| dump.trace_of(task).is_some()));
                    assert_eq!(dump.tasks().len(), 500);
                }
            });
        }
    });
}

#[test]
#[cfg_attr(bw_every_poll, ignore = "it needs the wake of a request")]
fn asked_inside_a_traced_task_on_a_runtime_of_one_thread() {
    let registry = Registry::new();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let asks = {
        let registry = registry.clone();
        async move {
            // Both have been polled by the time this one is.
            tokio::task::yield_now().await;
            let blocked = registry.dump().timeout(Duration::from_millis(1)).blocking();
            let awaited = registry.dump().timeout(FOREVER).await;
            (blocked, awaited)
        }
    };
    let (blocked, awaited) = runtime.block_on(async {
        tokio::spawn(registry.tracer().named("other").trace(Gate::default()));
        tokio::spawn(registry.tracer().named("asks").trace(asks)).await.unwrap()
    });
    assert!(matches!(state_of(&blocked, "asks"), TaskState::Polling(_)));
    assert_eq!(*state_of(&blocked, "other"), TaskState::Woken, "this thread would have to poll it");
    assert_eq!(blocked.tasks()[1].trace(), Err(NoTrace::AsksItself));
    assert!(!awaited.is_partial());
    for task in awaited.tasks() {
        only_stack(awaited.trace_of(task).unwrap());
    }
}

#[test]
fn a_task_that_itself_drops_the_runtime() {
    let registry = Registry::new();
    let runtime = Arc::new(Mutex::new(Some(runtime(2))));
    let (go, may_go) = tokio::sync::oneshot::channel::<()>();
    let drops = {
        let runtime = Arc::clone(&runtime);
        async move {
            may_go.await.unwrap();
            let runtime = runtime.lock().unwrap().take().unwrap();
            runtime.shutdown_background();
            // Nobody polls this again.
            Gate::default().await;
        }
    };
    let drops = registry.tracer().named("drops").trace(drops);
    let handle = drops.handle();
    {
        let runtime = runtime.lock().unwrap();
        for _ in 0..10 {
            runtime.as_ref().unwrap().spawn(registry.tracer().trace(Gate::default()));
        }
        runtime.as_ref().unwrap().spawn(drops);
    }
    only_stack(&handle.capture_blocking(FOREVER).unwrap());
    let mut dump = pin!(registry.dump().timeout(FOREVER));
    let _ = poll(dump.as_mut(), Waker::noop());
    go.send(()).unwrap();
    let dump = futures::executor::block_on(dump);
    assert!(!dump.is_partial(), "{dump:?}");
    // The next one finds them over, or in the course of it.
    let after = registry.dump().timeout(FOREVER).blocking();
    assert!(!after.is_partial(), "{after:?}");
    assert!(matches!(handle.capture_blocking(FOREVER), Err(error) if error.is_dropped()));
}

fn is_polled(registry: &Registry, name: &str) -> bool {
    let dump = registry.look(&TaskFilter::new());
    let is_it =
        |task: &TaskRecord| task.name() == Some(name) && matches!(task.status().state, TaskState::Polling(_));
    dump.tasks().iter().any(is_it)
}

#[test]
fn asked_in_a_panic_hook() {
    let registry = Registry::new();
    let (dumps, taken) = mpsc::channel::<[RawTaskDump; 2]>();
    let in_hook = {
        let registry = registry.clone();
        move || {
            let blocking = registry.dump().timeout(Duration::from_millis(20)).blocking();
            let awaited = registry.dump().timeout(Duration::from_millis(20));
            let _ = dumps.send([blocking, futures::executor::block_on(awaited)]);
        }
    };

    // A task that waits for a lock, in its poll, on a thread of its own; and one that panics with that lock held, in a poll
    // that answers a dump and a request.
    let lock = Arc::new(Mutex::new(()));
    let (locked, wait_locked) = mpsc::channel();
    let mut is_first = true;
    let panics = registry.tracer().named("panics").trace({
        let (lock, registry) = (Arc::clone(&lock), registry.clone());
        poll_fn(move |cx| {
            drop(cx.waker().clone());
            if std::mem::take(&mut is_first) {
                return Poll::<()>::Pending;
            }
            let _guard = lock.lock();
            locked.send(()).unwrap();
            while !is_polled(&registry, "blocks") {
                thread::yield_now();
            }
            std::panic::panic_any("its own");
        })
    });
    let handle = panics.handle();
    let panicking = thread::spawn(move || {
        on_panic(in_hook);
        let mut panics = Box::pin(panics);
        assert!(poll(panics.as_mut(), Waker::noop()).is_pending());
        let mut capture = pin!(panics.handle().capture().no_timeout());
        assert!(poll(capture.as_mut(), Waker::noop()).is_pending());
        let payload = catch_unwind(AssertUnwindSafe(|| poll(panics.as_mut(), Waker::noop()))).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"its own"), "one panic, and no other");
        assert!(matches!(poll(capture, Waker::noop()), Poll::Ready(Err(error)) if error.is_panicked()));
    });
    let blocks = thread::spawn({
        let (lock, registry) = (Arc::clone(&lock), registry.clone());
        move || {
            wait_locked.recv_timeout(FOREVER).unwrap();
            let blocks = registry.tracer().named("blocks").trace(async move { drop(lock.lock()) });
            assert!(poll(pin!(blocks), Waker::noop()).is_ready());
        }
    });
    panicking.join().unwrap();
    blocks.join().unwrap();
    for dump in taken.recv_timeout(FOREVER).unwrap() {
        assert!(matches!(state_of(&dump, "panics"), TaskState::Polling(_)));
        assert!(matches!(state_of(&dump, "blocks"), TaskState::Polling(_)));
    }
    assert_eq!(handle.state(), TaskState::Panicked);
}

#[test]
#[cfg(unix)]
fn asked_in_a_child_that_was_forked() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_forks")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}
