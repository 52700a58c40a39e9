//! Requests of tasks that are gone, and tasks whose parent is.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Poll, Waker};

use bw_core::{NoTrace, Registry, TaskState, TraceHandle, TracedTask};
use tokio::runtime::Builder;

use crate::harness::{FOREVER, Gate, on_panic, only_stack, poll};

#[test]
fn a_request_on_a_dropped_finished_aborted_or_panicked_task_returns() {
    let registry = Registry::new();
    let runtime = Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let gates = [Gate::default(), Gate::default()];
    let panics = {
        let gate = gates[1].clone();
        async move {
            gate.await;
            on_panic(|| ());
            panic!("as it should")
        }
    };
    let dropped = registry.tracer().trace(Gate::default());
    let dropped_handle = dropped.handle();
    let mut dropped = Some(Box::pin(dropped));
    assert!(poll(dropped.as_mut().unwrap().as_mut(), Waker::noop()).is_pending());
    let finishes = registry.tracer().trace(gates[0].clone());
    let finished_handle = finishes.handle();
    let aborted = registry.tracer().trace(Gate::default());
    let aborted_handle = aborted.handle();
    let panics = registry.tracer().trace(panics);
    let panicked_handle = panics.handle();
    let joins = [runtime.spawn(finishes), runtime.spawn(aborted), runtime.spawn(panics)];
    for handle in [&finished_handle, &aborted_handle, &panicked_handle] {
        only_stack(&handle.capture_blocking(FOREVER).unwrap());
    }
    let handles = [&dropped_handle, &finished_handle, &aborted_handle, &panicked_handle];
    // Some are asked before. No deadline: only the end can answer where no poll does.
    let ask = |handle: &TraceHandle| runtime.spawn(handle.capture().no_timeout());
    let before = handles.map(ask);
    drop(dropped.take());
    gates.iter().for_each(Gate::open);
    joins[1].abort();
    runtime.block_on(async {
        for join in joins {
            let _ = join.await;
        }
        for answer in before {
            // A trace, if the poll came before the end; and else what the end was.
            let answer = answer.await.unwrap();
            assert!(answer.is_ok() || answer.unwrap_err().state().is_some_and(|state| state.is_over()));
        }
    });
    // And the others after, for ever.
    let states = [TaskState::Dropped, TaskState::Finished, TaskState::Dropped, TaskState::Panicked];
    for (handle, state) in handles.into_iter().zip(states) {
        let awaited = runtime.block_on(handle.capture().no_timeout()).unwrap_err();
        let blocked = handle.capture_blocking(FOREVER).unwrap_err();
        assert_eq!((awaited.state(), blocked.state()), (Some(state.clone()), Some(state)));
    }
    assert!(registry.dump().timeout(FOREVER).blocking().tasks().is_empty());
}

/// A task that polls its child once, and then is dropped without it.
struct Parent<'a> {
    child: Option<&'a mut Pin<Box<TracedTask<Gate>>>>,
}

impl Future for Parent<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<()> {
        self.child.as_mut().map_or(Poll::Ready(()), |child| child.as_mut().poll(cx))
    }
}

#[test]
fn a_child_that_outlives_its_parent_reaches_no_freed_memory() {
    let registry = Registry::new();
    let gate = Gate::default();
    let mut child = Box::pin(registry.tracer().named("child").trace(gate.clone()));
    let handle = child.handle();
    let parent_id = {
        let parent = registry.tracer().named("parent").trace(Parent { child: Some(&mut child) });
        let parent_handle = parent.handle();
        let mut parent = Box::pin(parent);
        let mut capture = pin!(parent_handle.capture().no_timeout());
        assert!(poll(capture.as_mut(), Waker::noop()).is_pending());
        // Its first poll is inside the parent's, which is traced: it is handed the parent's hook.
        assert!(poll(parent.as_mut(), Waker::noop()).is_pending());
        assert!(matches!(poll(capture, Waker::noop()), Poll::Ready(Ok(_))));
        parent_handle.id()
    };
    assert_eq!(handle.parent(), Some(parent_id), "whom it outlives");
    // Everything that looks at the child, the parent or what they shared.
    assert!(registry.get(parent_id).is_none());
    let mut dump = pin!(registry.dump().timeout(FOREVER));
    assert!(poll(dump.as_mut(), Waker::noop()).is_pending());
    let mut child = std::thread::spawn(move || {
        assert!(poll(child.as_mut(), Waker::noop()).is_pending());
        child
    })
    .join()
    .unwrap();
    let Poll::Ready(dump) = poll(dump, Waker::noop()) else { panic!("everybody has answered") };
    // Nobody polls it inside of another's poll any more.
    assert_eq!((dump.tasks().len(), dump.tasks()[0].parent()), (1, None));
    only_stack(dump.trace_of(&dump.tasks()[0]).unwrap());
    let dump = backtrace_waker::TaskDump::new(dump);
    assert!(dump.tree().contains("child") && !dump.to_string().is_empty());
    gate.open();
    assert!(poll(child.as_mut(), Waker::noop()).is_ready());
    drop(child);
    assert_eq!(handle.state(), TaskState::Finished);
    assert!(
        registry
            .dump()
            .timeout(FOREVER)
            .blocking()
            .tasks()
            .iter()
            .all(|task| task.trace() == Err(NoTrace::Over))
    );
}
