//! What is spawned through the traits of `futures::task`.

use std::cell::Cell;
use std::rc::Rc;

use backtrace_waker::{Registry, TracedExecutor, Tracer};
use futures::channel::oneshot;
use futures::executor::{LocalPool, ThreadPool};
use futures::task::{LocalSpawn, LocalSpawnExt, Spawn, SpawnExt};

use crate::{alone, name_of_the_one_spawned_at, traced};

#[test]
fn a_spawner_spawns_traced_tasks_that_give_their_outputs() {
    let _alone = alone();
    let pool = ThreadPool::builder().pool_size(1).create().unwrap();
    let spawner = TracedExecutor::with_tracer(pool, Tracer::new().named(format!("pool {}", 1)));
    let line = line!() - 1;
    let (give, take) = oneshot::channel::<u32>();
    let task = spawner.spawn_with_handle(async { take.await.unwrap() }).unwrap();
    assert_eq!(name_of_the_one_spawned_at(file!(), line).unwrap(), "pool 1");
    spawner.status().unwrap();
    give.send(42).unwrap();
    assert_eq!(futures::executor::block_on(task), 42);
    // The pool's thread gives the output before it is done with the task.
    while !traced().is_empty() {
        std::thread::yield_now();
    }
}

#[test]
fn a_local_spawner_takes_what_is_not_send() {
    let _alone = alone();
    let mut pool = LocalPool::new();
    let spawner = TracedExecutor::new(pool.spawner());
    let line = line!() - 1;
    let seen = Rc::new(Cell::new(0));
    let task = {
        let seen = Rc::clone(&seen);
        async move { seen.set(42) }
    };
    spawner.spawn_local(task).unwrap();
    assert_eq!(name_of_the_one_spawned_at(file!(), line), None);
    pool.run();
    assert_eq!(seen.get(), 42);
    assert!(traced().is_empty());
    drop(pool);
    assert!(spawner.status().unwrap_err().is_shutdown() && spawner.status_local().unwrap_err().is_shutdown());
    assert!(spawner.spawn(async {}).unwrap_err().is_shutdown());
    assert!(traced().is_empty(), "what could not be spawned is gone");
}

#[test]
fn an_executor_may_have_a_registry_of_its_own() {
    let registry = Registry::new();
    let mut pool = LocalPool::new();
    let spawner = TracedExecutor::with_tracer(pool.spawner(), registry.tracer());
    spawner.spawn(async {}).unwrap();
    assert_eq!(registry.len(), 1);
    pool.run();
    assert!(registry.is_empty());
    spawner.get_ref().spawn(async {}).unwrap();
    spawner.into_inner().spawn(async {}).unwrap();
    assert!(registry.is_empty(), "past the wrapper");
}
