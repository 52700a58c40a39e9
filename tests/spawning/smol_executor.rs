//! smol's executors.

use std::rc::Rc;

use backtrace_waker::{TracedExecutor, Tracer};
use futures::executor::block_on;

use crate::{alone, name_of_the_one_spawned_at, traced};

static EXECUTOR: TracedExecutor<smol::Executor<'static>> = TracedExecutor::new(smol::Executor::new());

#[test]
fn an_executor_spawns_traced_tasks_with_the_place_of_the_call() {
    let _alone = alone();
    let task = EXECUTOR.spawn(async { 42 });
    assert_eq!(name_of_the_one_spawned_at(file!(), line!() - 1), None);
    assert_eq!(block_on(EXECUTOR.run(task)), 42);
    assert!(EXECUTOR.is_empty() && !EXECUTOR.try_tick() && traced().is_empty());
}

#[test]
fn an_executor_of_what_it_borrows() {
    let _alone = alone();
    let answer = String::from("42");
    let executor = TracedExecutor::with_tracer(smol::Executor::new(), Tracer::new().named("borrower"));
    let task = executor.spawn(async { answer.as_str() });
    assert_eq!(name_of_the_one_spawned_at(file!(), line!() - 1).unwrap(), "borrower");
    block_on(executor.tick());
    assert_eq!(block_on(task), "42");
    let mut tasks = Vec::new();
    executor.spawn_many((0..3).map(|n| async move { n }), &mut tasks);
    let line = line!() - 1;
    assert_eq!(traced().iter().filter(|(_, at)| (at.file(), at.line()) == (file!(), line)).count(), 3);
    let sum = async {
        let mut sum = 0;
        for task in tasks {
            sum += task.await;
        }
        sum
    };
    assert_eq!(block_on(executor.run(sum)), 3);
}

#[test]
fn a_local_executor_takes_what_is_not_send() {
    let _alone = alone();
    let executor = TracedExecutor::new(smol::LocalExecutor::new());
    let task = executor.spawn(async { Rc::new(42) });
    assert_eq!(name_of_the_one_spawned_at(file!(), line!() - 1), None);
    assert_eq!(*block_on(executor.run(task)), 42);
    let mut tasks = Vec::new();
    executor.spawn_many([async { Rc::new(1) }], &mut tasks);
    assert_eq!(name_of_the_one_spawned_at(file!(), line!() - 1), None);
    assert!(!executor.is_empty() && executor.try_tick());
    assert_eq!(*block_on(tasks.pop().unwrap()), 1);
    let task = executor.spawn(async { Rc::new(2) });
    block_on(executor.tick());
    assert_eq!(*block_on(task), 2);
}
