//! Children that their parent polls with its own waker: their stacks are in its own.

use std::pin::Pin;

use backtrace_waker::TracedExt;
use insta::assert_snapshot;

use crate::{tree_of, wait};

#[test]
fn a_child_that_is_awaited_stands_where_its_stacks_begin_and_is_not_printed_twice() {
    async fn parent() {
        child().traced_as("child").await;
    }
    async fn child() {
        wait().await;
    }
    assert_snapshot!(tree_of(2, || parent().traced_as("parent")));
}

#[test]
fn children_in_branches_of_join_stand_beside_its_other_branches() {
    async fn parent() {
        tokio::join!(wait().traced_as("left"), other(), wait().traced_as("right"));
    }
    async fn other() {
        wait().await;
    }
    assert_snapshot!(tree_of(3, || parent().traced_as("parent")));
}

/// Boxed futures are of one type, so their polls are of one address.
#[test]
fn boxed_children_are_told_apart_by_what_they_do() {
    type Boxed = Pin<Box<dyn Future<Output = ()> + Send>>;
    async fn parent() {
        let left: Boxed = Box::pin(left());
        let right: Boxed = Box::pin(right());
        tokio::join!(async { left.traced_as("left").await }, async { right.traced_as("right").await });
    }
    async fn left() {
        wait().await;
    }
    async fn right() {
        wait().await;
    }
    assert_snapshot!(tree_of(3, || parent().traced_as("parent")));
}

#[test]
fn a_chain_of_awaited_tasks_is_printed_once() {
    async fn parent() {
        child().traced_as("child").await;
    }
    async fn child() {
        wait().traced_as("grandchild").await;
    }
    assert_snapshot!(tree_of(3, || parent().traced_as("parent")));
}
