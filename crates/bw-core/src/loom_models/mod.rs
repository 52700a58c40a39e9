//! Models of the protocols, run under loom by `ci/loom`: every interleaving of two or three threads, with a bound on
//! preemptions. A lost wake or request is a deadlock, which loom reports.
//!
//! They drive the real `traced`, `capture`, cell, request and slot. The walk is the real one too, but what it recovers
//! does not matter here: loom's threads are coroutines of one thread.
//!
//! What lies in statics cannot be made of loom's atomics. Two such files are compiled a second time for their models:
//! `poll_stack_model` and `known_modules_model`.

mod known_modules_model;
mod poll_stack_model;

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use loom::future::block_on;
use loom::sync::Mutex;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

use crate::hook::recorded::Outcome;
use crate::hook::slot::Slot;
use crate::task::inbox::Inbox;
use crate::task::request::Request;
use crate::thread::thread_slot;
use crate::trace::raw_trace::header;
use crate::{CaptureError, RawStack, RawTrace, ReturnAddress, TraceHandle, TracedTask, traced};

fn model(f: impl Fn() + Sync + Send + 'static) {
    // Loom's threads are coroutines of this one, and a thread's first poll does not look at the generation: every execution
    // must do the same.
    thread_slot::current_or_register();
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(2));
    builder.check(f);
}

/// A leaf that waits until it is set.
#[derive(Clone)]
struct Event(Arc<Mutex<(bool, Option<Waker>)>>);

impl Event {
    fn new() -> Self {
        Self(Arc::new(Mutex::new((false, None))))
    }

    fn set(&self) {
        let waker = {
            let mut state = self.0.lock().unwrap();
            state.0 = true;
            state.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Future for Event {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.lock().unwrap();
        if state.0 {
            return Poll::Ready(());
        }
        state.1 = Some(cx.waker().clone());
        Poll::Pending
    }
}

fn spawn<F: Future<Output = ()> + Send + 'static>(task: TracedTask<F>) -> thread::JoinHandle<()> {
    thread::spawn(move || block_on(task))
}

fn ask(handle: &TraceHandle) -> Result<RawTrace, CaptureError> {
    block_on(handle.capture().no_timeout())
}

#[test]
fn loom_a_suspended_task_answers_and_then_finishes() {
    model(|| {
        let event = Event::new();
        let (task, handle) = traced(event.clone());
        let task = spawn(task);
        let trace = ask(&handle).unwrap();
        assert_eq!(trace.stacks().count(), 1);
        event.set();
        task.join().unwrap();
        assert!(ask(&handle).unwrap_err().is_finished());
    });
}

#[test]
fn loom_a_request_that_races_with_completion_is_answered() {
    model(|| {
        let event = Event::new();
        let (task, handle) = traced(event.clone());
        let task = spawn(task);
        let setter = thread::spawn(move || event.set());
        match ask(&handle) {
            Ok(trace) => assert_eq!(trace.stacks().count(), 1),
            Err(error) => assert!(error.is_finished()),
        }
        setter.join().unwrap();
        task.join().unwrap();
    });
}

#[test]
fn loom_a_request_that_races_with_drop_is_answered() {
    model(|| {
        let (task, handle) = traced(Event::new());
        let poller = thread::spawn(move || {
            let mut task = Box::pin(task);
            let _ = task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        });
        match ask(&handle) {
            Ok(trace) => assert_eq!(trace.stacks().count(), 1),
            Err(error) => assert!(error.is_dropped()),
        }
        poller.join().unwrap();
    });
}

#[test]
fn loom_two_requesters_are_both_answered() {
    model(|| {
        let event = Event::new();
        let (task, handle) = traced(event.clone());
        let task = spawn(task);
        let other = thread::spawn({
            let handle = handle.clone();
            move || assert!(ask(&handle).is_ok())
        });
        assert!(ask(&handle).is_ok());
        other.join().unwrap();
        event.set();
        task.join().unwrap();
    });
}

/// An executor that hands each poll another waker, of which only the latest wakes.
struct Moving<F> {
    task: Pin<Box<TracedTask<F>>>,
    latest: Option<Arc<Forward>>,
}

struct Forward {
    to: Waker,
    stale: AtomicBool,
}

impl std::task::Wake for Forward {
    fn wake(self: Arc<Self>) {
        if !self.stale.load(Ordering::SeqCst) {
            self.to.wake_by_ref();
        }
    }
}

impl<F> Moving<F> {
    fn new(task: TracedTask<F>) -> Self {
        Self { task: Box::pin(task), latest: None }
    }
}

impl<F: Future> Future for Moving<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let latest = Arc::new(Forward { to: cx.waker().clone(), stale: AtomicBool::new(false) });
        if let Some(before) = self.latest.replace(Arc::clone(&latest)) {
            before.stale.store(true, Ordering::SeqCst);
        }
        self.task.as_mut().poll(&mut Context::from_waker(&Waker::from(latest)))
    }
}

#[test]
fn loom_a_request_that_races_with_a_changed_waker_is_answered() {
    model(|| {
        let event = Event::new();
        let (task, handle) = traced(event.clone());
        let task = thread::spawn(move || block_on(Moving::new(task)));
        assert!(ask(&handle).is_ok());
        assert!(ask(&handle).is_ok());
        event.set();
        task.join().unwrap();
    });
}

#[test]
fn loom_a_withdrawn_request_strands_nobody() {
    model(|| {
        let event = Event::new();
        let (task, handle) = traced(event.clone());
        let task = spawn(task);
        {
            let mut capture = pin!(handle.capture().no_timeout());
            let _ = capture.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
        event.set();
        task.join().unwrap();
    });
}

#[test]
fn loom_a_deadline_and_an_answer_give_one_outcome() {
    model(|| {
        let (task, handle) = traced(Event::new());
        let request = Request::new();
        handle.cell().request(&request);
        let poller = thread::spawn(move || {
            let mut task = Box::pin(task);
            let _ = task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            task
        });
        handle.cell().expire(&request, Duration::ZERO);
        let answer = block_on(std::future::poll_fn(|cx| request.poll(cx)));
        match answer {
            Ok(trace) => assert_eq!(trace.stacks().count(), 1),
            Err(error) => assert!(error.is_timeout()),
        }
        drop(poller.join().unwrap());
    });
}

#[test]
fn loom_a_dump_is_woken_for_the_last_answer_it_waits_for() {
    model(|| {
        let inbox = Arc::new(Inbox::new());
        inbox.want(2);
        let pollers = [1, 2].map(|number| {
            let inbox = Arc::clone(&inbox);
            thread::spawn(move || {
                let slot = Slot::new(4);
                slot.publish(0, &[7]);
                inbox.answer(number, &Outcome::Waits(slot.recorded()));
            })
        });
        block_on(std::future::poll_fn(|cx| inbox.poll(cx)));
        let (answers, traces) = inbox.close();
        assert_eq!(traces.len(), 1, "both wait at the same place");
        assert_eq!(answers.into_iter().map(|(_, said)| said.unwrap()).collect::<Vec<_>>(), [0, 0]);
        for poller in pollers {
            poller.join().unwrap();
        }
    });
}

fn words(stack: RawStack<'_>) -> Vec<usize> {
    stack.addresses().map(ReturnAddress::get).collect()
}

#[test]
fn loom_stacks_published_by_two_threads_are_whole() {
    model(|| {
        let slot = Arc::new(Slot::new(8));
        let writers = [1, 2].map(|word| {
            let slot = Arc::clone(&slot);
            thread::spawn(move || slot.publish(0, &[word, word]))
        });
        for writer in writers {
            writer.join().unwrap();
        }
        let trace = Arc::into_inner(slot).unwrap().finish();
        let mut stacks: Vec<_> = trace.stacks().map(words).collect();
        stacks.sort();
        assert_eq!(stacks, [[1, 1], [2, 2]]);
    });
}

#[test]
fn loom_two_threads_that_compete_for_the_last_room_are_both_accounted_for() {
    model(|| {
        let slot = Arc::new(Slot::new(4));
        let writers = [1, 2].map(|word| {
            let slot = Arc::clone(&slot);
            thread::spawn(move || slot.publish(header::YIELD, &[word, word]))
        });
        for writer in writers {
            writer.join().unwrap();
        }
        let trace = Arc::into_inner(slot).unwrap().finish();
        assert_eq!(trace.stacks().count() + trace.dropped(), 2);
        for stack in trace.stacks() {
            assert!(words(stack) == [1, 1] || words(stack) == [2, 2]);
        }
    });
}

/// Not possible with a borrowed waker; must be garbage-free all the same.
#[test]
fn loom_a_writer_that_is_late_is_counted_and_never_torn() {
    model(|| {
        let slot = Arc::new(Slot::new(8));
        let writer = thread::spawn({
            let slot = Arc::clone(&slot);
            move || slot.publish(0, &[7, 7])
        });
        let early = slot.recorded().trace();
        for stack in early.stacks() {
            assert_eq!(words(stack), [7, 7]);
        }
        assert!(early.stacks().count() + early.dropped() <= 1);
        writer.join().unwrap();
        assert_eq!(slot.recorded().trace().stacks().map(words).collect::<Vec<_>>(), [[7, 7]]);
    });
}
