//! `JoinSet`, every method of it.

use std::future::poll_fn;
use std::rc::Rc;

use backtrace_waker::tokio::JoinSet;
use tokio::runtime::Handle;
use tokio::task::LocalSet;

use crate::{block_on, name_of_the_one_spawned_at, traced, wait};

#[test]
fn what_it_spawns_is_traced_with_the_place_of_the_call() {
    block_on(async {
        let mut set = JoinSet::new();
        set.spawn(async { 1 });
        assert_eq!(name_of_the_one_spawned_at(file!(), line!() - 1), None);
        assert_eq!(set.join_next().await.unwrap().unwrap(), 1);
        set.spawn(async { 1 }.traced_as("one"));
        assert_eq!(name_of_the_one_spawned_at(file!(), line!() - 1).unwrap(), "one");
        assert_eq!(set.join_next().await.unwrap().unwrap(), 1);
        set.spawn_on(async { 1 }, &Handle::current());
        assert_eq!(name_of_the_one_spawned_at(file!(), line!() - 1), None);
        assert_eq!(set.join_next().await.unwrap().unwrap(), 1);
        set.spawn_on_named(format!("{}", 1), async { 1 }, &Handle::current());
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
        set.spawn_local_on(async { Rc::new(1) }, &local);
        assert_eq!(name_of_the_one_spawned_at(file!(), line!() - 1), None);
        assert_eq!(local.run_until(set.join_next()).await.unwrap().unwrap(), shared);
        set.spawn_local_on_named("on", async { Rc::new(1) }, &local);
        assert_eq!(name_of_the_one_spawned_at(file!(), line!() - 1).unwrap(), "on");
        assert_eq!(local.run_until(set.join_next()).await.unwrap().unwrap(), shared);
        let inside = async {
            set.spawn_local(async { Rc::new(1) });
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
        let mut set = JoinSet::default();
        set.spawn_blocking(|| 1);
        set.spawn_blocking_on(|| 2, &Handle::current());
        assert!(traced().is_empty());
        assert_eq!(set.len(), 2);
        assert_eq!(set.join_all().await.iter().sum::<i32>(), 3);
    });
}

#[test]
fn tasks_are_joined_in_every_way() {
    block_on(async {
        let mut set = JoinSet::new();
        let first = set.spawn(async { 1 }).id();
        assert!(set.try_join_next().is_none() && set.try_join_next_with_id().is_none());
        assert_eq!(set.join_next_with_id().await.unwrap().unwrap(), (first, 1));
        let second = set.spawn(async { 2 }).id();
        assert_eq!(poll_fn(|cx| set.poll_join_next_with_id(cx)).await.unwrap().unwrap(), (second, 2));
        set.spawn(async { 3 });
        assert_eq!(poll_fn(|cx| set.poll_join_next(cx)).await.unwrap().unwrap(), 3);
        let (fourth, fifth) = (set.spawn(async { 4 }), set.spawn(async { 5 }));
        while !(fourth.is_finished() && fifth.is_finished()) {
            tokio::task::yield_now().await;
        }
        assert_eq!(set.try_join_next().unwrap().unwrap(), 4);
        assert_eq!(set.try_join_next_with_id().unwrap().unwrap(), (fifth.id(), 5));
        assert_eq!(format!("{set:?}"), "JoinSet { len: 0 }");
    });
}

#[test]
fn tasks_are_let_go_in_every_way() {
    block_on(async {
        let mut set = JoinSet::new();
        set.spawn(wait());
        set.abort_all();
        assert!(set.join_next().await.unwrap().unwrap_err().is_cancelled());
        set.spawn(wait()).abort();
        assert!(set.join_next().await.unwrap().unwrap_err().is_cancelled());
        set.spawn(wait());
        set.shutdown().await;
        assert!(set.is_empty() && traced().is_empty());
        set.spawn(wait());
        drop(std::mem::take(&mut set));
        tokio::task::yield_now().await;
        assert!(traced().is_empty(), "a set that is dropped aborts its tasks");
        set.spawn(wait());
        set.detach_all();
        tokio::task::yield_now().await;
        assert_eq!((set.len(), traced().len()), (0, 1));
    });
}

#[test]
fn sets_are_made_of_futures_and_of_tokios() {
    block_on(async {
        let mut set: JoinSet<_> = (0..3).map(|n| async move { n }).collect();
        assert_eq!((set.len(), traced().len()), (3, 3));
        set.extend((3..5).map(|n| async move { n }));
        let extended = line!() - 1;
        let ours: Vec<_> = traced().into_iter().filter(|(_, at)| at.file() == file!()).collect();
        assert_eq!(ours.len(), 2, "`collect` says nothing of its caller");
        assert!(ours.iter().all(|(_, at)| at.line() == extended));
        let theirs: tokio::task::JoinSet<_> = set.into();
        let set = JoinSet::from(theirs);
        assert_eq!(set.join_all().await.iter().sum::<i32>(), 10);
        let set = JoinSet::from_iter((0..3).map(|n| async move { n }));
        assert!(traced().iter().all(|(_, at)| (at.file(), at.line()) == (file!(), line!() - 1)));
        drop(set);
    });
}

/// What is awaited must be `Send`, as tokio's is.
#[test]
fn what_it_gives_to_await_is_send() {
    fn is_send(_: &impl Send) {}
    let mut set = JoinSet::<u32>::new();
    is_send(&set.join_next());
    is_send(&set.join_next_with_id());
    is_send(&set.shutdown());
    is_send(&set.join_all());
}
