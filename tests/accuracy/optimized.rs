//! What optimization does to the functions of a chain, and what it cannot do.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::sleep;

use crate::harness::{HOUR, at, capture, expected_name, list, name, of_this_program, symbolize, waits};

type Boxed = Pin<Box<dyn Future<Output = ()> + Send>>;

async fn outer(inner: Boxed) {
    at!(inner).await;
}

async fn leaf() {
    at!(sleep(HOUR)).await;
}

#[test]
fn the_users_functions_are_inlined_into_the_root_frame() {
    // Otherwise the other tests would prove nothing about that.
    for trace in capture(leaf) {
        let trace = symbolize(&trace);
        let root = trace.stacks[0].frames.last().expect("a root");
        let is_inlined = root
            .frames
            .iter()
            .any(|frame| name(frame) == Some(&expected_name("async fn accuracy::optimized::leaf")));
        assert_eq!(is_inlined, !cfg!(debug_assertions), "{}", list(&trace.stacks[0]));
    }
}

#[test]
fn no_trace_is_empty_or_loses_user_functions_boxed_or_not() {
    // As it is, boxed, and behind `dyn`: see the harness.
    waits!(leaf(), ["async fn self::leaf"]);
    waits!(outer(Box::pin(leaf())), ["async fn self::outer", "async fn self::leaf"]);
}

/// A future whose poll is nothing but the poll of another one.
struct Forward(Boxed);

impl Future for Forward {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        at!(self.0.as_mut()).poll(context)
    }
}

#[test]
fn a_poll_that_ends_in_another_poll_can_leave_the_stack() {
    // Optimized, it ends in a jump (`jmp *%rcx`, whatever `at!` does before), so while the other poll runs it has no
    // frame: nothing that reads stacks can know of it. A box around it keeps it from being inlined into its caller,
    // where debug information would still name it. This cannot happen to an `async fn`, `async` block or closure: their
    // polls write down their own state after the inner poll returns.
    let chain = [
        "async fn self::outer",
        "<self::Forward as core::future::future::Future>::poll",
        "async fn self::leaf",
    ];
    if cfg!(debug_assertions) {
        waits!(outer(Box::pin(Forward(Box::pin(leaf())))), chain);
    } else {
        // Whether the jump is made is the optimizer's choice, which changes with what is around: without it, the frame is there.
        let jumped = std::panic::catch_unwind(|| {
            waits!(outer(Box::pin(Forward(Box::pin(leaf())))), [chain[0], chain[2]]);
        });
        if jumped.is_err() {
            waits!(outer(Box::pin(Forward(Box::pin(leaf())))), chain);
        }
    }
}

const ABOVE_TWINS: u32 = line!();

async fn first() {
    leaf().await;
}

async fn second() {
    leaf().await;
}

#[test]
fn two_functions_with_one_body_stay_two() {
    // LLVM merges functions with the same instructions. These differ in the location for the panic of a poll after
    // completion.
    let expect = |twin: fn() -> Boxed, expected: (&str, u32)| {
        for trace in capture(|| outer(twin())) {
            let trace = symbolize(&trace);
            let frames = of_this_program(&trace.stacks[0]);
            let line = frames[1].location.as_ref().and_then(|location| location.line);
            let found = (name(frames[1]), line);
            assert_eq!(
                found,
                (Some(&*expected_name(expected.0)), Some(ABOVE_TWINS + expected.1)),
                "{}",
                list(&trace.stacks[0])
            );
        }
    };
    expect(|| Box::pin(first()), ("async fn accuracy::optimized::first", 3));
    expect(|| Box::pin(second()), ("async fn accuracy::optimized::second", 7));
}
