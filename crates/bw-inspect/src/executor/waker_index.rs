//! The wakers of tasks that are stored somewhere in memory.
//!
//! A waker of tokio is two words beside each other: the address of the task's header, and that of the table of the waker's functions.
//!
//! A future that finds its own waker stored already does not clone it again. So an emulated poll changes the stored wakers of its task
//! first, in its copy, and then every leaf clones.

use std::collections::HashSet;

use super::child_wakers::ChildWaker;
use super::found_task::FoundTask;
use super::possible_wakers::{PossibleWaker, PossibleWakers, WakerFunctions};

/// So many more wakers with one order of their words than with the other say which is right.
const PLAIN_MAJORITY: usize = 8;

/// Where wakers of tasks are stored.
#[derive(Clone, Debug, Default)]
pub(crate) struct WakerIndex {
    /// The tables that they have; one for each version of tokio in the process.
    pub(crate) functions: Vec<WakerFunctions>,
    /// Whether the compiler put the address of the table in front of the other word of a waker. `None` if there are too few to tell.
    pub(crate) table_is_first: Option<bool>,
    /// The headers of tasks, and where the address of the table stands in a waker of each. By header.
    stored: Vec<(u64, u64)>,
}

impl WakerIndex {
    /// Takes those that are wakers of these tasks.
    pub(crate) fn of(possible: &PossibleWakers<'_>, tasks: &[FoundTask]) -> Self {
        let headers: HashSet<u64> = tasks.iter().map(|task| task.header).collect();
        // Behind the header, and in front of it: which order the compiler chose is the same for all of them.
        let mut sides: [Vec<(u64, &PossibleWaker)>; 2] = [Vec::new(), Vec::new()];
        for waker in possible.all() {
            for (side, header) in sides.iter_mut().zip([waker.in_front, waker.behind]) {
                if headers.contains(&header) {
                    side.push((header, waker));
                }
            }
        }
        let [behind, in_front] = sides;
        let order = (behind.len().abs_diff(in_front.len()) >= PLAIN_MAJORITY)
            .then_some(in_front.len() > behind.len());
        // Of a few, either order may be right.
        let found = match order {
            Some(true) => in_front,
            Some(false) => behind,
            None => [in_front, behind].concat(),
        };
        let mut used: Vec<u64> = found.iter().map(|(_, waker)| waker.table).collect();
        used.sort_unstable();
        used.dedup();
        let functions = used.into_iter().filter_map(|table| possible.functions(table)).collect();
        let mut stored: Vec<(u64, u64)> =
            found.into_iter().map(|(header, waker)| (header, waker.place)).collect();
        stored.sort_unstable();
        stored.dedup();
        Self { functions, table_is_first: order, stored }
    }

    /// Adds wakers of tasks that were found in another way.
    pub(crate) fn add(&mut self, wakers: &[ChildWaker]) {
        for waker in wakers {
            if !self.functions.contains(&waker.functions) {
                self.functions.push(waker.functions);
            }
            self.stored.extend(waker.places.iter().map(|place| (waker.data, *place)));
        }
        self.stored.sort_unstable();
    }

    /// Returns where wakers of a task are stored: the addresses of the words that hold the address of their table.
    pub(crate) fn of_task(&self, header: u64) -> impl Iterator<Item = u64> {
        let first = self.stored.partition_point(|(of, _)| *of < header);
        let rest = self.stored.get(first..).unwrap_or_default();
        rest.iter().take_while(move |(of, _)| *of == header).map(|(_, place)| *place)
    }
}
