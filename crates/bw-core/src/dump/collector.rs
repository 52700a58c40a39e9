//! Asks the tasks of a dump, a window of them at a time, and puts their answers together.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use super::blocked_polls::BlockedPolls;
use super::polling_now::PollingNow;
use crate::task::generation;
use crate::task::inbox::{Inbox, TaskAnswer};
use crate::task::registry::Registry;
use crate::task::requester::Requester;
use crate::task::task_cell::{Loan, Observation, TaskCell};
use crate::thread::thread_slot;
use crate::time::timer;
use crate::trace::id::TaskId;
use crate::trace::name::Name;
use crate::trace::raw_task_dump::{DumpSource, RawTaskDump, tell_types_apart};
use crate::trace::state::TaskState;
use crate::trace::task_filter::TaskFilter;
use crate::trace::task_record::{NoTrace, TaskRecord};

/// Tasks that are put on their lists before the generation is bumped for them, and they are woken.
const CHUNK: usize = 64;

pub(super) struct Collector {
    taken_at: SystemTime,
    began: Instant,
    registered: usize,
    filter: TaskFilter,
    at_once: usize,
    /// What the asking thread polls, if it blocks: none of that can answer.
    ours: Vec<TaskId>,
    /// Those still to be asked.
    ahead: std::vec::IntoIter<Arc<TaskCell>>,
    /// Why nobody is asked, if nobody is.
    asks_nobody: Option<NoTrace>,
    /// The tasks that passed the filter so far, and, of those that are asked and have not answered, the cells.
    records: Vec<TaskRecord>,
    /// For each of them, when its status was looked at.
    seen_at: Vec<Instant>,
    /// Of those that did not pass: how many others poll, and how many nobody has polled.
    left_out: (usize, usize),
    asked: Vec<Option<Arc<TaskCell>>>,
    outstanding: usize,
    inbox: Arc<Inbox>,
    /// The vector that the inbox had before.
    spare: Vec<(u32, TaskAnswer)>,
    /// Between chunks, empty.
    loans: Vec<(u32, Arc<TaskCell>, Loan)>,
}

impl Collector {
    pub(super) fn begin(registry: &Registry, filter: TaskFilter, at_once: usize, blocks: bool) -> Self {
        // For its clock, which stands still in a child that was forked. Without it nothing is lost but times.
        let _ = timer::ensure_running();
        let (taken_at, began) = (SystemTime::now(), Instant::now());
        let cells = registry.cells();
        Self {
            taken_at,
            began,
            registered: cells.len(),
            filter,
            at_once,
            ours: if blocks { thread_slot::polled_here() } else { Vec::new() },
            ahead: cells.into_iter(),
            asks_nobody: None,
            records: Vec::new(),
            seen_at: Vec::new(),
            left_out: (0, 0),
            asked: Vec::new(),
            outstanding: 0,
            inbox: Arc::new(Inbox::new()),
            spare: Vec::new(),
            loans: Vec::new(),
        }
    }

    pub(super) fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    /// Only states, from here on, for that reason.
    pub(super) fn ask_nobody(&mut self, reason: NoTrace) {
        self.asks_nobody = Some(reason);
    }

    /// Takes what has arrived, and asks as many more. Tells whether that was all; otherwise the inbox says when there is
    /// something to do.
    pub(super) fn advance(&mut self) -> bool {
        loop {
            self.drain();
            while self.outstanding < self.at_once && self.ahead.len() > 0 {
                self.ask_chunk();
            }
            if self.outstanding == 0 && self.ahead.len() == 0 {
                return true;
            }
            if self.outstanding > 0 {
                // Half a window, so that the tasks of the other half keep their executors busy meanwhile.
                let wanted = if self.ahead.len() > 0 { self.at_once.div_ceil(2) } else { self.outstanding };
                self.inbox.want(wanted.min(self.outstanding));
                return false;
            }
        }
    }

    fn drain(&mut self) {
        let spare = std::mem::take(&mut self.spare);
        let mut answers = self.inbox.take(spare);
        self.note(answers.drain(..));
        self.spare = answers;
    }

    fn note(&mut self, answers: impl Iterator<Item = (u32, TaskAnswer)>) {
        for (number, answer) in answers {
            let at = number as usize;
            let Some(Some(cell)) = self.asked.get_mut(at).map(Option::take) else { continue };
            let Some(record) = self.records.get_mut(at) else { continue };
            match record.trace {
                // Its first poll came meanwhile. It was not waited for.
                Err(NoTrace::NeverPolled) => {
                    record.status = cell.status();
                    if let Some(seen_at) = self.seen_at.get_mut(at) {
                        *seen_at = Instant::now();
                    }
                }
                _ => self.outstanding -= 1,
            }
            match answer {
                Ok(trace) => {
                    record.trace = Ok(trace);
                    record.polled_by_dump();
                    // Who polls it is who did so just now.
                    (record.parent, record.nested) = cell.parent();
                }
                Err(error) => {
                    record.trace = Err(NoTrace::Over);
                    if let Some(state) = error.state() {
                        record.end(state);
                    }
                }
            }
        }
    }

    fn ask_chunk(&mut self) {
        let now = Instant::now();
        let polling = PollingNow::new();
        let mut loans = std::mem::take(&mut self.loans);
        let most = CHUNK.min(self.at_once - self.outstanding);
        while loans.len() < most
            && let Some(cell) = self.ahead.next()
        {
            let seen = cell.observe(now, |id| polling.of(id));
            if !self.passes(&cell, &seen) {
                self.leave_out(&seen);
                continue;
            }
            let why_not = match &seen.status.state {
                _ if self.asks_nobody.is_some() => self.asks_nobody,
                TaskState::NeverPolled => Some(NoTrace::NeverPolled),
                TaskState::Finished | TaskState::Dropped | TaskState::Panicked => Some(NoTrace::Over),
                TaskState::Polling(_) if self.ours.contains(&cell.id) => Some(NoTrace::AsksItself),
                _ => None,
            };
            // More tasks than 2^32 do not fit into memory; were they to, the rest would be recorded without being asked.
            let number = u32::try_from(self.records.len()).ok();
            let why_not = why_not.or(number.is_none().then_some(NoTrace::NotAsked));
            self.records.push(record(&cell, seen, why_not.unwrap_or(NoTrace::NotPolled)));
            self.seen_at.push(now);
            // One that was never polled is not waited for, but should its first poll come meanwhile, that answers.
            let is_asked = matches!(why_not, None | Some(NoTrace::NeverPolled));
            let Some(number) = number.filter(|_| is_asked) else {
                self.asked.push(None);
                continue;
            };
            self.outstanding += usize::from(why_not.is_none());
            match cell.ask(Requester::Dump(Arc::clone(&self.inbox), number)) {
                Some(loan) => {
                    self.asked.push(None);
                    loans.push((number, cell, loan));
                }
                None => self.asked.push(Some(cell)),
            }
            if self.outstanding >= self.at_once {
                break;
            }
        }
        if !loans.is_empty() {
            generation::bump();
        }
        for (number, cell, loan) in loans.drain(..) {
            cell.wake(loan);
            // Back before answers are looked at. The counter of references is in nobody's cache.
            if let Some(asked) = self.asked.get_mut(number as usize) {
                *asked = Some(cell);
            }
        }
        self.loans = loans;
    }

    fn passes(&self, cell: &TaskCell, seen: &Observation) -> bool {
        self.filter.lets_pass(cell.id, cell.name.as_deref(), &seen.status)
    }

    fn leave_out(&mut self, seen: &Observation) {
        self.left_out.0 += usize::from(seen.nested);
        self.left_out.1 += usize::from(seen.status.state == TaskState::NeverPolled);
    }

    /// Ends it, with what is known.
    pub(super) fn finish(mut self) -> RawTaskDump {
        let (answers, mut traces) = self.inbox.close();
        self.note(answers.into_iter());
        let (now, polling) = (Instant::now(), PollingNow::new());
        // One instant for all ages of a dump, its end: of two tasks the older one is the older one, whenever the dump came to them.
        for (record, seen_at) in self.records.iter_mut().zip(&self.seen_at) {
            record.age_by(now.saturating_duration_since(*seen_at));
        }
        let mut blocked = BlockedPolls::new();
        // Those that did not answer: what they are doing now says why.
        for (record, asked) in self.records.iter_mut().zip(&mut self.asked) {
            if let Some(cell) = asked.take() {
                cell.forget_dump(&self.inbox);
                let status = cell.observe(now, |id| polling.of(id)).status;
                if !status.state.is_over() && record.trace != Err(NoTrace::NeverPolled) {
                    record.status = status;
                    if let Some(trace) = blocked.trace(&cell, polling.of(cell.id), &mut traces) {
                        record.trace = Ok(trace);
                    }
                }
            }
        }
        for cell in std::mem::take(&mut self.ahead) {
            let seen = cell.observe(now, |id| polling.of(id));
            if self.passes(&cell, &seen) {
                self.records.push(record(&cell, seen, NoTrace::NotAsked));
            } else {
                self.leave_out(&seen);
            }
        }
        tell_types_apart(&mut self.records, &mut traces);
        let count = |is_it: fn(&TaskRecord) -> bool| self.records.iter().filter(|task| is_it(task)).count();
        let nested = count(TaskRecord::is_nested) + self.left_out.0;
        let unpolled = count(|task| task.status.state == TaskState::NeverPolled) + self.left_out.1;
        RawTaskDump {
            taken_at: self.taken_at,
            took: now.saturating_duration_since(self.began),
            registered: self.registered,
            nested,
            unpolled,
            alive: None,
            tasks: std::mem::take(&mut self.records),
            traces,
            source: DumpSource::Requests,
            pause: None,
            notes: Vec::new(),
        }
    }
}

/// What is known of a task before it answers.
fn record(cell: &TaskCell, seen: Observation, reason: NoTrace) -> TaskRecord {
    TaskRecord {
        id: cell.id,
        name: cell.name.clone(),
        spawned_at: cell.spawned_at.into(),
        type_name: Some(Name::Static(cell.type_name)),
        parent: seen.parent,
        nested: seen.nested,
        status: seen.status,
        trace: Err(reason),
        incomplete: None,
    }
}

impl Drop for Collector {
    /// Nobody is to keep an inbox that nobody looks into.
    fn drop(&mut self) {
        self.inbox.close();
        for cell in self.asked.drain(..).flatten() {
            cell.forget_dump(&self.inbox);
        }
    }
}
