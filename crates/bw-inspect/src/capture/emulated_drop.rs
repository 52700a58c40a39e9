//! What dropping a task would let go, found by running the task's own drop glue over a copy of the memory.
//!
//! A guard that was moved elsewhere still looks like a guard where it was. The compiler knows whether it is there: the drop glue drops it
//! or does not. What the glue then does to the words of a semaphore is what the task holds of it.

use std::collections::HashSet;

use super::emulated_poll::PollEmulator;
use crate::emulate::Stop;
use crate::executor::found_task::FoundTask;
use crate::executor::runtime_threads::RuntimeThreads;

/// The result of an emulated drop.
#[derive(Clone, Debug)]
pub(crate) struct EmulatedDrop {
    /// The words that the drop read and changed, with their values afterwards. Otherwise why the drop did not end: then nothing is known.
    pub(crate) changed: Result<Vec<(u64, u64)>, String>,
    /// The memory of the process that the result depends on: addresses and lengths.
    pub(crate) used: Vec<(u64, u64)>,
    pub(crate) instructions: u64,
}

impl PollEmulator<'_> {
    /// Drops a task that no thread polls, in the copy. Tasks that this would wake are not woken.
    pub(crate) fn drop_task(&mut self, task: &FoundTask, threads: &RuntimeThreads) -> EmulatedDrop {
        let before = self.machine.executed();
        self.start_anew(threads.of_task(self.memory, task));
        self.place_stack();
        let ended = self.run_drop(task);
        let instructions = self.machine.executed() - before;
        let memory = &mut self.machine.memory;
        let used = memory.used();
        let changed = ended.map(|()| {
            let words = memory.changed().into_iter();
            words.filter_map(|at| Some((at, memory.read_u64(at).ok()?))).collect()
        });
        EmulatedDrop { changed, used, instructions }
    }

    fn run_drop(&mut self, task: &FoundTask) -> Result<(), String> {
        let function = task.table.drop.ok_or("the drop glue of tasks of this executor is not known")?;
        self.machine.call(function, &[task.header], self.space.end).map_err(|fault| fault.to_string())?;
        let of_wakers: HashSet<u64> =
            self.wakers.functions.iter().flat_map(|waker| waker.functions.into_iter().skip(1)).collect();
        let traps: HashSet<u64> = self.wake_traps.union(&of_wakers).copied().collect();
        let end = self.machine.executed() + self.limits.poll_instructions;
        loop {
            let left = end.saturating_sub(self.machine.executed());
            match self.machine.run(&mut self.code, &traps, left) {
                Stop::Trap(at) if at == self.space.end => return Ok(()),
                Stop::Trap(at) if of_wakers.contains(&at) => self.machine.return_at_once(0),
                Stop::Trap(at) => match self.answers_function(at) {
                    Some(answered) => answered,
                    None => return Err("the drop glue went astray".to_owned()),
                },
                Stop::SystemCall { .. } if self.answers_system_call() => Ok(()),
                Stop::SystemCall { .. } => return Err("the drop glue waits for a lock".to_owned()),
                stop => return Err(self.reason(&stop)),
            }
            .map_err(|fault| fault.to_string())?;
        }
    }
}
