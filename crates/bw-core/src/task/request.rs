//! One request for a trace: answered exactly once, by whoever comes first.
//!
//! | state | meaning | left by |
//! |---|---|---|
//! | `Waiting(None)` | nobody waits in a future (yet), or a thread does | `answer`, `withdraw`, `poll` |
//! | `Waiting(Some)` | a future waits; this wakes it | `answer`, `withdraw`, `poll` |
//! | `Answered` | the answer waits to be fetched | `fetch`, `withdraw` |
//! | `Over` | fetched or withdrawn | |
//!
//! Wakers are cloned, woken and dropped outside the lock, because their vtables are other people's code.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::sync::{Condvar, Mutex, wait};
use crate::task::task_cell::TaskCell;
use crate::task::wake;
use crate::time::timer::Expire;
use crate::trace::error::Answer;

/// One request, shared by the requester, the task's list and the timer.
pub(crate) struct Request {
    state: Mutex<State>,
    answered: Condvar,
    /// What to do when the timer says that the timeout has passed. The task's list of requesters holds the request and this
    /// holds the task: the circle ends when the request leaves the list, which every answer and the task's end make sure of.
    expiry: Option<Expiry>,
}

struct Expiry {
    cell: Arc<TaskCell>,
    timeout: Duration,
}

enum State {
    Waiting(Option<Waker>),
    Answered(Answer),
    Over,
}

impl Request {
    /// A request that no timer ends.
    pub(crate) fn new() -> Arc<Self> {
        Self::with(None)
    }

    /// A request to `cell` that the timer ends after `timeout`, if it is [scheduled](crate::time::timer::schedule). The request
    /// itself is what the timer holds, so that a capture allocates once.
    pub(crate) fn expiring(cell: Arc<TaskCell>, timeout: Duration) -> Arc<Self> {
        Self::with(Some(Expiry { cell, timeout }))
    }

    fn with(expiry: Option<Expiry>) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State::Waiting(None)), answered: Condvar::new(), expiry })
    }

    /// Answers, unless somebody did before or the requester is gone. Wakes the requester.
    pub(crate) fn answer(&self, answer: Answer) {
        let mut state = self.state.lock();
        let State::Waiting(waker) = &mut *state else { return };
        let waker = waker.take();
        *state = State::Answered(answer);
        drop(state);
        self.answered.notify_all();
        if let Some(waker) = waker {
            wake::wake(waker);
        }
    }

    /// Fetches the answer for a future, or remembers whom to wake.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<Answer> {
        {
            let mut state = self.state.lock();
            match &*state {
                // `will_wake` compares pointers and calls nobody.
                State::Waiting(Some(waker)) if waker.will_wake(cx.waker()) => return Poll::Pending,
                State::Waiting(_) => {}
                State::Answered(_) | State::Over => {
                    return Self::fetch(&mut state).map_or(Poll::Pending, Poll::Ready);
                }
            }
        }
        let fresh = cx.waker().clone();
        let mut state = self.state.lock();
        let State::Waiting(waker) = &mut *state else {
            // Answered meanwhile.
            let answer = Self::fetch(&mut state);
            drop(state);
            wake::discard(fresh);
            return answer.map_or(Poll::Pending, Poll::Ready);
        };
        let stale = waker.replace(fresh);
        drop(state);
        wake::discard(stale);
        Poll::Pending
    }

    /// Blocks the thread until there is an answer or the deadline has passed; `None` is no deadline.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> Option<Answer> {
        let mut state = self.state.lock();
        loop {
            if let Some(answer) = Self::fetch(&mut state) {
                return Some(answer);
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return None;
            }
            wait(&self.answered, &mut state, deadline);
        }
    }

    /// Ends the request: its requester is gone.
    pub(crate) fn withdraw(&self) {
        let over = std::mem::replace(&mut *self.state.lock(), State::Over);
        // Holds a waker or a trace: dropped here, outside the lock, and perhaps by a requester that unwinds.
        wake::discard(over);
    }

    fn fetch(state: &mut State) -> Option<Answer> {
        match std::mem::replace(state, State::Over) {
            State::Answered(answer) => Some(answer),
            waiting_or_over => {
                *state = waiting_or_over;
                None
            }
        }
    }
}

impl Expire for Request {
    fn expire(&self) {
        if let Some(Expiry { cell, timeout }) = &self.expiry {
            cell.expire(self, *timeout);
        }
    }
}

#[cfg(all(test, not(bw_loom)))]
mod tests {
    use super::*;
    use crate::trace::error::CaptureError;

    #[test]
    fn the_first_answer_wins_and_is_fetched_once() {
        let request = Request::new();
        request.answer(Err(CaptureError::finished()));
        request.answer(Err(CaptureError::dropped()));
        assert!(request.wait(None).unwrap().unwrap_err().is_finished());
        assert!(request.wait(Some(Instant::now())).is_none());
    }

    #[test]
    fn a_deadline_in_the_past_does_not_wait() {
        assert!(Request::new().wait(Some(Instant::now())).is_none());
    }

    #[test]
    fn an_answer_ends_a_wait() {
        let request = Request::new();
        std::thread::scope(|scope| {
            scope.spawn(|| request.answer(Err(CaptureError::dropped())));
            assert!(
                request
                    .wait(Some(Instant::now() + Duration::from_secs(60)))
                    .unwrap()
                    .unwrap_err()
                    .is_dropped()
            );
        });
    }

    #[test]
    fn a_withdrawn_request_takes_no_answer() {
        let request = Request::new();
        request.withdraw();
        request.answer(Err(CaptureError::dropped()));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(request.poll(&mut cx).is_pending());
    }
}
