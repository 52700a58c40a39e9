//! tokio's `JoinSet` of traced futures.

use std::rc::Rc;

use backtrace_waker::TracedExt;
use tokio::runtime::Handle;
use tokio::task::{JoinSet, LocalSet};

use crate::{block_on, name_of_the_one_spawned_at, traced, wait};

#[test]
fn what_it_spawns_is_traced_with_the_place_of_the_call() {
    block_on(async {
        let mut set = JoinSet::new();
        set.spawn(async { 1 }.traced());
        assert_eq!(name_of_the_one_spawned_at(file!(), line!() - 1), None);
        assert_eq!(set.join_next().await.unwrap().unwrap(), 1);
        set.spawn(async { 1 }.traced_as("one"));
        assert_eq!(name_of_the_one_spawned_at(file!(), line!() - 1).unwrap(), "one");
        assert_eq!(set.join_next().await.unwrap().unwrap(), 1);
        set.spawn_on(async { 1 }.traced(), &Handle::current());
        assert_eq!(name_of_the_one_spawned_at(file!(), line!() - 1), None);
        assert_eq!(set.join_next().await.unwrap().unwrap(), 1);
        set.spawn_on(async { 1 }.traced_as(format!("{}", 1)), &Handle::current());
        assert_eq!(name_of_the_one_spawned_at(file!(), line!() - 1).unwrap(), "1");
        assert_eq!(set.join_next().await.unwrap().unwrap(), 1);
        assert!(set.join_next().await.is_none() && set.is_empty());
    });
}

#[test]
fn local_tasks_are_traced_too() {
    let local = LocalSet::new();
    block_on(async {
        let (mut set, shared) = (JoinSet::new(), Rc::new(1));
        set.spawn_local_on(async { Rc::new(1) }.traced(), &local);
        assert_eq!(name_of_the_one_spawned_at(file!(), line!() - 1), None);
        assert_eq!(local.run_until(set.join_next()).await.unwrap().unwrap(), shared);
        set.spawn_local_on(async { Rc::new(1) }.traced_as("on"), &local);
        assert_eq!(name_of_the_one_spawned_at(file!(), line!() - 1).unwrap(), "on");
        assert_eq!(local.run_until(set.join_next()).await.unwrap().unwrap(), shared);
        let inside = async {
            set.spawn_local(async { Rc::new(1) }.traced());
            assert_eq!(name_of_the_one_spawned_at(file!(), line!() - 1), None);
            assert_eq!(set.join_next().await.unwrap().unwrap(), shared);
            set.spawn_local(async { Rc::new(1) }.traced_as("local"));
            assert_eq!(name_of_the_one_spawned_at(file!(), line!() - 1).unwrap(), "local");
            assert_eq!(set.join_next().await.unwrap().unwrap(), shared);
        };
        local.run_until(inside).await;
    });
}

#[test]
fn blocking_tasks_are_in_the_set_and_not_traced() {
    block_on(async {
        let mut set = JoinSet::new();
        set.spawn(async { 3 }.traced());
        set.spawn_blocking(|| 1);
        set.spawn_blocking_on(|| 2, &Handle::current());
        assert_eq!((set.len(), traced().len()), (3, 1));
        assert_eq!(set.join_all().await.iter().sum::<i32>(), 6);
        assert!(traced().is_empty());
    });
}

#[test]
fn tasks_are_let_go_in_every_way() {
    block_on(async {
        let mut set = JoinSet::new();
        set.spawn(wait().traced());
        set.abort_all();
        assert!(set.join_next().await.unwrap().unwrap_err().is_cancelled());
        set.spawn(wait().traced()).abort();
        assert!(set.join_next().await.unwrap().unwrap_err().is_cancelled());
        set.spawn(wait().traced());
        set.shutdown().await;
        assert!(set.is_empty() && traced().is_empty());
        set.spawn(wait().traced());
        drop(std::mem::take(&mut set));
        tokio::task::yield_now().await;
        assert!(traced().is_empty(), "a set that is dropped aborts its tasks");
        set.spawn(wait().traced());
        set.detach_all();
        tokio::task::yield_now().await;
        assert_eq!((set.len(), traced().len()), (0, 1));
    });
}

#[test]
fn sets_are_made_of_traced_futures() {
    block_on(async {
        let mut set: JoinSet<_> = (0..3).map(|n| async move { n }.traced()).collect();
        assert!(traced().iter().all(|(_, at)| (at.file(), at.line()) == (file!(), line!() - 1)));
        assert_eq!((set.len(), traced().len()), (3, 3));
        set.extend((3..5).map(|n| async move { n }.traced_as("extended")));
        let extended = line!() - 1;
        let ours: Vec<_> = traced().into_iter().filter(|(_, at)| at.line() == extended).collect();
        assert_eq!((set.len(), ours.len()), (5, 2));
        assert!(ours.iter().all(|(name, at)| name.as_deref() == Some("extended") && at.file() == file!()));
        assert_eq!(set.join_all().await.iter().sum::<i32>(), 10);
    });
}
