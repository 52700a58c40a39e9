//! Where the children of tasks wait: futures that another future polls with wakers of their own.
//!
//! A waker is used to find out whose child it belongs to: it is woken in the copy, and that ends in waking the task which polls the child,
//! also through other wakers in between. Then the task is polled, once for each child. So the child is polled as its parent polls it, and
//! nothing else of that poll counts: each clone of the child's waker is a place at which the child waits.

use std::collections::{HashMap, HashSet};

use super::emulated_poll::{EmulatedPoll, PollEmulator, PollEnd};
use super::kernel::Woken;
use crate::emulate::Stop;
use crate::executor::child_wakers::ChildWaker;
use crate::executor::found_task::FoundTask;
use crate::executor::runtime_threads::{PollThread, RuntimeThreads};
use crate::target::memory::Memory;
use crate::target::words::word_at;

/// Instructions for waking one child. A wake takes about 200.
const WAKE_INSTRUCTIONS: u64 = 20_000;
/// All children of one task may take as many instructions as so many polls.
const CHILDREN_POLLS: u64 = 10;
/// Wakers of one kind that are tried before the kind is given up, if none of them wakes a task.
const MOST_VAIN: u32 = 64;
/// Tasks that one waker may wake: those that share a future.
const MOST_WOKEN: usize = 64;
/// Bytes of a task's trailer in which its join handle has a waker.
const TRAILER_BYTES: u64 = 64;
/// Where an entry of tokio's `JoinSet` has the handle of its task.
const JOIN_SET_HANDLE: u64 = 24;

/// The children of tasks, by the tasks' headers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Children {
    of_task: HashMap<u64, Vec<ChildWaker>>,
    /// Wakers that wake no task, but perhaps a thread: those of threads, and of the children of what these block on.
    pub(super) of_threads: Vec<(ChildWaker, Woken)>,
}

/// Whether it is the waker with which a `JoinSet` waits for one of its tasks. These are tasks of their own.
fn is_of_join_set(memory: &dyn Memory, waker: &ChildWaker, tasks: &HashMap<u64, &FoundTask>) -> bool {
    let handle = word_at(memory, waker.data.wrapping_add(JOIN_SET_HANDLE)).ok();
    handle.and_then(|header| tasks.get(&header)).is_some_and(|task| {
        let trailer = task.header.saturating_add(task.table.trailer_offset);
        waker.places.iter().any(|place| (trailer..trailer.saturating_add(TRAILER_BYTES)).contains(place))
    })
}

impl PollEmulator<'_> {
    /// Finds out which of these wakers are those of children, and of which tasks. Returns how many instructions that took, which is a
    /// quarter of all that may be emulated at most.
    pub(crate) fn find_children(
        &mut self,
        wakers: &[ChildWaker],
        tasks: &[FoundTask],
        threads: &RuntimeThreads,
    ) -> u64 {
        let tasks: HashMap<u64, &FoundTask> = tasks.iter().map(|task| (task.header, task)).collect();
        let mut vain: HashMap<(u64, bool), u32> = HashMap::new();
        let before = self.machine.executed();
        for waker in wakers {
            let vain = vain.entry((waker.functions.table, waker.table_is_first)).or_default();
            let taken = self.machine.executed() - before;
            // Words that look like a waker of another type, beside the address of a task, are no child of it.
            let is_task = tasks.contains_key(&waker.data);
            if is_task || *vain >= MOST_VAIN || taken >= self.limits.all_instructions / 4 {
                continue;
            }
            let mut woken = HashSet::new();
            let mut of_threads = Woken::default();
            // A thread that uses its own waker does not end its wait.
            for thread in threads.two() {
                self.start_anew(thread);
                woken = self.wake(waker);
                woken.retain(|header| tasks.contains_key(header));
                of_threads.add(self.kernel.woken());
                if !woken.is_empty() || !of_threads.is_empty() {
                    break;
                }
            }
            let is_vain = woken.is_empty() && of_threads.is_empty();
            *vain = if is_vain { *vain + 1 } else { 0 };
            if is_vain || is_of_join_set(self.memory, waker, &tasks) {
                continue;
            }
            if woken.is_empty() {
                self.children.of_threads.push((waker.clone(), of_threads));
            }
            for header in woken {
                self.children.of_task.entry(header).or_default().push(waker.clone());
            }
        }
        self.machine.executed() - before
    }

    /// Adds to the poll of an idle task where its children wait.
    pub(super) fn poll_children(&mut self, task: &FoundTask, thread: PollThread, poll: &mut EmulatedPoll) {
        // A task that goes on by itself, or that cannot be polled at all, says nothing of its children.
        let children = self.children.of_task.get(&task.header).filter(|_| poll.end == PollEnd::Pending);
        let Some(children) = children.cloned() else { return };
        let end = self.machine.executed().saturating_add(CHILDREN_POLLS * self.limits.poll_instructions);
        let mut shown = 0;
        for child in children.iter().take(self.limits.children) {
            if self.machine.executed() >= end {
                break;
            }
            shown += 1;
            if let PollEnd::Incomplete(reason) = self.poll_child(task, child, thread, poll) {
                poll.end =
                    PollEnd::Incomplete(format!("a future that it polls with another waker: {reason}"));
            }
            poll.used.extend(self.machine.memory.used());
        }
        if shown < children.len() {
            poll.end = PollEnd::Incomplete(format!(
                "of the futures that it polls with other wakers, {} of {} are shown",
                shown,
                children.len()
            ));
        }
    }

    /// Polls a task in which one child was woken, and records the child's places.
    fn poll_child(
        &mut self,
        task: &FoundTask,
        child: &ChildWaker,
        thread: PollThread,
        poll: &mut EmulatedPoll,
    ) -> PollEnd {
        let places = child.places.iter().copied();
        let prepared = self.prepare(task, thread).and_then(|()| self.replace_wakers(places, child.functions));
        if let Err(fault) = prepared {
            return PollEnd::Incomplete(fault.to_string());
        }
        // It may have been woken since, or be gone.
        if !self.wake(child).contains(&task.header) {
            return PollEnd::Pending;
        }
        if let Err(fault) = self.enter(task, thread) {
            return PollEnd::Incomplete(fault.to_string());
        }
        let [clone, _, wake, _] = child.functions.functions;
        let mut own = EmulatedPoll::default();
        let end = self.watching(child.data, clone, wake, |emulator| emulator.run(task, &mut own));
        // Where an incomplete poll stopped, too.
        poll.dropped += own.dropped;
        poll.stacks.extend(own.stacks);
        end
    }

    /// Wakes a child in the copy. Returns the headers of the tasks that this woke.
    pub(super) fn wake(&mut self, waker: &ChildWaker) -> HashSet<u64> {
        let mut woken = HashSet::new();
        let [_, _, wake, _] = waker.functions.functions;
        self.place_stack();
        if self.machine.call(wake, &[waker.data], self.space.end).is_err() {
            return woken;
        }
        let end = self.machine.executed() + WAKE_INSTRUCTIONS;
        let traps = std::mem::take(&mut self.wake_traps);
        while woken.len() < MOST_WOKEN {
            let left = end.saturating_sub(self.machine.executed());
            let goes_on = match self.machine.run(&mut self.code, &traps, left) {
                Stop::Trap(at) if at == self.space.end => false,
                Stop::Trap(at) => match self.answers_function(at) {
                    Some(answered) => answered.is_ok(),
                    // The task's own waker. The task is not scheduled: its poll is what comes next.
                    None => {
                        woken.extend(self.machine.cpu.argument(0));
                        self.machine.return_at_once(0).is_ok()
                    }
                },
                Stop::SystemCall { .. } => self.answers_system_call(),
                _ => false,
            };
            if !goes_on {
                break;
            }
        }
        self.wake_traps = traps;
        woken
    }
}
