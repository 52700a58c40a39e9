//! Who is whose child, and which traced futures are tasks of their own.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use bw_core::{Registry, TaskFilter, TaskState, TracedTask};

use crate::harness::{Bell, FOREVER, Gate, ask, poll};

type Shared = Arc<Mutex<Pin<Box<TracedTask<Gate>>>>>;

/// A task that polls the child whenever it is polled.
fn parent(registry: &Registry, child: &Shared) -> TracedTask<impl Future<Output = ()> + use<>> {
    let child = Arc::clone(child);
    registry.tracer().trace(poll_fn(move |cx| child.lock().unwrap().as_mut().poll(cx)))
}

#[test]
#[cfg_attr(bw_every_poll, ignore = "it needs polls that do not record")]
fn a_child_that_moves_is_the_child_of_who_polled_it_when_it_was_asked() {
    let registry = Registry::new();
    let child = registry.tracer().trace(Gate::default());
    let handle = child.handle();
    let child: Shared = Arc::new(Mutex::new(Box::pin(child)));
    let (old, new) = (parent(&registry, &child), parent(&registry, &child));
    let (old_id, new_id) = (old.handle().id(), new.handle().id());
    let (mut old, mut new) = (pin!(old), pin!(new));
    assert_eq!((handle.parent(), handle.is_nested()), (None, false));
    assert!(poll(old.as_mut(), Waker::noop()).is_pending());
    assert_eq!((handle.parent(), handle.is_nested()), (Some(old_id), true));
    // By the same waker, as a sub-executor would that is moved with its children: nothing is looked at.
    assert!(poll(new.as_mut(), Waker::noop()).is_pending());
    assert_eq!(handle.parent(), Some(old_id));
    ask(&handle, new.as_mut()).1.unwrap();
    assert_eq!((handle.parent(), handle.is_nested()), (Some(new_id), true));
    // And away from both, to be a task of its own.
    ask(&handle, child.lock().unwrap().as_mut()).1.unwrap();
    assert_eq!((handle.parent(), handle.is_nested()), (None, false));
}

#[test]
fn a_dump_has_the_parent_of_the_poll_that_answered_it() {
    let registry = Registry::new();
    let child = registry.tracer().trace(Gate::default());
    let handle = child.handle();
    let child: Shared = Arc::new(Mutex::new(Box::pin(child)));
    let (mut old, mut new) = (Box::pin(parent(&registry, &child)), Box::pin(parent(&registry, &child)));
    assert!(poll(old.as_mut(), Waker::noop()).is_pending());
    drop(old);
    let new_id = new.handle().id();
    let only_child = TaskFilter::new().id(handle.id());
    let mut dump = pin!(registry.dump().only(only_child).timeout(FOREVER));
    assert!(poll(dump.as_mut(), &Bell::new().1).is_pending());
    assert!(poll(new.as_mut(), Waker::noop()).is_pending());
    let Poll::Ready(dump) = poll(dump, Waker::noop()) else { panic!("it was polled") };
    assert_eq!((dump.tasks()[0].parent(), dump.tasks()[0].is_nested()), (Some(new_id), true));
}

#[test]
fn the_task_that_wrapped_another_is_its_parent_when_nobody_polls_it() {
    let registry = Registry::new();
    let spawned = Mutex::new(None);
    let spawner = registry.tracer().trace(poll_fn(|_| {
        spawned.lock().unwrap().get_or_insert_with(|| registry.tracer().trace(Gate::default()));
        Poll::<()>::Pending
    }));
    let spawner_handle = spawner.handle();
    let mut spawner = pin!(spawner);
    assert!(poll(spawner.as_mut(), Waker::noop()).is_pending());
    let spawned = spawned.lock().unwrap().take().unwrap();
    let handle = spawned.handle();
    assert_eq!((handle.parent(), handle.is_nested()), (Some(spawner_handle.id()), false));
    let child: Shared = Arc::new(Mutex::new(Box::pin(spawned)));
    let other = parent(&registry, &child);
    let other_id = other.handle().id();
    assert!(poll(pin!(other), Waker::noop()).is_pending());
    assert_eq!((handle.parent(), handle.is_nested()), (Some(other_id), true));
    ask(&handle, child.lock().unwrap().as_mut()).1.unwrap();
    assert_eq!((handle.parent(), handle.is_nested()), (Some(spawner_handle.id()), false));
}

#[test]
fn nested_and_unpolled_futures_are_counted_whether_they_pass_the_filter_or_not() {
    let registry = Registry::new();
    let child = registry.tracer().trace(Gate::default());
    let child: Shared = Arc::new(Mutex::new(Box::pin(child)));
    let mut outer = Box::pin(parent(&registry, &child));
    let _unborn = registry.tracer().trace(Gate::default());
    assert!(poll(outer.as_mut(), Waker::noop()).is_pending());
    let filters = [
        TaskFilter::new(),
        TaskFilter::new().state(&TaskState::NeverPolled),
        TaskFilter::new().name_contains("nobody"),
    ];
    for (filter, tasks) in filters.into_iter().zip([3, 1, 0]) {
        let dump = registry.dump().only(filter).timeout(std::time::Duration::ZERO).blocking();
        assert_eq!(dump.tasks().len(), tasks);
        assert_eq!((dump.registered(), dump.nested(), dump.unpolled()), (3, 1, 1));
    }
}
