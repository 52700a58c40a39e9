//! Where the answers of a dump arrive.
//!
//! Pollers put answers in, one lock each, and wake the collector only when it has enough to do: when so many are there as
//! it said it waits for. They say where they wait by number: a trace that the dump has is compared with what was recorded, in
//! the poller's slot, and not copied. The waker is cloned, woken and dropped outside the lock, as it is other people's code.

use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::hook::recorded::Outcome;
use crate::sync::{Condvar, Mutex, wait};
use crate::task::distinct_traces::DistinctTraces;
use crate::task::wake;
use crate::time::timer::Expire;
use crate::trace::error::CaptureError;
use crate::trace::raw_trace::RawTrace;

pub(crate) struct Inbox {
    state: Mutex<State>,
    arrived: Condvar,
}

/// What a task answers: the number of its trace, or why there is none.
pub(crate) type TaskAnswer = Result<u32, CaptureError>;

struct State {
    /// Numbers of tasks, and what they answered.
    answers: Vec<(u32, TaskAnswer)>,
    traces: DistinctTraces,
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
        let state = State {
            answers: Vec::new(),
            traces: DistinctTraces::default(),
            wanted: 1,
            waker: None,
            expired: false,
            closed: false,
        };
        Self { state: Mutex::new(state), arrived: Condvar::new() }
    }

    /// Poller: the answer of one task.
    pub(crate) fn answer(&self, number: u32, outcome: &Outcome<'_>) {
        // Outside the lock, as it looks at every word.
        let hashed = match outcome {
            Outcome::Waits(recorded) => Ok((recorded, recorded.hash())),
            Outcome::Over(error) => Err(error.clone()),
        };
        let mut state = self.state.lock();
        let answer = match hashed {
            Ok((recorded, hash)) => Ok(match state.traces.find(recorded, hash) {
                Some(known) => known,
                None => {
                    drop(state);
                    // Outside the lock again, for the same reason.
                    recorded.trace();
                    state = self.state.lock();
                    if state.closed {
                        return;
                    }
                    state.traces.number(recorded, hash)
                }
            }),
            Err(error) => Err(error),
        };
        if state.closed {
            drop(state);
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

    fn notify(&self, waker: Option<Waker>) {
        self.arrived.notify_all();
        if let Some(waker) = waker {
            wake::wake(waker);
        }
    }

    /// Collector: takes what has arrived. Gives it an empty vector for what comes next.
    pub(crate) fn take(&self, empty: Vec<(u32, TaskAnswer)>) -> Vec<(u32, TaskAnswer)> {
        std::mem::replace(&mut self.state.lock().answers, empty)
    }

    /// Collector: wants to be woken when so many answers are there.
    pub(crate) fn want(&self, answers: usize) {
        self.state.lock().wanted = answers;
    }

    pub(crate) fn is_expired(&self) -> bool {
        self.state.lock().expired
    }

    /// Collector: no answer that comes later is of use. Gives the last ones, and the traces that all of them meant.
    pub(crate) fn close(&self) -> (Vec<(u32, TaskAnswer)>, Vec<RawTrace>) {
        let mut state = self.state.lock();
        state.closed = true;
        let rest = (std::mem::take(&mut state.answers), std::mem::take(&mut state.traces));
        let waker = state.waker.take();
        drop(state);
        // Perhaps by a requester that unwinds.
        wake::discard(waker);
        (rest.0, rest.1.into_distinct())
    }

    /// Collector that blocks: waits until as many answers as wanted are there. `false` when the deadline has passed, also if
    /// they are: who answers fast enough would keep it going for ever.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> bool {
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
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
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

impl Expire for Inbox {
    fn expire(&self) {
        let mut state = self.state.lock();
        state.expired = true;
        let waker = state.waker.take();
        drop(state);
        self.notify(waker);
    }
}

#[cfg(all(test, not(bw_loom)))]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::hook::slot::Slot;

    fn over() -> Outcome<'static> {
        Outcome::Over(CaptureError::finished())
    }

    #[test]
    fn the_collector_is_woken_when_it_has_enough_to_do() {
        let inbox = Inbox::new();
        let mut cx = Context::from_waker(Waker::noop());
        inbox.want(2);
        inbox.answer(7, &over());
        assert!(inbox.poll(&mut cx).is_pending());
        assert!(!inbox.wait(Some(Instant::now())));
        inbox.answer(8, &over());
        assert!(inbox.poll(&mut cx).is_ready());
        assert!(inbox.wait(None));
        let numbers: Vec<_> = inbox.take(Vec::new()).iter().map(|answer| answer.0).collect();
        assert_eq!(numbers, [7, 8]);
    }

    #[test]
    fn an_answer_ends_a_wait() {
        let inbox = Inbox::new();
        std::thread::scope(|scope| {
            scope.spawn(|| inbox.answer(0, &over()));
            assert!(inbox.wait(Some(Instant::now() + Duration::from_secs(60))));
        });
    }

    #[test]
    fn a_closed_inbox_keeps_nothing() {
        let inbox = Inbox::new();
        inbox.answer(0, &over());
        assert_eq!(inbox.close().0.len(), 1);
        inbox.answer(1, &over());
        let slot = Slot::new(16);
        slot.publish(0, &[1]);
        inbox.answer(2, &Outcome::Waits(slot.recorded()));
        assert!(inbox.take(Vec::new()).is_empty());
        assert!(inbox.close().1.is_empty());
        inbox.expire();
        assert!(inbox.is_expired());
    }

    #[test]
    fn equal_traces_have_one_number() {
        let inbox = Inbox::new();
        let slots = [1, 2, 1].map(|word| {
            let slot = Slot::new(16);
            slot.publish(0, &[word]);
            slot
        });
        for (number, slot) in (0..).zip(&slots) {
            inbox.answer(number, &Outcome::Waits(slot.recorded()));
        }
        let (answers, traces) = inbox.close();
        let answer: Vec<_> = answers.into_iter().map(|(number, answer)| (number, answer.unwrap())).collect();
        assert_eq!(answer, [(0, 0), (1, 1), (2, 0)]);
        assert_eq!(traces, [slots[0].recorded().trace(), slots[1].recorded().trace()]);
    }
}
