//! Children that are tasks of their own: they stand beside the trace of the task that spawned them, since nothing says that it
//! awaits them where it waits.

use backtrace_waker::TracedExt;
use insta::assert_snapshot;
use tokio::task::JoinSet;

use crate::{tree_of, wait};

#[test]
fn children_of_tokios_join_set() {
    async fn supervise() {
        let mut workers = JoinSet::new();
        for _ in 0..3 {
            workers.spawn(wait().traced_as("worker"));
        }
        while workers.join_next().await.is_some() {}
    }
    assert_snapshot!(tree_of(4, || supervise().traced_as("supervisor")));
}

#[test]
fn children_of_a_join_set_with_and_without_names() {
    async fn supervise() {
        let mut workers = JoinSet::new();
        workers.spawn(wait().traced());
        for n in 0..3 {
            workers.spawn(wait().traced_as(format!("worker {n}")));
        }
        while workers.join_next().await.is_some() {}
    }
    assert_snapshot!(tree_of(5, || supervise().traced_as("supervisor")));
}

#[test]
fn children_of_a_task_that_waits_for_several_things() {
    async fn supervise() {
        let mut workers = JoinSet::new();
        for _ in 0..3 {
            workers.spawn(wait().traced_as("worker"));
        }
        tokio::select! {
            _ = workers.join_next() => {}
            () = wait() => {}
        }
    }
    assert_snapshot!(tree_of(4, || supervise().traced_as("supervisor")));
}

#[test]
fn children_of_a_task_that_was_spawned_by_another() {
    async fn accept() {
        for n in 0..2 {
            tokio::spawn(serve().traced_as(format!("connection {n}")));
        }
        wait().await;
    }
    async fn serve() {
        tokio::spawn(wait().traced_as("flush"));
        wait().await;
    }
    assert_snapshot!(tree_of(5, || async {
        tokio::spawn(accept().traced_as("accept"));
    }));
}
