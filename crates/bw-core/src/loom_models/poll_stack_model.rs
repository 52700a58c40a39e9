//! Who polls what, read while it changes: `thread/poll_stack.rs` with loom's atomics.

use std::sync::Arc;

use loom::sync::atomic::AtomicBool;
use loom::thread;

use self::poll_stack::{Entry, PollStack};
use self::primitives::{AtomicU32, AtomicUsize, Mutex, Ordering};
use crate::loom_models::model;
use crate::time::clock::Tick;
use crate::trace::id::TaskId;
use crate::trace::state::PollingThread;

/// The very file that the crate uses.
#[path = "../thread/poll_stack.rs"]
mod poll_stack;

mod primitives {
    pub(super) use crate::sync::Mutex;
    pub(super) use loom::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
}

const BEFORE: Tick = Tick::new(1);
const NOW: Tick = Tick::new(2);

fn stack() -> Arc<PollStack> {
    let entries = std::array::from_fn(|_| Entry::new(AtomicUsize::new(0), AtomicU32::new(0)));
    Arc::new(PollStack::new(AtomicUsize::new(0), entries, Mutex::new(None)))
}

fn named(name: &str) -> PollingThread {
    PollingThread::elsewhere(Some(name.into()), None)
}

fn task(word: usize) -> TaskId {
    TaskId::from_word(word).unwrap()
}

/// The task, the time and the thread of each poll.
fn read(stack: &PollStack) -> Vec<(TaskId, Tick, PollingThread)> {
    let mut polls = Vec::new();
    stack.each(|task, since, thread, _| polls.push((task, since, thread.clone())));
    polls
}

#[test]
fn loom_a_poll_is_never_seen_after_its_end_nor_with_a_time_before_its_begin() {
    model(|| {
        let (stack, is_over) = (stack(), Arc::new(AtomicBool::new(false)));
        assert!(stack.take_over(&named("poller")));
        let poller = thread::spawn({
            let (stack, is_over) = (Arc::clone(&stack), Arc::clone(&is_over));
            move || {
                let depth = stack.enter(task(1), BEFORE);
                stack.leave(depth);
                is_over.store(true, Ordering::Release);
                let depth = stack.enter(task(2), NOW);
                stack.leave(depth);
            }
        });
        let was_over = is_over.load(Ordering::Acquire);
        for (polled, since, _) in read(&stack) {
            assert!(polled != task(1) || !was_over, "a poll that was over before the read");
            assert!(polled != task(2) || since == NOW, "a time of before the poll began");
        }
        poller.join().unwrap();
        assert_eq!(read(&stack), []);
    });
}

#[test]
fn loom_an_inner_poll_is_never_seen_as_the_outer_one() {
    model(|| {
        let stack = stack();
        assert!(stack.take_over(&named("poller")));
        let poller = thread::spawn({
            let stack = Arc::clone(&stack);
            move || {
                let outer = stack.enter(task(1), BEFORE);
                let inner = stack.enter(task(2), NOW);
                assert_eq!(stack.innermost(), Some(task(2)));
                stack.leave(inner);
                assert_eq!(stack.innermost(), Some(task(1)));
                stack.leave(outer);
            }
        });
        let polls = read(&stack);
        let expected = [(task(1), BEFORE, named("poller")), (task(2), NOW, named("poller"))];
        assert_eq!(polls, expected[..polls.len()]);
        poller.join().unwrap();
    });
}

#[test]
fn loom_who_sees_the_end_of_a_poll_sees_what_it_did() {
    model(|| {
        let (stack, deed) = (stack(), Arc::new(AtomicUsize::new(0)));
        assert!(stack.take_over(&named("poller")));
        let depth = stack.enter(task(1), NOW);
        let reader = thread::spawn({
            let (stack, deed) = (Arc::clone(&stack), Arc::clone(&deed));
            move || assert!(!read(&stack).is_empty() || deed.load(Ordering::Relaxed) == 7)
        });
        deed.store(7, Ordering::Relaxed);
        stack.leave(depth);
        reader.join().unwrap();
    });
}

#[test]
fn loom_a_poll_is_never_said_to_be_of_the_stacks_next_thread() {
    model(|| {
        let stack = stack();
        let threads = thread::spawn({
            let stack = Arc::clone(&stack);
            move || {
                for (number, name) in [(1, "one"), (2, "two")] {
                    assert!(stack.take_over(&named(name)));
                    stack.enter(task(number), NOW);
                    // Without `leave`: a thread that ends in the middle of a poll.
                    stack.give_back();
                }
            }
        });
        for (polled, _, thread) in read(&stack) {
            let expected = if polled == task(1) { "one" } else { "two" };
            assert_eq!(thread.name(), Some(expected));
        }
        threads.join().unwrap();
        assert_eq!(read(&stack), []);
    });
}

#[test]
fn loom_of_two_threads_one_takes_a_vacant_stack_over() {
    model(|| {
        let stack = stack();
        let threads = ["one", "two"].map(|name| {
            let stack = Arc::clone(&stack);
            thread::spawn(move || stack.take_over(&named(name)))
        });
        let took = threads.map(|thread| usize::from(thread.join().unwrap()));
        assert_eq!(took.iter().sum::<usize>(), 1);
    });
}
