//! Traced futures inside traced futures.

use std::pin::pin;

use bw_core::{TraceHandle, traced};

use crate::harness::{Bell, Gate, ask, only_stack, poll};

fn two_deep() -> (impl Future<Output = ()>, TraceHandle, TraceHandle, Gate) {
    let gate = Gate::default();
    let (inner, inner_handle) = traced(gate.clone());
    let (outer, outer_handle) = traced(async move {
        inner.await;
    });
    (outer, outer_handle, inner_handle, gate)
}

#[test]
fn nested_traced_futures_do_not_lose_the_outer_one() {
    let (outer, outer_handle, inner_handle, gate) = two_deep();
    let mut outer = pin!(outer);
    let (_, waker) = Bell::new();
    assert!(poll(outer.as_mut(), &waker).is_pending());
    only_stack(&ask(&outer_handle, outer.as_mut()).1.unwrap());
    assert_eq!(inner_handle.parent(), Some(outer_handle.id()));
    assert_eq!(outer_handle.parent(), None);
    gate.open();
    assert!(poll(outer, &waker).is_ready());
}

#[test]
fn the_inner_one_is_asked() {
    let (outer, outer_handle, inner_handle, gate) = two_deep();
    let mut outer = pin!(outer);
    let (_, waker) = Bell::new();
    let inner = only_stack(&ask(&inner_handle, outer.as_mut()).1.unwrap());
    let outer_stack = only_stack(&ask(&outer_handle, outer.as_mut()).1.unwrap());
    assert!(outer_stack.len() > inner.len());
    gate.open();
    assert!(poll(outer, &waker).is_ready());
}

#[test]
fn the_outer_of_two_nested_traced_tasks_asked_together_lives() {
    let (outer, outer_handle, inner_handle, gate) = two_deep();
    let mut outer = pin!(outer);
    let ((_, waker), (_, requester)) = (Bell::new(), Bell::new());
    assert!(poll(outer.as_mut(), &waker).is_pending());
    let mut captures = [&outer_handle, &inner_handle].map(|handle| Box::pin(handle.capture().no_timeout()));
    for capture in &mut captures {
        assert!(poll(capture.as_mut(), &requester).is_pending());
    }
    assert!(poll(outer.as_mut(), &waker).is_pending());
    let [outer_stack, inner_stack] = captures.map(|mut capture| match poll(capture.as_mut(), &requester) {
        std::task::Poll::Ready(answer) => only_stack(&answer.unwrap()),
        std::task::Poll::Pending => panic!("not answered"),
    });
    // The outer one's stack goes on where the inner one's ends.
    let root = inner_stack.last().unwrap();
    assert!(outer_stack.contains(root) && outer_stack.last() != Some(root));
    gate.open();
    assert!(poll(outer, &waker).is_ready());
    assert!(outer_handle.capture_blocking(crate::harness::FOREVER).unwrap_err().is_finished());
    assert!(inner_handle.capture_blocking(crate::harness::FOREVER).unwrap_err().is_finished());
}

#[test]
#[cfg_attr(bw_every_poll, ignore = "it needs the wake of a request")]
fn the_inner_one_keeps_the_executors_waker_and_not_the_outer_ones_hook() {
    let (outer, outer_handle, inner_handle, gate) = two_deep();
    let mut outer = pin!(outer);
    let (bell, waker) = Bell::new();
    let (_, requester) = Bell::new();
    let mut capture = pin!(outer_handle.capture().no_timeout());
    assert!(poll(capture.as_mut(), &requester).is_pending());
    // The inner one's first poll is the outer one's traced poll. One stack: storing the waker records nothing.
    assert!(poll(outer.as_mut(), &waker).is_pending());
    let std::task::Poll::Ready(answer) = poll(capture, &requester) else { panic!("not answered") };
    only_stack(&answer.unwrap());
    assert!(gate.waker().unwrap().will_wake(&waker));
    let mut inner_capture = pin!(inner_handle.capture().no_timeout());
    assert!(poll(inner_capture.as_mut(), &requester).is_pending());
    assert_eq!(bell.rings(), 1, "the executor is woken for the inner one");
}

#[test]
fn fifty_deep_all_asked_at_once() {
    let gate = Gate::default();
    let mut handles = Vec::new();
    let mut task: std::pin::Pin<Box<dyn Future<Output = ()>>> = Box::pin(gate.clone());
    for _ in 0..50 {
        let (outer, handle) = traced(task);
        handles.push(handle);
        task = Box::pin(outer);
    }
    let ((_, waker), (_, requester)) = (Bell::new(), Bell::new());
    let mut captures: Vec<_> = handles.iter().map(|handle| Box::pin(handle.capture().no_timeout())).collect();
    for capture in &mut captures {
        assert!(poll(capture.as_mut(), &requester).is_pending());
    }
    assert!(poll(task.as_mut(), &waker).is_pending());
    for capture in &mut captures {
        assert!(
            matches!(poll(capture.as_mut(), &requester), std::task::Poll::Ready(Ok(trace)) if trace.stacks().count() == 1)
        );
    }
    gate.open();
    assert!(poll(task.as_mut(), &waker).is_ready());
}

#[test]
#[cfg_attr(bw_every_poll, ignore = "it needs the wake of a request")]
fn children_of_a_sub_executor_are_asked_through_it() {
    let gates = [Gate::default(), Gate::default()];
    let (children, handles): (Vec<_>, Vec<_>) = gates.iter().cloned().map(traced).unzip();
    let set: futures::stream::FuturesUnordered<_> = children.into_iter().collect();
    let (task, handle) = traced(async move { futures::StreamExt::collect::<Vec<()>>(set).await.len() });
    let mut task = pin!(task);
    let (_, waker) = Bell::new();
    assert!(poll(task.as_mut(), &waker).is_pending());
    for child in &handles {
        only_stack(&ask(child, task.as_mut()).1.unwrap());
        assert_eq!(child.parent(), Some(handle.id()));
    }
    for gate in gates {
        gate.open();
    }
    assert_eq!(poll(task, &waker), std::task::Poll::Ready(2));
}
