//! Waiting at several places at once: each has a stack of its own, with the child function in it.
//!
//! The function that invokes a macro is at the line of the invocation, like at any other await. The closures the macro
//! makes are part of the stacks, once for each branch.

use std::future::Future;
use std::pin::pin;

use futures::FutureExt;
use futures::future::{Either, select};
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::harness::{HOUR, at, waits};

const OUTER: &str = "async fn self::outer";
const LEFT: &str = "async fn self::left";
const RIGHT: &str = "async fn self::right";

async fn outer<F: Future>(inner: F) -> F::Output {
    at!(inner).await
}

async fn left() {
    at!(sleep(HOUR)).await;
}

async fn right() {
    at!(signal(&Notify::new())).await;
}

async fn signal(notify: &Notify) {
    at!(notify.notified()).await;
}

/// The end of the chain that [`right`] begins.
const SIGNAL: &str = "async fn self::signal";

async fn join() {
    at!(tokio::join!(left(), right()));
}

#[test]
fn tokio_join() {
    let (this, branch) = ("async fn self::join", "closure in async fn self::join");
    waits!(outer(join()), [OUTER, this, branch, LEFT], [OUTER, this, branch, RIGHT, SIGNAL]);
}

async fn join_same() {
    at!(tokio::join!(left(), left(), left()));
}

#[test]
fn tokio_join_of_identical_branches() {
    let stack = [OUTER, "async fn self::join_same", "closure in async fn self::join_same", LEFT];
    waits!(outer(join_same()), stack, stack, stack);
}

async fn try_join() -> Result<(), ()> {
    let left = left().map(Ok::<_, ()>);
    at!(tokio::try_join!(left, right().map(Ok))).map(drop)
}

#[test]
fn tokio_try_join() {
    let (this, branch) = ("async fn self::try_join", "closure in async fn self::try_join");
    waits!(outer(try_join()), [OUTER, this, branch, LEFT], [OUTER, this, branch, RIGHT, SIGNAL]);
}

async fn select_macro() -> u32 {
    at!(tokio::select! {
        () = left() => 1,
        () = right() => 2,
    })
}

#[test]
fn tokio_select() {
    let (this, branch) = ("async fn self::select_macro", "closure in async fn self::select_macro");
    waits!(outer(select_macro()), [OUTER, this, branch, LEFT], [OUTER, this, branch, RIGHT, SIGNAL]);
}

async fn select_loop() {
    let mut first = pin!(left());
    loop {
        at!(tokio::select! {
            biased;
            () = &mut first => return,
            () = right() => {}
        });
    }
}

#[test]
fn tokio_select_of_a_pinned_future() {
    let (this, branch) = ("async fn self::select_loop", "closure in async fn self::select_loop");
    waits!(outer(select_loop()), [OUTER, this, branch, LEFT], [OUTER, this, branch, RIGHT, SIGNAL]);
}

async fn timeout() -> bool {
    at!(tokio::time::timeout(HOUR, right())).await.is_ok()
}

#[test]
fn tokio_timeout() {
    // The future and the timer.
    let this = "async fn self::timeout";
    waits!(outer(timeout()), [OUTER, this, RIGHT, SIGNAL], [OUTER, this]);
}

async fn nested() {
    at!(tokio::join!(select_macro(), timeout()));
}

#[test]
fn one_in_another() {
    let (this, branch) = ("async fn self::nested", "closure in async fn self::nested");
    let (first, first_branch) = ("async fn self::select_macro", "closure in async fn self::select_macro");
    let second = "async fn self::timeout";
    waits!(
        outer(nested()),
        [OUTER, this, branch, first, first_branch, LEFT],
        [OUTER, this, branch, first, first_branch, RIGHT, SIGNAL],
        [OUTER, this, branch, second, RIGHT, SIGNAL],
        [OUTER, this, branch, second],
    );
}

async fn futures_join() {
    at!(futures::join!(left(), right()));
}

#[test]
fn join_of_futures() {
    let (this, branch) = ("async fn self::futures_join", "closure in async fn self::futures_join");
    waits!(outer(futures_join()), [OUTER, this, branch, LEFT], [OUTER, this, branch, RIGHT, SIGNAL]);
}

async fn futures_try_join() -> Result<(), ()> {
    let left = left().map(Ok::<_, ()>);
    at!(futures::try_join!(left, right().map(Ok))).map(drop)
}

#[test]
fn try_join_of_futures() {
    let (this, branch) = ("async fn self::futures_try_join", "closure in async fn self::futures_try_join");
    waits!(outer(futures_try_join()), [OUTER, this, branch, LEFT], [OUTER, this, branch, RIGHT, SIGNAL]);
}

async fn futures_select() -> u32 {
    let (mut first, mut second) = (Box::pin(left().fuse()), Box::pin(right().fuse()));
    at!(futures::select! {
        () = first => 1,
        () = second => 2,
    })
}

#[test]
fn select_of_futures() {
    let select = "async fn self::futures_select";
    // One for the macro, one for the branch.
    let closure = "closure in async fn self::futures_select";
    let branch = "closure in closure in async fn self::futures_select";
    waits!(
        outer(futures_select()),
        [OUTER, select, closure, branch, LEFT],
        [OUTER, select, closure, branch, RIGHT, SIGNAL],
    );
}

async fn select_function() -> u32 {
    let (first, second) = (pin!(left()), pin!(right()));
    match at!(select(first, second)).await {
        Either::Left(_) => 1,
        Either::Right(_) => 2,
    }
}

#[test]
fn select_as_a_function() {
    let select = "async fn self::select_function";
    waits!(outer(select_function()), [OUTER, select, LEFT], [OUTER, select, RIGHT, SIGNAL]);
}

async fn join_all() {
    at!(futures::future::join_all([right(), right(), right()])).await;
}

#[test]
fn join_all_of_futures() {
    let stack = [OUTER, "async fn self::join_all", RIGHT, SIGNAL];
    waits!(outer(join_all()), stack, stack, stack);
}

async fn unordered() {
    let mut futures = FuturesUnordered::new();
    futures.extend([right(), right()]);
    while at!(futures.next()).await.is_some() {}
}

#[test]
fn a_sub_executor_is_where_the_trace_ends() {
    // Its children are polled with wakers of its own, so they have none of our stacks.
    waits!(outer(unordered()), [OUTER, "async fn self::unordered"]);
}
