//! A program whose blocking pool runs closures and the workers of two runtimes, and what a look from outside shows of them without symbols.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use bw_core::TaskState;
use bw_inspect::{Limits, task_type};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Notify;
use tokio::task::{block_in_place, spawn_blocking};

use super::program::{self, LONG, Program, spawn};

/// Closures that begin to wait.
const CLOSURES: usize = 6;

static BEGUN: AtomicUsize = AtomicUsize::new(0);

fn sleeps() {
    BEGUN.fetch_add(1, Ordering::SeqCst);
    thread::sleep(LONG);
}

fn runtime(workers: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(workers).enable_all().build().unwrap()
}

pub(super) fn run() {
    println!("\ntasks");
    let runtime = runtime(2);
    runtime.block_on(async {
        // A task on a worker spawns each, so that the worker's stack has its address, too.
        for name in ["first", "second"] {
            tokio::spawn(async move { println!("{} {name}", spawn_blocking(sleeps).id()) }).await.unwrap();
        }
        let finished = tokio::spawn(async { spawn_blocking(|| ()).await });
        finished.await.unwrap().unwrap();
        println!(
            "{} notified",
            spawn_blocking(|| {
                BEGUN.fetch_add(1, Ordering::SeqCst);
                Handle::current().block_on(Arc::new(Notify::new()).notified());
            })
            .id()
        );
        let nested = || {
            BEGUN.fetch_add(1, Ordering::SeqCst);
            Builder::new_current_thread().enable_all().build().unwrap().block_on(tokio::time::sleep(LONG));
        };
        println!("{} nested", spawn_blocking(nested).id());
        let builds = || {
            let runtime = self::runtime(3);
            sleeps();
            drop(runtime);
        };
        println!("{} builds", spawn_blocking(builds).id());
        // Its worker runs on as another task of the pool.
        spawn("in place", async { block_in_place(sleeps) });
        while BEGUN.load(Ordering::SeqCst) < CLOSURES {
            tokio::task::yield_now().await;
        }
        println!("ready");
        tokio::time::sleep(LONG).await;
    });
}

/// The closures, and not the workers: there are no symbols to tell one from the other.
#[test]
fn workers_are_taken_for_tasks_or_closures_for_workers() {
    let program = Program::start("blocking_pool");
    let polled = |inspection: &bw_inspect::Inspection| {
        let tasks = inspection.dump().tasks().iter();
        let is_polled = |state: &TaskState| matches!(state, TaskState::Polling(_));
        let polled = tasks.filter(|task| is_polled(&task.status().state));
        polled.map(|task| task.id().get()).collect::<Vec<u64>>()
    };
    let names = ["first", "second", "notified", "nested", "builds", "in place"];
    let inspection =
        program.inspect_until(&Limits::default(), |inspection| polled(inspection).len() <= CLOSURES);
    let mut expected: Vec<u64> =
        names.iter().map(|name| program.task(&inspection, name).id().get()).collect();
    expected.sort_unstable();
    assert_eq!(polled(&inspection), expected);

    let symbolizer = program::symbolizer(&inspection);
    let named = |inspection: bw_inspect::Inspection, has_symbols: bool| {
        let named = inspection.named(|poll, _| task_type(&symbolizer, poll).filter(|_| has_symbols));
        let name = |id: &u64| {
            named.dump().tasks().iter().find(|task| task.id().get() == *id)?.name().map(str::to_owned)
        };
        expected.iter().filter_map(name).collect::<Vec<String>>()
    };
    let with = named(inspection.clone(), true);
    assert!(
        with.len() == CLOSURES && with.iter().filter(|name| name.contains("BlockingTask<")).count() == 5,
        "{with:?}"
    );
    let without = named(inspection, false);
    assert_eq!(without, ["closure on the blocking pool"; 5]);
}
