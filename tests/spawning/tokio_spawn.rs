//! `spawn` and `spawn_local`, and tokio's own with `traced` and `traced_as`.

use std::rc::Rc;

use backtrace_waker::TracedExt;
use backtrace_waker::tokio::{spawn, spawn_local};
use tokio::runtime::Handle;

use crate::{block_on, name_of_the_one_spawned_at, on_local_set, traced, wait};

#[test]
fn spawn_is_tokios_with_the_place_of_the_call() {
    block_on(async {
        let task = spawn(async { 42 });
        assert_eq!(name_of_the_one_spawned_at(file!(), line!() - 1), None);
        assert_eq!(task.await.unwrap(), 42);
        assert!(traced().is_empty(), "it is over");
        let task = tokio::spawn(async { 42 }.traced_as("a constant"));
        assert_eq!(name_of_the_one_spawned_at(file!(), line!() - 1).unwrap(), "a constant");
        assert_eq!(task.await.unwrap(), 42);
    });
}

#[test]
fn a_handle_spawns_traced_futures_with_the_place_of_the_call() {
    block_on(async {
        let runtime = Handle::current();
        let task = runtime.spawn(async { 42 }.traced());
        assert_eq!(name_of_the_one_spawned_at(file!(), line!() - 1), None);
        assert_eq!(task.await.unwrap(), 42);
        let task = runtime.spawn(async { 42 }.traced_as(format!("conn {}", 7)));
        assert_eq!(name_of_the_one_spawned_at(file!(), line!() - 1).unwrap(), "conn 7");
        assert_eq!(task.await.unwrap(), 42);
    });
}

#[test]
fn spawn_local_takes_what_is_not_send() {
    on_local_set(async {
        let shared = Rc::new(42);
        let task = spawn_local({
            let shared = Rc::clone(&shared);
            async move { shared }
        });
        assert_eq!(name_of_the_one_spawned_at(file!(), line!() - 4), None);
        assert_eq!(task.await.unwrap(), shared);
        let task = tokio::task::spawn_local(async move { shared }.traced_as("local"));
        assert_eq!(name_of_the_one_spawned_at(file!(), line!() - 1).unwrap(), "local");
        assert_eq!(*task.await.unwrap(), 42);
    });
}

#[test]
fn an_aborted_task_is_no_longer_traced() {
    block_on(async {
        let task = spawn(wait());
        tokio::task::yield_now().await;
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        assert!(traced().is_empty());
    });
}

#[test]
fn outside_of_a_runtime_it_panics_as_tokio_does_and_leaves_nothing() {
    let _alone = crate::alone();
    let panic = std::panic::catch_unwind(|| drop(spawn(async {}))).unwrap_err();
    assert!(panic.downcast_ref::<String>().unwrap().contains("no reactor running"));
    assert!(traced().is_empty());
}
