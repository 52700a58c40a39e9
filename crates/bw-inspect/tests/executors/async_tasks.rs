//! A program whose tasks run on executors of smol, and what a look from outside shows of them.

use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use bw_core::{NoTrace, TaskRecord, TaskState};
use bw_inspect::{Inspection, Limits, task_type};
use futures::stream::{FuturesUnordered, StreamExt as _};
use smol::channel::{self, Receiver};
use smol::lock::Mutex;
use smol::net::TcpListener;
use smol::{Executor, LocalExecutor, Timer};

use super::program::{self, LONG, Program};

async fn naps() {
    Timer::after(LONG).await; // @naps
}

async fn receives(orders: Receiver<u32>) {
    while orders.recv().await.is_ok() {} // @receives
}

async fn locks(mutex: Arc<Mutex<u32>>) {
    *mutex.lock().await += 1; // @locks
}

async fn accepts() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let accepted = listener.accept().await; // @accepts
    assert!(accepted.is_ok());
}

async fn joins(task: smol::Task<()>) {
    task.await; // @joins
}

async fn both(orders: Receiver<u32>) {
    futures::join!(receives(orders), naps()); // @both
}

async fn fans_out() {
    let mut all: FuturesUnordered<_> = (0..3).map(|_| naps()).collect();
    while all.next().await.is_some() {} // @fans_out
}

async fn nowhere() {
    pending::<()>().await;
}

async fn blocks() {
    thread::sleep(LONG); // @blocks
}

static POLLED: AtomicUsize = AtomicUsize::new(0);

/// Says once that it was polled.
async fn counted<F: Future>(future: F) -> F::Output {
    POLLED.fetch_add(1, Ordering::SeqCst);
    future.await // @counted
}

/// Tasks that the program spawns.
const SPAWNED: usize = 12;

pub(super) fn run() {
    println!("\ntasks");
    let (_sender, orders) = channel::bounded::<u32>(1);
    let (goes, ends) = channel::bounded::<u32>(1);
    smol::spawn(counted(receives(ends))).detach();
    let mutex = Arc::new(Mutex::new(0));
    let held = mutex.try_lock_arc().unwrap();
    smol::spawn(counted(naps())).detach();
    smol::spawn(counted(receives(orders.clone()))).detach();
    smol::spawn(counted(locks(mutex))).detach();
    smol::spawn(counted(accepts())).detach();
    let joined = smol::spawn(counted(both(orders)));
    smol::spawn(counted(joins(joined))).detach();
    smol::spawn(counted(fans_out())).detach();
    smol::spawn(counted(nowhere())).detach();
    // Executors of their own, of one thread each.
    thread::spawn(|| {
        let executor = LocalExecutor::new();
        executor.spawn(counted(naps())).detach();
        smol::block_on(executor.run(pending::<()>()));
    });
    thread::Builder::new()
        .name("blocked".to_owned())
        .spawn(|| {
            let executor = Executor::new();
            executor.spawn(counted(blocks())).detach();
            smol::block_on(executor.run(pending::<()>()));
        })
        .unwrap();
    // One that nobody drives.
    let undriven = Executor::new();
    undriven.spawn(counted(naps())).detach();
    while POLLED.load(Ordering::SeqCst) < SPAWNED - 1 {
        thread::yield_now();
    }
    println!("ready");
    // The first task ends when the test says so.
    std::io::stdin().read_line(&mut String::new()).unwrap();
    drop(goes);
    thread::sleep(LONG);
    drop((held, undriven));
}

/// Looks when all of so many tasks have come to rest.
fn rested(program: &Program, count: usize) -> Inspection {
    program.inspect_until(&Limits::default(), |inspection| {
        let tasks = tasks(inspection);
        let is_idle = |state: &TaskState| *state == TaskState::Suspended;
        // smol spawns one of its own, which looks after child processes.
        tasks.len() == count + 1
            && tasks.iter().filter(|task| is_idle(&task.status().state)).count() >= count - 1
            && tasks.iter().all(|task| task.trace() != Err(NoTrace::Moved))
    })
}

/// The tasks, which have no names yet.
fn tasks(inspection: &Inspection) -> Vec<&TaskRecord> {
    inspection.dump().tasks().iter().filter(|task| task.name().is_none()).collect()
}

#[test]
fn the_end_of_one_task_of_smol_gives_the_others_new_ids() {
    let mut program = Program::start("async_tasks");
    let ids = |inspection: &Inspection| -> Vec<u64> {
        tasks(inspection).iter().map(|task| task.id().get()).collect()
    };
    let before = ids(&rested(&program, SPAWNED));
    program.go_on();
    let after = ids(&rested(&program, SPAWNED - 1));
    assert!(after.iter().all(|id| before.contains(id)), "{before:?} {after:?}");
}

#[test]
fn a_task_of_smol_is_missing_or_not_at_its_line() {
    let program = Program::start("async_tasks");
    let inspection = rested(&program, SPAWNED);
    let symbolizer = program::symbolizer(&inspection);
    // A timer clones the waker twice: for its thread, and for itself.
    let twice = |way| vec![way, way];
    let mut expected: Vec<(&str, Vec<&str>)> = vec![
        ("suspended", twice("counted/naps")),
        ("suspended", twice("counted/naps")),
        ("woken", vec![]),
        ("suspended", vec!["counted/receives"]),
        ("suspended", vec!["counted/receives"]),
        ("suspended", vec!["counted/locks"]),
        ("suspended", vec!["counted/accepts"]),
        ("suspended", [twice("counted/both/naps"), vec!["counted/both/receives"]].concat()),
        ("suspended", vec!["counted/joins"]),
        ("suspended", [vec!["counted/fans_out"], ["counted/fans_out/naps"; 6].to_vec()].concat()),
        ("suspended", vec![]),
        ("polling", vec!["counted/blocks"]),
    ];
    for task in tasks(&inspection) {
        let poll = inspection.poll_of(task.id()).unwrap();
        let name = task_type(&symbolizer, poll).unwrap_or_default();
        let ways: BTreeMap<String, usize> = program::ways(&inspection, &symbolizer, task);
        let ways: Vec<&str> =
            ways.iter().flat_map(|(way, count)| std::iter::repeat_n(&**way, *count)).collect();
        let state = task.status().state.name();
        assert_eq!(task.incomplete(), None, "{name} {state} {ways:?}");
        if name == "async block in async_process::driver" {
            continue;
        }
        assert_eq!(name, "async fn executors::async_tasks::counted");
        let found = expected.iter().position(|(of_state, of_task)| state == *of_state && ways == *of_task);
        let found = found.unwrap_or_else(|| panic!("{state} at {ways:?} is none of {expected:?}"));
        expected.remove(found);
    }
    assert!(expected.is_empty(), "{expected:?} are not found");
}
