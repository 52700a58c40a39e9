//! Tasks that something may be wrong with, looked at again.

use std::collections::HashSet;
use std::thread;
use std::time::Duration;

use super::Look;
use super::description;
use crate::capture::thread_stack;
use crate::executor::found_task::FoundTask;
use crate::executor::task_state::Activity;
use crate::graph::{Examined, Finding, FindingKind, WaitGraph, edges};
use crate::target::threads::Thread;

/// How long a suspect has to stay as it is.
const STAYS: Duration = Duration::from_millis(200);

/// Something that may be wrong.
pub(super) enum Suspect {
    /// These tasks wait for each other, and so many others for them.
    Ring { tasks: Vec<FoundTask>, stuck_behind: usize },
    /// This task would go on if it were polled.
    GoesOn(FoundTask),
    /// A thread polls this task, and perhaps waits in the kernel.
    Runs(FoundTask),
}

impl Suspect {
    fn tasks(&self) -> usize {
        match self {
            Self::Ring { tasks, .. } => tasks.len(),
            Self::GoesOn(_) | Self::Runs(_) => 1,
        }
    }
}

/// What was seen of a suspect.
struct Seen {
    suspect: Suspect,
    finding: Finding,
    /// The memory that the finding depends on.
    used: Vec<(u64, u64)>,
    /// The thread that waits in the kernel, if the finding depends on it.
    thread: Option<Thread>,
}

impl Look<'_, '_> {
    /// Looks at suspects again, until what is seen of each stays as it is. Returns the findings, and how many tasks changed each time.
    /// `None` if the process has ended.
    pub(super) fn confirmed(&mut self, suspects: Vec<Suspect>) -> Option<(Vec<Finding>, usize)> {
        let mut findings = Vec::new();
        let mut left = suspects;
        for _ in 0..self.limits.attempts.max(1) {
            self.memory.forget();
            let busy = self.busy_runtimes();
            let seen = left.into_iter().filter_map(|suspect| self.again(suspect, &busy)).collect();
            let (same, mut changed) = self.same(seen)?;
            if !same.is_empty() {
                thread::sleep(STAYS);
            }
            let (same, changed_later) = self.same(same)?;
            findings.extend(same.into_iter().map(|seen| seen.finding));
            changed.extend(changed_later);
            left = changed;
            if left.is_empty() {
                break;
            }
        }
        // That a thread which polls a task goes on is as it should be.
        let moving = left.iter().filter(|suspect| !matches!(suspect, Suspect::Runs(_)));
        Some((findings, moving.map(Suspect::tasks).sum()))
    }

    /// Which suspects are as they were seen, and which are not.
    fn same(&self, seen: Vec<Seen>) -> Option<(Vec<Seen>, Vec<Suspect>)> {
        let used: Vec<Vec<(u64, u64)>> = seen.iter().map(|seen| seen.used.clone()).collect();
        let changed = self.memory.changed(&used)?;
        let mut same = Vec::new();
        let mut others = Vec::new();
        for (seen, has_changed) in seen.into_iter().zip(changed) {
            let waits_on = seen.thread.as_ref().is_none_or(|thread| {
                let now = self.examiner.process.target.thread_now(thread.id);
                now.is_some_and(|now| now.waits_at == thread.waits_at)
            });
            if has_changed || !waits_on { others.push(seen.suspect) } else { same.push(seen) }
        }
        Some((same, others))
    }

    /// Looks at a suspect again. `None` if nothing is wrong with it.
    fn again(&mut self, suspect: Suspect, busy: &HashSet<u64>) -> Option<Seen> {
        let (finding, used, thread) = match &suspect {
            Suspect::Ring { tasks, stuck_behind } => {
                let (finding, used) = self.ring(tasks, *stuck_behind)?;
                (finding, used, None)
            }
            Suspect::GoesOn(task) => {
                let Examined::GoesOn(task) = self.examiner.examine(task) else { return None };
                if busy.contains(&task.task.owner) {
                    self.beside_busy += 1;
                    return None;
                }
                let lines = description::awaited_lines(&task.decoded);
                let involved = description::goes_on(&task, lines, self.symbolizer);
                let finding =
                    Finding { kind: FindingKind::MissedWake, tasks: vec![involved], stuck_behind: 0 };
                (finding, task.used, None)
            }
            Suspect::Runs(task) => {
                let Examined::Runs(task) = self.examiner.examine(task) else { return None };
                let (finding, thread) = self.blocks(&task)?;
                (finding, vec![(task.state, 8)], Some(thread))
            }
        };
        Some(Seen { suspect, finding, used, thread })
    }

    fn ring(&mut self, tasks: &[FoundTask], stuck_behind: usize) -> Option<(Finding, Vec<(u64, u64)>)> {
        let mut waiting = Vec::new();
        for task in tasks {
            if let Examined::Waits(task) = self.examiner.examine(task) {
                waiting.push(*task);
            }
        }
        self.examiner.find_holdings(&mut waiting);
        let graph = WaitGraph::new(waiting.len(), edges(&waiting));
        let ring = graph.rings().into_iter().next()?;
        let of_ring = ring.iter().filter_map(|at| waiting.get(*at));
        let used = of_ring.flat_map(|task| task.used.iter().copied()).collect();
        Some((description::ring(&waiting, &graph, &ring, stuck_behind, self.symbolizer), used))
    }

    /// The finding that a task blocks its thread, and the thread. `None` if no thread that polls it waits in the kernel.
    fn blocks(&self, task: &FoundTask) -> Option<(Finding, Thread)> {
        let process = self.examiner.process;
        process.threads.iter().find_map(|thread| {
            let thread = process.target.thread_now(thread.id)?;
            let found = thread_stack::of_task(
                process.target,
                &process.mappings,
                std::slice::from_ref(&thread),
                || &[],
                self.rules,
                task,
                self.limits.frames,
            )?;
            let involved = description::blocks(task, &thread, found.stack?, self.symbolizer)?;
            let kind = FindingKind::BlockedThread;
            Some((Finding { kind, tasks: vec![involved], stuck_behind: 0 }, thread))
        })
    }

    /// The runtimes that have work: they may be about to wake a task.
    fn busy_runtimes(&self) -> HashSet<u64> {
        let tasks = self.examiner.process.tasks.list.tasks.iter().filter(|task| task.is_of_executor());
        let now = tasks.filter_map(|task| task.read_again(self.memory).ok().flatten());
        let is_busy =
            |task: &FoundTask| matches!(task.word.activity(), Activity::Running | Activity::Notified);
        now.filter(is_busy).map(|task| task.owner).collect()
    }
}
