//! By what lists are sorted.

use std::cmp::Ordering;
use std::time::Duration;

use super::View;
use super::dump_summary::{Group, Task};

/// By what a list is sorted. What is largest comes first, but of names and ids the smallest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Time in the state; of a group, its oldest task's, but those that hold a thread come first.
    InState,
    Age,
    Rate,
    Polls,
    /// A task's name; where a group waits.
    Name,
    Id,
    /// Tasks in a group.
    Count,
    /// By how many tasks a group grew.
    Change,
}

impl Order {
    /// What the list of a view is sorted by, in words.
    pub(crate) fn words(self, view: View) -> &'static str {
        match (self, view) {
            (Self::InState, _) => "time in state",
            (Self::Age, _) => "age",
            (Self::Rate, _) => "polls a second",
            (Self::Polls, _) => "polls",
            (Self::Name, View::Groups) => "where they wait",
            (Self::Name, _) => "name",
            (Self::Id, _) => "id",
            (Self::Count, _) => "tasks",
            (Self::Change, _) => "change",
        }
    }
}

/// By what a list is sorted now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sorting {
    choices: &'static [Order],
    at: usize,
    pub(crate) is_reversed: bool,
}

impl Sorting {
    pub(crate) const OF_GROUPS: Self = Self {
        choices: &[Order::InState, Order::Count, Order::Change, Order::Rate, Order::Name],
        at: 0,
        is_reversed: false,
    };
    pub(crate) const OF_TASKS: Self = Self {
        choices: &[Order::InState, Order::Age, Order::Polls, Order::Rate, Order::Name, Order::Id],
        at: 0,
        is_reversed: false,
    };

    pub(crate) fn by(&self) -> Order {
        self.choices[self.at]
    }

    pub(crate) fn next(&mut self) {
        (self.at, self.is_reversed) = ((self.at + 1) % self.choices.len(), false);
    }

    pub(crate) fn previous(&mut self) {
        let count = self.choices.len();
        (self.at, self.is_reversed) = ((self.at + count - 1) % count, false);
    }

    /// Puts indices of tasks in order. Ties are in the order of ids.
    pub(crate) fn tasks(&self, tasks: &[Task], indices: &mut [u32]) {
        let task = |at: u32| &tasks[at as usize];
        let by_number = |number: &dyn Fn(&Task) -> Option<u64>, indices: &mut [u32]| {
            // Together with what they are sorted by: a look at the task for each comparison takes some times as long.
            let key = |at: u32| u64::MAX - number(task(at)).map_or(0, |number| number.saturating_add(1));
            let mut keys: Vec<(u64, u32)> = indices.iter().map(|&at| (key(at), at)).collect();
            keys.sort_unstable();
            indices.iter_mut().zip(keys).for_each(|(to, (_, at))| *to = at);
        };
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        match self.by() {
            Order::InState => by_number(&|task| task.in_state.map(nanoseconds), indices),
            Order::Age => by_number(&|task| task.age.map(nanoseconds), indices),
            Order::Polls => by_number(&|task| Some(task.polls), indices),
            // Of numbers that are not negative, the bits are in the same order.
            Order::Rate => by_number(&|task| task.rate.map(|rate| rate.to_bits().into()), indices),
            // Those without a name come last.
            Order::Name => indices.sort_unstable_by(|&a, &b| {
                let (of_a, of_b) = (&task(a).name, &task(b).name);
                (of_a.is_none(), of_a).cmp(&(of_b.is_none(), of_b)).then(a.cmp(&b))
            }),
            Order::Id | Order::Count | Order::Change => indices.sort_unstable(),
        }
        if self.is_reversed {
            indices.reverse();
        }
    }

    /// Puts indices of groups in order. Ties are in the order of the dump: first those that hold a thread, then the oldest.
    pub(crate) fn groups(&self, groups: &[Group], indices: &mut [u32]) {
        let group = |at: u32| &groups[at as usize];
        indices.sort_unstable_by(|&a, &b| {
            let (of_a, of_b) = (group(a), group(b));
            let order = match self.by() {
                Order::Count => of_b.tasks.len().cmp(&of_a.tasks.len()),
                Order::Change => of_b.change.cmp(&of_a.change),
                Order::Rate => of_b.rate.unwrap_or(-1.0).total_cmp(&of_a.rate.unwrap_or(-1.0)),
                Order::Name => of_a.waits_at.cmp(&of_b.waits_at),
                // As the text and the page have them.
                _ => Ordering::Equal,
            };
            order.then(a.cmp(&b))
        });
        if self.is_reversed {
            indices.reverse();
        }
    }
}
