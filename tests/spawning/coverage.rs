//! How many of all tasks are traced, as dumps say it.

use backtrace_waker::tokio::{spawn, spawn_local};
use backtrace_waker::{Registry, TaskDump, TracedExt};
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::runtime::Handle;
use tokio::task::{JoinSet, yield_now};

use crate::{alone, block_on, on_local_set, wait};

/// The line, of which there must be one.
async fn coverage(of: &Registry) -> String {
    let dump = of.dump().alive_in(&Handle::current()).await;
    let printed = dump.to_string();
    assert_eq!(dump.raw().alive(), Some(Handle::current().metrics().num_alive_tasks()));
    printed.lines().nth(1).unwrap().to_owned()
}

async fn in_all() -> String {
    yield_now().await;
    coverage(&Registry::global()).await
}

#[test]
fn tasks_are_counted_against_those_that_are_alive() {
    block_on(async {
        let mut set = JoinSet::new();
        for _ in 0..3 {
            set.spawn(wait().traced());
        }
        assert_eq!(in_all().await, "traced 3 of 3 tasks alive");
        tokio::spawn(wait());
        assert_eq!(in_all().await, "traced 3 of 4 tasks alive");
        set.shutdown().await;
        spawn(wait());
        assert_eq!(in_all().await, "traced 1 of 2 tasks alive");
    });
}

#[test]
fn futures_that_a_task_polls_are_no_tasks() {
    block_on(async {
        spawn(async {
            let mut inside: FuturesUnordered<_> = (0..5).map(|_| wait().traced()).collect();
            while inside.next().await.is_some() {}
        });
        spawn(async { wait().traced().await });
        assert_eq!(in_all().await, "traced 2 of 2 tasks alive; not counted: 6 polled by other traced tasks");
    });
}

#[test]
fn what_was_never_polled_may_never_be() {
    block_on(async {
        spawn(wait());
        let unborn = wait().traced();
        assert_eq!(in_all().await, "traced 1 of 1 task alive; not counted: 1 never polled");
        drop(unborn);
    });
}

#[test]
fn none_is_loud() {
    let loud =
        "NO TASK IS TRACED of 1 task alive: wrap what you spawn in traced(…), or spawn it with .traced()";
    block_on(async {
        tokio::spawn(wait());
        assert_eq!(in_all().await, loud);
        let unborn = wait().traced();
        assert_eq!(in_all().await, format!("{loud}; not counted: 1 never polled"));
        drop(unborn);
        let printed = Registry::new().dump().await.to_string();
        assert!(
            printed.contains("\nNO TASK IS TRACED: wrap"),
            "also where nobody knows what is alive: {printed}"
        );
    });
}

#[test]
fn a_local_sets_tasks_are_not_the_runtimes() {
    on_local_set(async {
        spawn(wait());
        for _ in 0..2 {
            spawn_local(wait());
        }
        let said = "traced 3 tasks; the runtime has 1 alive, so some are not its own";
        assert_eq!(in_all().await, said);
    });
}

#[test]
fn a_registry_of_ones_own_is_counted_alone() {
    block_on(async {
        let registry = Registry::new();
        tokio::spawn(registry.tracer().trace(wait()));
        spawn(wait());
        yield_now().await;
        assert_eq!(coverage(&registry).await, "traced 1 of 2 tasks alive");
    });
}

/// A dump is asked on a thread of its own while the runtime works.
#[test]
fn the_runtime_is_asked_when_the_dump_begins_also_by_a_thread_that_blocks() {
    let _alone = alone();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let request = TaskDump::take().alive_in(runtime.handle());
    let polled = std::sync::mpsc::channel();
    runtime.spawn(
        async move {
            yield_now().await;
            polled.0.send(()).unwrap();
            wait().await;
        }
        .traced(),
    );
    polled.1.recv().unwrap();
    let dump = request.blocking();
    assert_eq!(dump.raw().alive(), Some(1));
    assert!(dump.to_string().contains("\ntraced 1 of 1 task alive\n"), "{dump}");
}
