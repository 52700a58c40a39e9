//! A requester: either one capture request or a task dump, waiting for the next traced poll of a task.

use std::sync::Arc;

use crate::hook::recorded::Outcome;
use crate::task::inbox::Inbox;
use crate::task::request::Request;

/// One who waits.
pub(crate) enum Requester {
    /// For this task alone.
    One(Arc<Request>),
    /// For many; this task is the one of that number.
    Dump(Arc<Inbox>, u32),
}

impl Requester {
    /// May wake whoever waits, whose panics end here.
    pub(crate) fn answer(self, outcome: &Outcome<'_>) {
        match self {
            Self::One(request) => request.answer(outcome.answer()),
            Self::Dump(inbox, number) => inbox.answer(number, outcome),
        }
    }
}

/// All who wait for one task. The first needs no allocation: mostly there is only one.
#[derive(Default)]
pub(crate) struct Requesters {
    first: Option<Requester>,
    rest: Vec<Requester>,
}

impl Requesters {
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none() && self.rest.is_empty()
    }

    pub(crate) fn push(&mut self, requester: Requester) {
        match self.first {
            None => self.first = Some(requester),
            Some(_) => self.rest.push(requester),
        }
    }

    /// Takes one off the list. It is to be dropped outside the lock of the list.
    #[must_use]
    pub(crate) fn remove(&mut self, is_it: impl Fn(&Requester) -> bool) -> Option<Requester> {
        if self.first.as_ref().is_some_and(&is_it) {
            return self.first.take();
        }
        let at = self.rest.iter().position(is_it)?;
        Some(self.rest.swap_remove(at))
    }

    pub(crate) fn answer(self, outcome: &Outcome<'_>) {
        for requester in self.first.into_iter().chain(self.rest) {
            requester.answer(outcome);
        }
    }
}
