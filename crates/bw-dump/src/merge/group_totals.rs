//! What is kept of the tasks of a group.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bw_core::{PollingThread, SpawnedAt, TaskRecord, TaskState};

use super::merged_dump::MergedTask;

/// Tasks of a group that are kept: those that have been longest where they are.
const SAMPLES: usize = 10;

/// Places that are kept: the first by name.
const PLACES: usize = 10;

/// Which dump tasks are of.
pub(super) struct DumpName {
    pub(super) number: usize,
    pub(super) name: Arc<str>,
    pub(super) pid: u32,
}

/// What is kept of the tasks of a group: as much of many as of some.
#[derive(Clone, Debug, Default)]
pub(super) struct GroupTotals {
    pub(super) tasks: usize,
    /// The dumps that had some.
    pub(super) processes: Members,
    pub(super) oldest: Option<Duration>,
    pub(super) youngest: Option<Duration>,
    /// How long all of them have been where they are, together.
    pub(super) together: Duration,
    /// How many of them a request polled late; see [`TaskStatus::polled_late`](bw_core::TaskStatus::polled_late).
    pub(super) polled_late: usize,
    pub(super) spawned_at: BTreeSet<SpawnedAt>,
    /// Whether there are more places.
    pub(super) elsewhere: bool,
    pub(super) samples: Vec<MergedTask>,
    pub(super) state: Option<TaskState>,
}

impl GroupTotals {
    /// Adds tasks of one dump. They are in the same state.
    pub(super) fn add(&mut self, of: &DumpName, tasks: &[&TaskRecord]) {
        self.tasks += tasks.len();
        self.processes.insert(of.number);
        for task in tasks {
            self.place(task.spawned_at());
            let in_state = task.status().in_state;
            self.sample(of, task, in_state);
            self.polled_late += usize::from(task.status().polled_late().is_some());
            let Some(in_state) = in_state else { continue };
            self.oldest = Some(self.oldest.map_or(in_state, |oldest| oldest.max(in_state)));
            self.youngest = Some(self.youngest.map_or(in_state, |youngest| youngest.min(in_state)));
            self.together = self.together.saturating_add(in_state);
        }
        self.state = self.state.take().or_else(|| tasks.first().map(|task| anonymous(&task.status().state)));
    }

    fn place(&mut self, at: &SpawnedAt) {
        if self.spawned_at.contains(at) {
            return;
        }
        self.spawned_at.insert(at.clone());
        if self.spawned_at.len() > PLACES {
            self.spawned_at.pop_last();
            self.elsewhere = true;
        }
    }

    fn sample(&mut self, of: &DumpName, task: &TaskRecord, in_state: Option<Duration>) {
        let rank = (Reverse(in_state), &*of.name, task.id());
        let at = self.samples.partition_point(|kept| kept.rank() <= rank);
        if at >= SAMPLES {
            return;
        }
        self.samples.truncate(SAMPLES - 1);
        let name = task.name().map(Into::into);
        let (dump, pid, id) = (Arc::clone(&of.name), of.pid, task.id());
        self.samples.insert(at, MergedTask { dump, pid, id, name, in_state });
    }
}

/// Which of the dumps: a bit for each.
#[derive(Clone, Debug, Default)]
pub(super) struct Members(Vec<u64>);

impl Members {
    fn insert(&mut self, dump: usize) {
        let (word, bit) = (dump / 64, dump % 64);
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << bit;
    }

    pub(super) fn add(&mut self, others: &Self) {
        if self.0.len() < others.0.len() {
            self.0.resize(others.0.len(), 0);
        }
        self.0.iter_mut().zip(&others.0).for_each(|(word, other)| *word |= other);
    }

    pub(super) fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }
}

/// The state without the thread, which is another in each process.
fn anonymous(state: &TaskState) -> TaskState {
    match state {
        TaskState::Polling(_) => TaskState::Polling(PollingThread::elsewhere(None, None)),
        other => other.clone(),
    }
}
