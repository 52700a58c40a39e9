//! Wakers: changing, cached, cloned elsewhere, hostile.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Poll, Wake, Waker};

use bw_core::{TraceHandle, TracedTask, traced};

use crate::harness::{Bell, FOREVER, Gate, Inline, ask, ask_with, only_stack, poll};

#[test]
fn cloned_on_another_thread_during_the_poll() {
    let (task, handle) = traced(poll_fn(|cx| {
        let waker = cx.waker();
        std::thread::scope(|scope| drop(scope.spawn(move || waker.clone()).join().unwrap()));
        drop(waker.clone());
        Poll::<()>::Pending
    }));
    let trace = ask(&handle, pin!(task)).1.unwrap();
    let flags: Vec<_> = trace.stacks().map(|stack| (stack.is_foreign(), stack.is_truncated())).collect();
    assert_eq!(flags, [(true, false), (false, false)]);
    assert!(trace.stacks().all(|stack| stack.len() >= 2));
}

#[test]
#[cfg_attr(bw_every_poll, ignore = "it needs the wake of a request")]
fn waker_changes_at_every_poll() {
    let (task, handle) = traced(Gate::default());
    let mut task = pin!(task);
    for _ in 0..3 {
        let (bell, waker) = Bell::new();
        assert!(poll(task.as_mut(), &waker).is_pending());
        only_stack(&ask_with(&handle, task.as_mut(), &waker).1.unwrap());
        assert_eq!(bell.rings(), 1, "the latest waker is the one that is woken");
    }
    let (bell, waker) = Bell::new();
    assert!(poll(task.as_mut(), &waker).is_pending());
    let (next, next_waker) = Bell::new();
    assert!(poll(task.as_mut(), &next_waker).is_pending());
    drop((waker, next_waker));
    assert_eq!(Arc::strong_count(&bell), 1, "an old waker is let go");
    assert!(Arc::strong_count(&next) > 1);
}

#[test]
#[cfg_attr(bw_every_poll, ignore = "it needs polls that do not record")]
fn a_leaf_that_caches_its_waker_with_will_wake() {
    let cached: Arc<Mutex<Option<Waker>>> = Arc::default();
    let clones = Arc::new(Mutex::new(0));
    let (task, handle) = traced({
        let (cached, clones) = (Arc::clone(&cached), Arc::clone(&clones));
        poll_fn(move |cx| {
            let mut cached = cached.lock().unwrap();
            if !cached.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                *clones.lock().unwrap() += 1;
                *cached = Some(cx.waker().clone());
            }
            Poll::<()>::Pending
        })
    });
    let mut task = pin!(task);
    let (bell, waker) = Bell::new();
    assert!(poll(task.as_mut(), &waker).is_pending());
    assert!(poll(task.as_mut(), &waker).is_pending());
    assert_eq!(*clones.lock().unwrap(), 1);
    only_stack(&ask_with(&handle, task.as_mut(), &waker).1.unwrap());
    assert!(poll(task.as_mut(), &waker).is_pending());
    assert_eq!(*clones.lock().unwrap(), 2, "once for the trace, and not again after it");
    let before = bell.rings();
    cached.lock().unwrap().take().unwrap().wake();
    assert_eq!(bell.rings(), before + 1, "what it keeps is the executor's waker");
}

#[test]
fn a_waker_kept_from_the_traced_poll_keeps_nothing_of_ours() {
    let gate = Gate::default();
    let (task, handle) = traced(gate.clone());
    let mut task = Box::pin(task);
    let (bell, waker) = Bell::new();
    let trace = ask_with(&handle, task.as_mut(), &waker).1.unwrap();
    drop((task, handle, trace));
    let kept = gate.waker().unwrap();
    assert!(kept.will_wake(&waker));
    kept.wake();
    assert_eq!(bell.rings(), 1);
}

#[test]
fn a_flood_of_clones_is_counted_and_the_next_trace_has_more_room() {
    let (task, handle) = traced(poll_fn(|cx| {
        for _ in 0..100_000 {
            drop(cx.waker().clone());
        }
        Poll::<()>::Pending
    }));
    let mut task = pin!(task);
    let mut last = 0;
    for round in 0..4 {
        let trace = ask(&handle, task.as_mut()).1.unwrap();
        let recorded = trace.stacks().count();
        assert_eq!(recorded + trace.dropped(), 100_000);
        assert!(recorded > last || round == 3, "{recorded} after {last}");
        last = recorded;
    }
    assert!(last < 100_000, "bounded");
}

struct Hostile {
    wake: bool,
    drop: bool,
}

impl Wake for Hostile {
    fn wake(self: Arc<Self>) {
        assert!(!self.wake, "a hostile wake");
    }

    fn wake_by_ref(self: &Arc<Self>) {
        assert!(!self.wake, "a hostile wake");
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        assert!(!self.drop, "a hostile drop");
    }
}

#[test]
fn a_task_waker_that_panics_when_woken_does_not_harm_the_requester() {
    let (task, handle) = traced(Gate::default());
    let mut task = pin!(task);
    let hostile = Waker::from(Arc::new(Hostile { wake: true, drop: false }));
    assert!(poll(task.as_mut(), &hostile).is_pending());
    assert!(handle.capture_blocking(std::time::Duration::ZERO).unwrap_err().is_timeout());
    only_stack(&ask(&handle, task).1.unwrap());
}

#[test]
fn a_task_waker_that_panics_when_dropped_does_not_harm_the_task() {
    let gate = Gate::default();
    let (task, handle) = traced({
        let gate = gate.clone();
        async move {
            poll_fn(|_| if gate.waker().is_some() { Poll::Ready(()) } else { Poll::Pending }).await;
            3
        }
    });
    let mut task = pin!(task);
    {
        let hostile = std::mem::ManuallyDrop::new(Waker::from(Arc::new(Hostile { wake: false, drop: true })));
        assert!(poll(task.as_mut(), &hostile).is_pending());
        // The only reference left is the task's own.
        let hostile = std::mem::ManuallyDrop::into_inner(hostile);
        drop(hostile);
    }
    // The poll replaces the hostile waker.
    assert!(poll(task.as_mut(), &Bell::new().1).is_pending());
    let (_, waker) = Bell::new();
    let _ = poll(pin!(gate.clone()), &waker);
    assert_eq!(poll(task, &waker), Poll::Ready(3));
    assert!(handle.capture_blocking(FOREVER).unwrap_err().is_finished());
}

#[test]
#[cfg_attr(bw_every_poll, ignore = "it needs the wake of a request")]
fn an_executor_that_polls_in_its_wake() {
    let gate = Gate::default();
    let (task, handle) = traced(gate.clone());
    let executor = Inline::new(task);
    Arc::clone(&executor).wake();
    only_stack(&handle.capture_blocking(FOREVER).unwrap());
    only_stack(&handle.capture_blocking(FOREVER).unwrap());
    assert_eq!(*executor.polls.lock().unwrap(), 3);
    gate.open();
    assert!(executor.task.lock().unwrap().is_none());
    assert!(handle.capture_blocking(FOREVER).unwrap_err().is_finished());
}

#[test]
#[cfg_attr(bw_every_poll, ignore = "it needs the wake of a request")]
fn a_wake_that_asks_again() {
    struct Asks {
        handle: Mutex<Option<TraceHandle>>,
        done: mpsc::Sender<bool>,
    }
    impl Wake for Asks {
        fn wake(self: Arc<Self>) {
            if let Some(handle) = self.handle.lock().unwrap().take() {
                let error = handle.capture_blocking(std::time::Duration::ZERO).unwrap_err();
                self.done.send(error.is_timeout()).unwrap();
            }
        }
    }
    let (done, asked) = mpsc::channel();
    let (task, handle) = traced(Gate::default());
    let mut task = pin!(task);
    let waker = Waker::from(Arc::new(Asks { handle: Mutex::new(Some(handle.clone())), done }));
    assert!(poll(task.as_mut(), &waker).is_pending());
    assert!(handle.capture_blocking(std::time::Duration::ZERO).unwrap_err().is_timeout());
    assert!(asked.recv_timeout(FOREVER).unwrap());
}

/// Polls the task with another waker when it is woken, then waits until it may return.
struct Replaces {
    task: Mutex<Option<Pin<Box<TracedTask<Gate>>>>>,
    next: Mutex<Option<Waker>>,
    then: Mutex<Box<dyn FnMut() + Send>>,
    rings: Mutex<usize>,
}

impl Wake for Replaces {
    fn wake(self: Arc<Self>) {
        *self.rings.lock().unwrap() += 1;
        if let Some(next) = self.next.lock().unwrap().take() {
            assert!(poll(self.task.lock().unwrap().as_mut().unwrap().as_mut(), &next).is_pending());
        }
        (self.then.lock().unwrap())();
    }
}

#[test]
#[cfg_attr(bw_every_poll, ignore = "it needs the wake of a request")]
fn an_old_waker_does_not_come_back_when_its_replacement_is_lent_out() {
    let (task, handle) = traced(Gate::default());
    let (second_is_out, wait_second_is_out) = mpsc::channel();
    let (first_is_back, wait_first_is_back) = mpsc::channel::<()>();
    // The second waker: when woken, stays away until the first one is back.
    let second = Arc::new(Replaces {
        task: Mutex::new(None),
        next: Mutex::new(None),
        then: Mutex::new(Box::new(move || {
            let _ = second_is_out.send(());
            let _ = wait_first_is_back.recv_timeout(FOREVER);
        })),
        rings: Mutex::new(0),
    });
    // The first one: when woken, the task is polled with the second one, and somebody else wakes that.
    let asks_again = handle.clone();
    let asker = Arc::new(Mutex::new(None));
    let first = Arc::new(Replaces {
        task: Mutex::new(Some(Box::pin(task))),
        next: Mutex::new(Some(Waker::from(Arc::clone(&second)))),
        then: Mutex::new(Box::new({
            let asker = Arc::clone(&asker);
            move || {
                let asks_again = asks_again.clone();
                let ask = move || asks_again.capture_blocking(std::time::Duration::ZERO).is_err();
                *asker.lock().unwrap() = Some(std::thread::spawn(ask));
                wait_second_is_out.recv_timeout(FOREVER).unwrap();
            }
        })),
        rings: Mutex::new(0),
    });
    let waker = Waker::from(Arc::clone(&first));
    assert!(poll(first.task.lock().unwrap().as_mut().unwrap().as_mut(), &waker).is_pending());
    // Lends the first waker, which is replaced and comes back while the second is lent.
    let _ = handle.capture_blocking(std::time::Duration::ZERO);
    drop(first_is_back);
    assert!(asker.lock().unwrap().take().unwrap().join().unwrap());
    // Whoever asks now must wake the second.
    let (first_rings, second_rings) = (*first.rings.lock().unwrap(), *second.rings.lock().unwrap());
    let _ = handle.capture_blocking(std::time::Duration::ZERO);
    assert_eq!(*first.rings.lock().unwrap(), first_rings);
    assert_eq!(*second.rings.lock().unwrap(), second_rings + 1);
}
