//! Tasks that block their threads, and tasks that nobody polls though they were woken.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Duration;

use bw_render::{Count, Elapsed};

use super::dump_summary::{Group, Task};
use super::task_state::State;

/// A task that is polled, or was woken and is not polled, for so long is said loudly: its thread blocks, or its executor does.
const STUCK: Duration = Duration::from_secs(1);

/// Who blocks, or is not polled.
#[derive(Debug)]
pub(crate) struct Stuck {
    /// What to say of the first.
    pub(crate) text: String,
    /// By index: of each thread that is blocked the task, or all that were woken; at least one, the longest first.
    pub(crate) tasks: Vec<usize>,
}

/// Whether a task blocks its thread, or its executor does not run, after so long in that state.
pub(crate) fn is_stuck(state: State, time: Option<Duration>) -> bool {
    matches!(state, State::Polling | State::Woken) && time.is_some_and(|time| time >= STUCK)
}

/// Says who blocks, or whose executor does not run.
pub(crate) fn stuck(tasks: &[Task], groups: &[Group], places: &[String]) -> Option<Stuck> {
    let those = |state| {
        let is_it = move |(_, task): &(usize, &Task)| task.state == state && is_stuck(state, task.in_state);
        let mut those: Vec<_> = tasks.iter().enumerate().filter(is_it).collect();
        those.sort_by_key(|(_, task)| Reverse(task.in_state));
        those
    };
    let group = |task: &Task| groups.get(task.group as usize);
    let mut threads = HashMap::new();
    let mut blocking: Vec<(usize, &Task)> = Vec::new();
    for (at, task) in those(State::Polling) {
        let n = *threads.entry(&task.thread).or_insert(blocking.len());
        // A task that polls another is polled as long: the inner one is meant, which is where the thread is.
        let rank = |task: &Task| (group(task).is_some_and(|group| group.has_tree), task.is_nested);
        match blocking.get_mut(n) {
            None => blocking.push((at, task)),
            Some(known) if rank(task) >= rank(known.1) => *known = (at, task),
            Some(_) => {}
        }
    }
    if let Some((_, task)) = blocking.first() {
        let others = match blocking.len() {
            1 => String::new(),
            2 => "; one more thread is blocked".to_owned(),
            more => format!("; {} more threads are blocked", Count(more - 1)),
        };
        let name = task.name.as_deref().map(|name| format!(" \"{name}\"")).unwrap_or_default();
        let (time, thread) = (Elapsed(task.in_state?), task.thread.as_deref().unwrap_or("its thread"));
        let what = match group(task) {
            Some(group) if group.has_tree => format!(" on {thread}, at {}", group.waits_at),
            // No stack names the culprit, so its spawn does.
            _ => {
                let place = places.get(task.place as usize);
                let spawned = place.map(|place| format!(", spawned at {place}")).unwrap_or_default();
                format!(": it blocks or computes on {thread}{spawned}")
            }
        };
        let text = format!("BLOCKED: task {}{name} has been in one poll for {time}{what}{others}", task.id);
        return Some(Stuck { text, tasks: blocking.iter().map(|(at, _)| *at).collect() });
    }
    let woken = those(State::Woken);
    let (_, task) = woken.first()?;
    let tasks = match woken.len() {
        1 => "1 task was".to_owned(),
        count => format!("{} tasks were", Count(count)),
    };
    let text = format!(
        "NOT POLLED: {tasks} woken up to {} ago; is every thread of their executor blocked, or does it not run?",
        Elapsed(task.in_state?)
    );
    Some(Stuck { text, tasks: woken.iter().map(|(at, _)| *at).collect() })
}
