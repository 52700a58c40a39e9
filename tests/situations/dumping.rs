//! All tasks of a registry at once.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, mpsc};
use std::task::{Poll, Wake, Waker};
use std::time::Duration;

use bw_core::{NoTrace, RawTaskDump, Registry, TaskFilter, TaskRecord, TaskState, TracedTask};

use crate::harness::{Bell, FOREVER, Gate, Inline, only_stack, poll};

/// Polls the dump, the tasks, and so on, until the dump is there.
fn dump_of<F: Future>(dump: bw_core::DumpFuture, tasks: &mut [Pin<Box<TracedTask<F>>>]) -> RawTaskDump {
    let mut dump = pin!(dump.timeout(FOREVER));
    for _ in 0..1_000 {
        if let Poll::Ready(dump) = poll(dump.as_mut(), &Bell::new().1) {
            return dump;
        }
        for task in tasks.iter_mut() {
            assert!(poll(task.as_mut(), Waker::noop()).is_pending());
        }
    }
    panic!("the dump did not end");
}

fn suspended(registry: &Registry, count: usize) -> Vec<Pin<Box<TracedTask<Gate>>>> {
    let tasks = (0..count).map(|_| Box::pin(registry.tracer().trace(Gate::default())));
    tasks
        .map(|mut task| {
            assert!(poll(task.as_mut(), Waker::noop()).is_pending());
            task
        })
        .collect()
}

fn why(dump: &RawTaskDump) -> Vec<Option<NoTrace>> {
    dump.tasks().iter().map(|task| task.trace().err()).collect()
}

#[test]
#[cfg_attr(bw_every_poll, ignore = "it needs the wake of a request")]
fn an_older_task_is_never_shown_younger_than_a_newer_one_that_did_not_answer() {
    let registry = Registry::new();
    let older = Inline::new(registry.tracer().named("older").trace(Gate::default()));
    Waker::from(Arc::clone(&older)).wake();
    // The clock has ticks of 100 ms.
    while registry.look(&TaskFilter::new()).tasks()[0].status().age < Some(Duration::from_millis(400)) {
        std::thread::yield_now();
    }
    let mut newer = Box::pin(registry.tracer().named("newer").trace(Gate::default()));
    assert!(poll(newer.as_mut(), Waker::noop()).is_pending());
    // The older one answers at once, the newer one when the dump's second is over: not at all.
    let dump = registry.dump().timeout(Duration::from_secs(1)).blocking();
    let status = |name: &str| {
        let task = dump.tasks().iter().find(|task| task.name() == Some(name)).unwrap();
        task.status().clone()
    };
    let (old, new) = (status("older"), status("newer"));
    assert_eq!((&old.state, &new.state), (&TaskState::Suspended, &TaskState::Woken));
    assert!(old.age >= new.age.map(|age| age + Duration::from_millis(200)), "{old:?} {new:?}");
    assert!(old.in_state >= new.in_state, "{old:?} {new:?}");
    // What did not answer was woken when the dump began.
    assert!(new.in_state >= Some(Duration::from_millis(900)), "{new:?}");
    drop(older);
}

#[test]
fn every_task_answers_and_equal_traces_are_kept_once() {
    let registry = Registry::new();
    let mut tasks = suspended(&registry, 300);
    let dump = dump_of(registry.dump(), &mut tasks);
    assert_eq!((dump.tasks().len(), dump.registered(), dump.is_partial()), (300, 300, false));
    assert!(dump.tasks().is_sorted_by_key(TaskRecord::id));
    assert_eq!(dump.traces().len(), 1, "all wait at the same place");
    for task in dump.tasks() {
        assert_eq!(task.status().state, TaskState::Suspended);
        assert_eq!(task.status().polls, 1);
        only_stack(dump.trace_of(task).unwrap());
        assert_eq!(task.spawned_at().file(), file!());
    }
}

#[test]
#[cfg_attr(bw_every_poll, ignore = "it needs the wake of a request")]
fn no_more_than_so_many_are_asked_at_once() {
    let registry = Registry::new();
    let bells: Vec<_> = (0..20).map(|_| Bell::new()).collect();
    let mut tasks: Vec<_> =
        bells.iter().map(|_| Box::pin(registry.tracer().trace(Gate::default()))).collect();
    for (task, (_, waker)) in tasks.iter_mut().zip(&bells) {
        assert!(poll(task.as_mut(), waker).is_pending());
    }
    let woken = || bells.iter().filter(|(bell, _)| bell.rings() > 0).count();
    let mut dump = pin!(registry.dump().at_once(6).timeout(FOREVER));
    let (collector, collector_waker) = Bell::new();
    assert!(poll(dump.as_mut(), &collector_waker).is_pending());
    assert_eq!(woken(), 6);
    for (task, (_, waker)) in tasks.iter_mut().zip(&bells).take(2) {
        assert!(poll(task.as_mut(), waker).is_pending());
    }
    assert_eq!(collector.rings(), 0, "not worth the collector's while");
    assert!(poll(tasks[2].as_mut(), &bells[2].1).is_pending());
    assert_eq!(collector.rings(), 1, "half of them have answered");
    assert!(poll(dump.as_mut(), &collector_waker).is_pending());
    assert_eq!(woken(), 9);
    // None waits for itself alone: one at a time ends as well.
    let dump = dump_of(registry.dump().at_once(0), &mut tasks);
    assert!(!dump.is_partial());
    assert_eq!(dump.tasks().len(), 20);
}

#[test]
fn a_task_that_was_never_polled_is_not_waited_for() {
    let registry = Registry::new();
    let unborn = registry.tracer().named("unborn").trace(Gate::default());
    let dump = registry.dump().timeout(FOREVER).blocking();
    assert_eq!(why(&dump), [Some(NoTrace::NeverPolled)]);
    assert_eq!((dump.tasks()[0].id(), dump.tasks()[0].name()), (unborn.handle().id(), Some("unborn")));
    assert!(!dump.is_partial());
}

#[test]
fn a_task_whose_first_poll_comes_during_the_dump_answers_it() {
    let registry = Registry::new();
    let mut old = Box::pin(registry.tracer().trace(Gate::default()));
    assert!(poll(old.as_mut(), Waker::noop()).is_pending());
    let mut young = Box::pin(registry.tracer().trace(Gate::default()));
    let mut ready = Box::pin(registry.tracer().trace(std::future::ready(())));
    let _unborn = registry.tracer().trace(Gate::default());
    let mut dump = pin!(registry.dump().timeout(FOREVER));
    assert!(poll(dump.as_mut(), Waker::noop()).is_pending());
    assert!(poll(young.as_mut(), Waker::noop()).is_pending());
    assert!(poll(ready.as_mut(), Waker::noop()).is_ready());
    // Nobody waited for these two.
    assert!(poll(dump.as_mut(), Waker::noop()).is_pending());
    assert!(poll(old.as_mut(), Waker::noop()).is_pending());
    let Poll::Ready(dump) = poll(dump, Waker::noop()) else { panic!("whoever was waited for has answered") };
    let states: Vec<_> = dump.tasks().iter().map(|task| task.status().state.clone()).collect();
    use TaskState::{Finished, NeverPolled, Suspended};
    assert_eq!(states, [Suspended, Suspended, Finished, NeverPolled]);
    assert_eq!(why(&dump), [None, None, Some(NoTrace::Over), Some(NoTrace::NeverPolled)]);
    assert_eq!((dump.tasks()[1].status().polls, dump.unpolled(), dump.is_partial()), (1, 1, false));
    // And nobody is asked any more.
    let before = young.handle();
    assert!(poll(young.as_mut(), Waker::noop()).is_pending());
    assert_eq!(before.status().polls, 2);
}

#[test]
fn no_tasks_make_an_empty_dump() {
    let dump = Registry::new().dump().timeout(FOREVER).blocking();
    assert!(dump.tasks().is_empty() && !dump.is_partial());
}

#[test]
fn who_does_not_answer_by_the_deadline_is_there_with_its_state() {
    let registry = Registry::new();
    let mut tasks = suspended(&registry, 3);
    let dump = registry.dump().at_once(2).timeout(Duration::ZERO).blocking();
    assert!(dump.is_partial());
    assert_eq!(why(&dump), [Some(NoTrace::NotPolled), Some(NoTrace::NotPolled), Some(NoTrace::NotAsked)]);
    let states: Vec<_> = dump.tasks().iter().map(|task| task.status().state.clone()).collect();
    assert_eq!(states, [TaskState::Woken, TaskState::Woken, TaskState::Suspended]);
    // Nobody takes harm, and the next dump is whole.
    assert!(!dump_of(registry.dump(), &mut tasks).is_partial());
    let asynchronous = futures::executor::block_on(registry.dump().timeout(Duration::from_millis(1)));
    assert!(asynchronous.is_partial());
}

#[test]
#[cfg_attr(bw_every_poll, ignore = "it needs the wake of a request")]
fn a_dump_ends_by_its_deadline_however_fast_its_tasks_answer() {
    let registry = Registry::new();
    let tasks: Vec<_> = (0..20).map(|_| Inline::new(registry.tracer().trace(Gate::default()))).collect();
    for task in &tasks {
        Arc::clone(task).wake();
    }
    // Whoever is asked has answered when the dump comes to look.
    let dump = registry.dump().at_once(1).timeout(Duration::ZERO).blocking();
    assert_eq!(why(&dump)[..2], [None, Some(NoTrace::NotAsked)]);
    assert!(dump.is_partial());
    assert!(!registry.dump().at_once(1).timeout(FOREVER).blocking().is_partial());
    // Each waits with a waker that holds it.
    for task in tasks {
        drop(task.task.lock().unwrap().take());
    }
}

#[test]
fn no_dump_deadlocks_because_a_task_ended_during_it() {
    let registry = Registry::new();
    let gate = Gate::default();
    let mut finishes = Box::pin(registry.tracer().trace(gate.clone()));
    let mut is_dropped = Some(Box::pin(registry.tracer().trace(Gate::default())));
    for task in [&mut finishes, is_dropped.as_mut().unwrap()] {
        assert!(poll(task.as_mut(), Waker::noop()).is_pending());
    }
    let mut dump = pin!(registry.dump().timeout(FOREVER));
    assert!(poll(dump.as_mut(), Waker::noop()).is_pending());
    gate.open();
    assert!(poll(finishes.as_mut(), Waker::noop()).is_ready());
    drop(is_dropped.take());
    let Poll::Ready(dump) = poll(dump, Waker::noop()) else { panic!("everybody has answered") };
    assert_eq!(why(&dump), [Some(NoTrace::Over); 2]);
    let states: Vec<_> = dump.tasks().iter().map(|task| task.status().state.clone()).collect();
    assert_eq!(states, [TaskState::Finished, TaskState::Dropped]);
    assert!(!dump.is_partial());
    assert!(registry.is_empty());
}

#[test]
fn a_filter_leaves_the_others_alone() {
    let registry = Registry::new();
    let (bell, waker) = Bell::new();
    let mut conn = Box::pin(registry.tracer().named("conn 17").trace(Gate::default()));
    let mut other = Box::pin(registry.tracer().named("other").trace(Gate::default()));
    let _unpolled = registry.tracer().trace(Gate::default());
    assert!(poll(conn.as_mut(), Waker::noop()).is_pending());
    assert!(poll(other.as_mut(), &waker).is_pending());
    let names = |filter: TaskFilter| {
        let dump = registry.dump().only(filter).timeout(Duration::ZERO).blocking();
        assert_eq!(dump.registered(), 3);
        dump.tasks().iter().map(|task| task.name().unwrap_or("-").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(TaskFilter::new().name_contains("conn")), ["conn 17"]);
    assert_eq!(bell.rings(), 0, "who does not pass is not woken");
    assert_eq!(names(TaskFilter::new().state(&TaskState::NeverPolled)), ["-"]);
    assert_eq!(names(TaskFilter::new().id(conn.handle().id())), ["conn 17"]);
    assert_eq!(names(TaskFilter::new().older_than(FOREVER)), [] as [String; 0]);
    assert_eq!(names(TaskFilter::new().in_state_for(FOREVER)), [] as [String; 0]);
    assert_eq!(names(TaskFilter::new().name_contains("o").state(&TaskState::Suspended)), ["other"]);
    assert_eq!(names(TaskFilter::new()), ["conn 17", "other", "-"]);
}

#[test]
fn two_dumps_at_once_are_both_whole() {
    let registry = Registry::new();
    let mut tasks = suspended(&registry, 5);
    let mut first = pin!(registry.dump().timeout(FOREVER));
    let mut second = pin!(registry.dump().timeout(FOREVER));
    assert!(poll(first.as_mut(), Waker::noop()).is_pending());
    assert!(poll(second.as_mut(), Waker::noop()).is_pending());
    for task in &mut tasks {
        assert!(poll(task.as_mut(), Waker::noop()).is_pending());
    }
    for dump in [first, second] {
        let Poll::Ready(dump) = poll(dump, Waker::noop()) else { panic!("everybody was polled") };
        assert!(why(&dump).iter().all(Option::is_none));
    }
}

#[test]
fn a_dump_and_who_asks_one_of_its_tasks_share_the_poll() {
    let registry = Registry::new();
    let task = registry.tracer().trace(Gate::default());
    let handle = task.handle();
    let mut task = Box::pin(task);
    assert!(poll(task.as_mut(), Waker::noop()).is_pending());
    let mut dump = pin!(registry.dump().timeout(FOREVER));
    let mut capture = pin!(handle.capture().timeout(FOREVER));
    assert!(poll(dump.as_mut(), Waker::noop()).is_pending());
    assert!(poll(capture.as_mut(), Waker::noop()).is_pending());
    assert!(poll(task.as_mut(), Waker::noop()).is_pending());
    let Poll::Ready(dump) = poll(dump, Waker::noop()) else { panic!("it was polled") };
    let Poll::Ready(trace) = poll(capture, Waker::noop()) else { panic!("it was polled") };
    let trace = trace.unwrap();
    only_stack(&trace);
    assert_eq!(dump.traces(), [trace]);
}

#[test]
fn tasks_that_wait_at_different_places_have_different_traces() {
    async fn here(gate: Gate) {
        gate.await;
    }
    async fn there(gate: Gate) {
        gate.await;
        std::hint::black_box(());
    }
    let registry = Registry::new();
    let place = |number: usize| -> Pin<Box<dyn Future<Output = ()>>> {
        if number.is_multiple_of(2) {
            Box::pin(here(Gate::default()))
        } else {
            Box::pin(there(Gate::default()))
        }
    };
    let mut tasks: Vec<_> = (0..10).map(|number| Box::pin(registry.tracer().trace(place(number)))).collect();
    for task in &mut tasks {
        assert!(poll(task.as_mut(), Waker::noop()).is_pending());
    }
    // In two windows, so that the second finds what the first has left.
    let dump = dump_of(registry.dump().at_once(5), &mut tasks);
    assert_eq!(dump.traces().len(), 2);
    let of: Vec<_> = dump.tasks().iter().map(|task| task.trace().unwrap()).collect();
    assert_ne!(of[0], of[1]);
    assert!(of.iter().skip(2).zip(&of).all(|(later, earlier)| later == earlier), "{of:?}");
}

#[test]
fn a_dump_that_is_dropped_leaves_nothing_behind() {
    let registry = Registry::new();
    let mut tasks = suspended(&registry, 3);
    {
        let mut dump = pin!(registry.dump().timeout(FOREVER));
        assert!(poll(dump.as_mut(), Waker::noop()).is_pending());
    }
    let before = bw_core::counters().captures;
    for task in &mut tasks {
        assert!(poll(task.as_mut(), Waker::noop()).is_pending());
    }
    // Other tests capture meanwhile, but not these tasks: a dump would find them polled, not traced.
    let dump = dump_of(registry.dump(), &mut tasks);
    assert!(dump.tasks().iter().all(|task| task.status().polls == 2), "nobody was asked: these polls count");
    assert!(bw_core::counters().captures >= before + 3);
}

#[test]
fn asked_from_inside_a_traced_task_by_a_thread_that_blocks() {
    let registry = Registry::new();
    let asked = Cell::new(None);
    let inside = registry.tracer().named("asks").trace(poll_fn(|_| {
        let dump = registry.dump().only(TaskFilter::new().name_contains("asks")).timeout(FOREVER);
        asked.set(Some(dump.blocking()));
        Poll::<()>::Pending
    }));
    let mut inside = pin!(inside);
    assert!(poll(inside.as_mut(), Waker::noop()).is_pending());
    let dump = asked.take().unwrap();
    assert_eq!(why(&dump), [Some(NoTrace::AsksItself)]);
    assert!(matches!(dump.tasks()[0].status().state, TaskState::Polling(_)));
}

#[test]
#[cfg_attr(bw_every_poll, ignore = "it needs the wake of a request")]
fn asked_from_inside_a_traced_task_that_awaits_it() {
    let registry = Registry::new();
    let _others = suspended(&registry, 1);
    let inside = {
        let registry = registry.clone();
        async move { registry.dump().only(TaskFilter::new().name_contains("asks")).timeout(FOREVER).await }
    };
    // Awaiting a dump, the task waits like any other, and answers: it is woken for that, and its executor polls it.
    let mut inside = pin!(registry.tracer().named("asks").trace(inside));
    let (bell, waker) = Bell::new();
    let mut rung = 0;
    let dump = loop {
        if let Poll::Ready(dump) = poll(inside.as_mut(), &waker) {
            break dump;
        }
        assert!(bell.rings() > rung, "nobody would poll it again");
        rung = bell.rings();
    };
    assert_eq!(dump.tasks().len(), 1);
    only_stack(dump.trace_of(&dump.tasks()[0]).unwrap());
}

#[test]
fn a_poll_that_blocks_is_shown_with_its_thread() {
    let registry = Registry::new();
    let (started, wait_started) = mpsc::channel();
    let (release, wait_release) = mpsc::channel::<()>();
    let task = registry.tracer().trace(async move {
        started.send(()).unwrap();
        wait_release.recv().unwrap();
    });
    let thread = std::thread::Builder::new().name("the blocked one".into());
    let thread = thread.spawn(move || poll(pin!(task), Waker::noop()).is_ready()).unwrap();
    wait_started.recv_timeout(FOREVER).unwrap();
    let dump = registry.dump().timeout(Duration::from_millis(1)).blocking();
    let TaskState::Polling(polling) = &dump.tasks()[0].status().state else { panic!("{dump:?}") };
    assert_eq!((polling.name(), polling.id()), (Some("the blocked one"), Some(thread.thread().id())));
    // No answer of its own. Where its thread can be seen, and waits already, it has that thread's stack.
    match dump.trace_of(&dump.tasks()[0]) {
        Some(trace) => assert!(trace.stacks().all(|stack| stack.is_blocked()), "{dump:?}"),
        None => assert_eq!(why(&dump), [Some(NoTrace::NotPolled)]),
    }
    release.send(()).unwrap();
    assert!(thread.join().unwrap());
}

#[test]
fn a_child_is_the_task_in_whose_poll_it_is_polled_or_else_was_wrapped() {
    let registry = Registry::new();
    let inner = registry.tracer().trace(Gate::default());
    let inner_handle = inner.handle();
    let spawned = Cell::new(None);
    let outer = registry.tracer().trace(async {
        spawned.set(Some(registry.tracer().trace(Gate::default())));
        inner.await;
    });
    let outer_handle = outer.handle();
    let mut outer = pin!(outer);
    assert_eq!(inner_handle.parent(), None);
    assert!(poll(outer.as_mut(), Waker::noop()).is_pending());
    assert_eq!(inner_handle.parent(), Some(outer_handle.id()));
    let spawned = spawned.take().unwrap();
    let spawned_handle = spawned.handle();
    assert!(poll(pin!(spawned), Waker::noop()).is_pending());
    assert_eq!(spawned_handle.parent(), Some(outer_handle.id()));
    assert_eq!(outer_handle.parent(), None);
}
