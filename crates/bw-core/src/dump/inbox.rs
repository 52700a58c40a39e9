//! Where the answers of a dump arrive.
//!
//! Pollers put answers in, one lock each, and wake the collector only when it has enough to do: when so many are there as
//! it said it waits for. The waker is cloned, woken and dropped outside the lock, as it is other people's code.

use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::request::Answer;
use crate::sync::{Condvar, Mutex, wait};
use crate::wake;

pub(crate) struct Inbox {
    state: Mutex<State>,
    arrived: Condvar,
}

struct State {
    /// Numbers of tasks, and what they said.
    answers: Vec<(u32, Answer)>,
    /// How many answers the collector waits for.
    wanted: usize,
    waker: Option<Waker>,
    /// The deadline has passed.
    expired: bool,
    /// The collector is gone.
    closed: bool,
}

impl Inbox {
    pub(crate) fn new() -> Self {
        let state = State { answers: Vec::new(), wanted: 1, waker: None, expired: false, closed: false };
        Self { state: Mutex::new(state), arrived: Condvar::new() }
    }

    /// Poller: the answer of one task.
    pub(crate) fn answer(&self, number: u32, answer: Answer) {
        let mut state = self.state.lock();
        if state.closed {
            drop(state);
            // Here, outside the lock.
            return drop(answer);
        }
        state.answers.push((number, answer));
        if state.answers.len() >= state.wanted {
            // Once, and not for each that comes until the collector runs.
            state.wanted = usize::MAX;
            let waker = state.waker.take();
            drop(state);
            self.notify(waker);
        }
    }

    /// Timer: the deadline has passed.
    pub(crate) fn expire(&self) {
        let mut state = self.state.lock();
        state.expired = true;
        let waker = state.waker.take();
        drop(state);
        self.notify(waker);
    }

    fn notify(&self, waker: Option<Waker>) {
        self.arrived.notify_all();
        if let Some(waker) = waker {
            wake::wake(waker);
        }
    }

    /// Collector: takes what has arrived. Gives it an empty vector for what comes next.
    pub(super) fn take(&self, empty: Vec<(u32, Answer)>) -> Vec<(u32, Answer)> {
        std::mem::replace(&mut self.state.lock().answers, empty)
    }

    /// Collector: wants to be woken when so many answers are there.
    pub(super) fn want(&self, answers: usize) {
        self.state.lock().wanted = answers;
    }

    pub(super) fn is_expired(&self) -> bool {
        self.state.lock().expired
    }

    /// Collector: no answer is of use any more.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        let rest = (std::mem::take(&mut state.answers), state.waker.take());
        drop(state);
        // Perhaps by a requester that unwinds.
        wake::discard(rest);
    }

    /// Collector that blocks: waits until as many answers as wanted are there. `false` when the deadline has passed, also if
    /// they are: who answers fast enough would keep it going for ever.
    pub(super) fn wait(&self, deadline: Option<Instant>) -> bool {
        let mut state = self.state.lock();
        loop {
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return false;
            }
            if state.answers.len() >= state.wanted || state.wanted == usize::MAX {
                return true;
            }
            wait(&self.arrived, &mut state, deadline);
        }
    }

    /// Collector that is a future: ready when as many answers as wanted are there, or the deadline has passed.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let fresh = cx.waker().clone();
        let mut state = self.state.lock();
        if state.expired || state.wanted == usize::MAX || state.answers.len() >= state.wanted {
            drop(state);
            wake::discard(fresh);
            return Poll::Ready(());
        }
        let stale = state.waker.replace(fresh);
        drop(state);
        wake::discard(stale);
        Poll::Pending
    }
}

#[cfg(all(test, not(bw_loom)))]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::error::CaptureError;

    fn answer() -> Answer {
        Err(CaptureError::finished())
    }

    #[test]
    fn the_collector_is_woken_when_it_has_enough_to_do() {
        let inbox = Inbox::new();
        let mut cx = Context::from_waker(Waker::noop());
        inbox.want(2);
        inbox.answer(7, answer());
        assert!(inbox.poll(&mut cx).is_pending());
        assert!(!inbox.wait(Some(Instant::now())));
        inbox.answer(8, answer());
        assert!(inbox.poll(&mut cx).is_ready());
        assert!(inbox.wait(None));
        let numbers: Vec<_> = inbox.take(Vec::new()).iter().map(|answer| answer.0).collect();
        assert_eq!(numbers, [7, 8]);
    }

    #[test]
    fn an_answer_ends_a_wait() {
        let inbox = Inbox::new();
        std::thread::scope(|scope| {
            scope.spawn(|| inbox.answer(0, answer()));
            assert!(inbox.wait(Some(Instant::now() + Duration::from_secs(60))));
        });
    }

    #[test]
    fn a_closed_inbox_keeps_nothing() {
        let inbox = Inbox::new();
        inbox.answer(0, answer());
        inbox.close();
        inbox.answer(1, answer());
        assert!(inbox.take(Vec::new()).is_empty());
        inbox.expire();
        assert!(inbox.is_expired());
    }
}
