//! Dumps that end as they should, and leave everything as it was.

use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, mpsc};
use std::task::{Poll, Waker};
use std::thread;

use backtrace_waker::TaskDump;
use bw_core::{NoTrace, Registry, TaskFilter, TaskState};
use futures::stream::{self, FuturesUnordered, StreamExt};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, yield_now};

use crate::harness::{FOREVER, Gate, on_panic, only_stack, poll};

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Calls itself in boxes: more frames than a stack has room for.
fn deep(levels: u32) -> Task {
    Box::pin(async move {
        match levels {
            0 => Gate::default().await,
            _ => deep(levels - 1).await,
        }
    })
}

/// Does something in each poll but the first.
fn later(mut deed: impl FnMut() -> Poll<()> + Send + 'static) -> Task {
    let mut is_first = true;
    Box::pin(poll_fn(move |cx| {
        drop(cx.waker().clone());
        if std::mem::take(&mut is_first) { Poll::Pending } else { deed() }
    }))
}

#[test]
fn no_dump_aborts_or_panics_the_process() {
    let registry = Registry::new();
    let nested = {
        let registry = registry.clone();
        let nest = move |task: Task, _| -> Task { Box::pin(registry.tracer().trace(task)) };
        (0..20).fold(Box::pin(Gate::default()) as Task, nest)
    };
    let kinds: [(&str, Task); 9] = [
        ("waits", Box::pin(Gate::default())),
        ("waits for nothing", Box::pin(pending())),
        (
            "yields",
            Box::pin(async {
                loop {
                    yield_now().await;
                }
            }),
        ),
        ("finishes when asked", later(|| Poll::Ready(()))),
        (
            "panics when asked",
            later(|| {
                on_panic(|| ());
                panic!("when it was asked")
            }),
        ),
        ("deep", deep(300)),
        ("nested", nested),
        ("wide", Box::pin(async { drop(futures::future::join_all(vec![Gate::default(); 2_000]).await) })),
        (
            "clones elsewhere",
            Box::pin(poll_fn(|cx| {
                let waker = cx.waker();
                thread::scope(|scope| drop(scope.spawn(move || waker.clone()).join().unwrap()));
                Poll::Pending
            })),
        ),
    ];
    let runtime = runtime();
    for (name, task) in kinds {
        let task = registry.tracer().named(name).trace(task);
        let handle = task.handle();
        runtime.spawn(task);
        while handle.status().polls == 0 {
            thread::yield_now();
        }
    }
    let _unborn = registry.tracer().named("never spawned").trace(async {});
    for round in 0..4 {
        let dump = if round % 2 == 0 {
            registry.dump().timeout(FOREVER).blocking()
        } else {
            runtime.block_on(registry.dump().timeout(FOREVER))
        };
        let dump = TaskDump::new(dump);
        let state = |name| {
            let tasks = dump.raw().tasks();
            tasks.iter().find(|task| task.name() == Some(name)).map(|task| &task.status().state)
        };
        assert_eq!(state("finishes when asked"), (round == 0).then_some(&TaskState::Finished));
        // Until the runtime has dropped it, which is after it has answered, it is there.
        let panicked = state("panics when asked");
        assert!(panicked == Some(&TaskState::Panicked) || (panicked.is_none() && round > 0), "{panicked:?}");
        assert_eq!(state("never spawned"), Some(&TaskState::NeverPolled));
        assert!(!dump.raw().is_partial());
        // Unoptimized, hundreds of long stacks take their time.
        if round == 3 {
            for text in [dump.to_string(), format!("{dump:#}"), dump.tree(), dump.to_json()] {
                assert!(text.contains("clones elsewhere") && text.contains("never spawned"), "{text}");
            }
        }
    }
}

#[test]
fn no_dump_leaves_tasks_that_never_run_again() {
    let (registry, runtime) = (Registry::new(), runtime());
    let permits = Arc::new(Semaphore::new(0));
    let child = {
        let (registry, permits) = (registry.clone(), Arc::clone(&permits));
        move |_| {
            let permits = Arc::clone(&permits);
            registry.tracer().trace(async move { permits.acquire().await.unwrap().forget() })
        }
    };
    let mut tasks = JoinSet::new();
    for _ in 0..20 {
        let child = child.clone();
        let unordered = {
            let child = child.clone();
            async move { (0..3).map(child).collect::<FuturesUnordered<_>>().count().await }
        };
        let buffered = {
            let child = child.clone();
            async move { stream::iter(0..3).map(child).buffer_unordered(2).count().await }
        };
        let concurrent = {
            let child = child.clone();
            async move {
                stream::iter(0..3).for_each_concurrent(2, child).await;
                3
            }
        };
        let spawned = {
            let child = child.clone();
            async move {
                let children: JoinSet<_> = (0..3).map(child).collect();
                children.join_all().await.len()
            }
        };
        let joined = async move { futures::future::join_all((0..3).map(child)).await.len() };
        let shapes: [Pin<Box<dyn Future<Output = usize> + Send>>; 5] = [
            Box::pin(unordered),
            Box::pin(buffered),
            Box::pin(concurrent),
            Box::pin(spawned),
            Box::pin(joined),
        ];
        for shape in shapes {
            tasks.spawn_on(registry.tracer().trace(shape), runtime.handle());
        }
    }
    // Some go on between two dumps, and some during one.
    for _ in 0..300 {
        permits.add_permits(1);
        let dump = registry.dump().timeout(FOREVER).blocking();
        assert!(!dump.is_partial(), "{dump:?}");
    }
    let children = runtime.block_on(async {
        tokio::time::timeout(FOREVER, tasks.join_all()).await.expect("all of them run again")
    });
    assert_eq!(children, [3; 100]);
    assert!(registry.is_empty());
}

#[test]
fn no_lock_is_held_while_a_dump_polls() {
    let registry = Registry::new();
    let mut other = Box::pin(registry.tracer().trace(Gate::default()));
    let mut spare = Some(Box::pin(registry.tracer().trace(Gate::default())));
    let other_handle = other.handle();
    let inside = registry.clone();
    let task = registry.tracer().trace(poll_fn(move |cx| {
        let gate = pin!(Gate::default());
        let _ = gate.poll(cx);
        // Everything that locks anything of ours; from here, and from another thread while we wait for it.
        let everything = || {
            let _ = (
                inside.len(),
                inside.look(&TaskFilter::new()).tasks().len(),
                inside.get(other_handle.id()),
                other_handle.status(),
            );
            let mut new = Box::pin(inside.tracer().trace(Gate::default()));
            assert!(poll(new.as_mut(), Waker::noop()).is_pending());
            let mut capture = pin!(other_handle.capture());
            let _ = poll(capture.as_mut(), Waker::noop());
            let _ = inside.dump().timeout(std::time::Duration::ZERO).blocking();
        };
        everything();
        thread::scope(|scope| scope.spawn(everything).join().unwrap());
        drop(spare.take());
        Poll::<()>::Pending
    }));
    let handle = task.handle();
    let mut task = Box::pin(task);
    for task in [task.as_mut() as Pin<&mut dyn Future<Output = ()>>, other.as_mut()] {
        assert!(poll(task, Waker::noop()).is_pending());
    }
    let mut dump = pin!(registry.dump().timeout(FOREVER));
    assert!(poll(dump.as_mut(), Waker::noop()).is_pending());
    for task in [task.as_mut() as Pin<&mut dyn Future<Output = ()>>, other.as_mut()] {
        assert!(poll(task, Waker::noop()).is_pending());
    }
    let Poll::Ready(dump) = poll(dump, Waker::noop()) else { panic!("everybody has answered") };
    let answered = dump.tasks().iter().find(|task| task.id() == handle.id());
    only_stack(dump.trace_of(answered.unwrap()).unwrap());
}

#[test]
fn no_capture_waits_for_a_lock_that_a_symbolizer_holds() {
    let registry = Registry::new();
    let task = registry.tracer().trace(Gate::default());
    let handle = task.handle();
    let (asked, to_do) = mpsc::channel::<()>();
    let (done, wait_done) = mpsc::channel();
    // Another thread, as the lock is one that its holder may take again.
    let runs = thread::spawn(move || {
        let mut task = Box::pin(task);
        assert!(poll(task.as_mut(), Waker::noop()).is_pending());
        while to_do.recv().is_ok() {
            let mut capture = pin!(handle.capture().no_timeout());
            assert!(poll(capture.as_mut(), Waker::noop()).is_pending());
            let mut dump = pin!(registry.dump().timeout(FOREVER));
            assert!(poll(dump.as_mut(), Waker::noop()).is_pending());
            assert!(poll(task.as_mut(), Waker::noop()).is_pending());
            let Poll::Ready(trace) = poll(capture, Waker::noop()) else { panic!("not answered") };
            assert!(poll(dump, Waker::noop()).is_ready());
            done.send(trace.unwrap()).unwrap();
        }
    });
    // The lock of the `backtrace` crate, which is one for walks and for symbols, is held while it calls back.
    let mut is_first = true;
    backtrace::trace(|_| {
        if std::mem::take(&mut is_first) {
            asked.send(()).unwrap();
            only_stack(&wait_done.recv_timeout(FOREVER).expect("the capture waits for the lock"));
        }
        false
    });
    assert!(!is_first, "it was never called back");
    drop(asked);
    runs.join().unwrap();
}

#[test]
fn two_dumps_in_a_row_do_not_wedge_the_runtime() {
    let (registry, runtime) = (Registry::new(), runtime());
    let gate = Gate::default();
    let mut tasks = JoinSet::new();
    for n in 0..50 {
        let gate = gate.clone();
        let busy = async move {
            // Half of them are being stolen and pushed about all the time.
            let mut gate = pin!(gate);
            loop {
                tokio::select! {
                    biased;
                    () = &mut gate => return,
                    () = yield_now(), if n % 2 == 0 => {}
                }
            }
        };
        tasks.spawn_on(registry.tracer().trace(busy), runtime.handle());
    }
    for _ in 0..100 {
        let blocking = registry.dump().timeout(FOREVER).blocking();
        let inside = {
            let registry = registry.clone();
            runtime.block_on(runtime.spawn(async move { registry.dump().timeout(FOREVER).await })).unwrap()
        };
        for dump in [blocking, inside] {
            let whole = |task: &bw_core::TaskRecord| {
                task.trace().is_ok() || task.trace() == Err(NoTrace::NeverPolled)
            };
            assert!(dump.tasks().len() == 50 && dump.tasks().iter().all(whole), "{dump:?}");
        }
    }
    // A gate wakes the last that waited at it; the yielding ones come by, and the others are asked.
    gate.open();
    while !registry.is_empty() {
        let _ = registry.dump().timeout(FOREVER).blocking();
    }
    runtime.block_on(tasks.join_all());
}
