//! Children that their parent polls with wakers of their own.

use backtrace_waker::TracedExt;
use futures::stream::{self, FuturesUnordered, StreamExt};
use insta::assert_snapshot;
use tokio::sync::oneshot;

use crate::{all_suspended, tree_of, wait};

#[test]
fn children_of_futures_unordered_stand_below_its_poll() {
    async fn fan_out() {
        let mut children: FuturesUnordered<_> = (0..3).map(|_| wait().traced()).collect();
        while children.next().await.is_some() {}
    }
    assert_snapshot!(tree_of(4, || fan_out().traced_as("parent")));
}

#[test]
fn children_of_buffer_unordered_stand_below_its_poll() {
    async fn download_all() {
        let pages = stream::iter(0..10).map(|_| wait().traced_as("page")).buffer_unordered(2);
        pages.for_each(async |()| {}).await;
    }
    assert_snapshot!(tree_of(3, || download_all().traced_as("parent")));
}

#[test]
fn children_of_for_each_concurrent_stand_below_its_poll() {
    async fn serve_all() {
        stream::iter(0..3).for_each_concurrent(None, |n| wait().traced_as(format!("page {n}"))).await;
    }
    assert_snapshot!(tree_of(4, || serve_all().traced_as("parent")));
}

/// Above 30 futures it is a `FuturesOrdered`.
#[test]
fn children_of_a_long_join_all_stand_below_what_polls_them() {
    async fn join_many() {
        tokio::select! {
            _ = futures::future::join_all((0..40).map(|_| wait().traced())) => {}
            () = wait() => {}
        }
    }
    assert_snapshot!(tree_of(41, || join_many().traced_as("parent")));
}

#[test]
fn children_of_buffered_stand_below_its_poll() {
    async fn in_order() {
        let pages = stream::iter(0..10).map(|_| wait().traced_as("page")).buffered(2);
        tokio::select! {
            () = pages.for_each(async |()| {}) => {}
            () = wait() => {}
        }
    }
    assert_snapshot!(tree_of(3, || in_order().traced_as("parent")));
}

/// Its stacks fork above the `FuturesUnordered`, and still the children stand below that.
#[test]
fn children_stand_below_the_branch_that_polls_them() {
    async fn fan_out() {
        let mut children: FuturesUnordered<_> = (0..2).map(|_| wait().traced()).collect();
        tokio::select! {
            _ = children.next() => {}
            () = wait() => {}
        }
    }
    assert_snapshot!(tree_of(3, || fan_out().traced_as("parent")));
}

/// Nothing tells which of them polls which child: so all stand at the last frame that is common to both.
#[test]
fn children_of_two_sub_executors_stand_above_both() {
    async fn fan_out() {
        let [mut one, mut other]: [FuturesUnordered<_>; 2] =
            [(); 2].map(|()| (0..2).map(|_| wait().traced()).collect());
        tokio::join!(async { one.next().await }, async { other.next().await });
    }
    assert_snapshot!(tree_of(5, || fan_out().traced_as("parent")));
}

#[test]
fn grandchildren_stand_below_children() {
    async fn child() {
        let mut grandchildren: FuturesUnordered<_> = (0..2).map(|_| wait().traced_as("grandchild")).collect();
        while grandchildren.next().await.is_some() {}
    }
    async fn parent() {
        let mut children: FuturesUnordered<_> = (0..2).map(|_| child().traced_as("child")).collect();
        while children.next().await.is_some() {}
    }
    assert_snapshot!(tree_of(7, || parent().traced_as("parent")));
}

/// The set moves to another task together with its children, whose wakers stay the same.
#[test]
fn children_that_moved_to_another_task_stand_below_that() {
    type Children<F> = FuturesUnordered<F>;
    async fn old_parent<F: Future>(mut children: Children<F>, hand_over: oneshot::Sender<Children<F>>) {
        assert!(futures::poll!(children.next()).is_pending());
        assert!(hand_over.send(children).is_ok());
        wait().await;
    }
    async fn new_parent<F: Future>(children: oneshot::Receiver<Children<F>>) {
        let mut children = children.await.unwrap();
        while children.next().await.is_some() {}
    }
    let program = async {
        let (hand_over, children) = oneshot::channel();
        tokio::spawn(new_parent(children).traced_as("new parent"));
        let these = (0..2).map(|_| wait().traced()).collect();
        tokio::spawn(old_parent(these, hand_over).traced_as("old parent"));
    };
    assert_snapshot!(tree_of(4, || program));
}

/// What is left of its parent is the number.
#[test]
fn children_of_a_parent_that_is_over_are_roots() {
    async fn parent() {
        tokio::spawn(wait().traced_as("child"));
    }
    let program = async {
        tokio::spawn(parent().traced_as("parent")).await.unwrap();
        all_suspended(1).await;
    };
    assert_snapshot!(tree_of(1, || program));
}
