//! By what lists are sorted.

use std::cmp::{Ordering, Reverse};

use super::picture::{Group, Task};

/// By what a list is sorted. What is largest comes first, but of names and ids the smallest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Time in the state; of a group, its oldest task's.
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

/// By what a list is sorted now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sorting {
    choices: &'static [Order],
    at: usize,
    pub(super) is_reversed: bool,
}

impl Sorting {
    pub(super) const OF_GROUPS: Self = Self {
        choices: &[Order::InState, Order::Count, Order::Change, Order::Rate, Order::Name],
        at: 0,
        is_reversed: false,
    };
    pub(super) const OF_TASKS: Self = Self {
        choices: &[Order::InState, Order::Age, Order::Polls, Order::Rate, Order::Name, Order::Id],
        at: 0,
        is_reversed: false,
    };

    pub(super) fn by(&self) -> Order {
        self.choices[self.at]
    }

    pub(super) fn next(&mut self) {
        (self.at, self.is_reversed) = ((self.at + 1) % self.choices.len(), false);
    }

    pub(super) fn previous(&mut self) {
        let count = self.choices.len();
        (self.at, self.is_reversed) = ((self.at + count - 1) % count, false);
    }

    /// Puts indices of tasks in order. Ties are in the order of ids.
    pub(super) fn tasks(&self, tasks: &[Task], indices: &mut [u32]) {
        let task = |at: &u32| &tasks[*at as usize];
        self.sort(indices, |a, b| {
            let (a, b) = (task(a), task(b));
            match self.by() {
                Order::InState => b.in_state.cmp(&a.in_state),
                Order::Age => b.age.cmp(&a.age),
                Order::Rate => by_rate(a.rate, b.rate),
                Order::Polls => b.polls.cmp(&a.polls),
                // Those without a name come last.
                Order::Name => (a.name.is_none(), &a.name).cmp(&(b.name.is_none(), &b.name)),
                Order::Id | Order::Count | Order::Change => Ordering::Equal,
            }
        });
    }

    /// Puts indices of groups in order. Ties are in the order of the dump: the oldest first.
    pub(super) fn groups(&self, groups: &[Group], indices: &mut [u32]) {
        let group = |at: &u32| &groups[*at as usize];
        self.sort(indices, |a, b| {
            let (a, b) = (group(a), group(b));
            match self.by() {
                Order::Count => b.tasks.len().cmp(&a.tasks.len()),
                Order::Change => Reverse(a.change).cmp(&Reverse(b.change)),
                Order::Rate => by_rate(a.rate, b.rate),
                Order::Name => a.waits_at.cmp(&b.waits_at),
                _ => b.oldest.cmp(&a.oldest),
            }
        });
    }

    fn sort(&self, indices: &mut [u32], mut compare: impl FnMut(&u32, &u32) -> Ordering) {
        // Indices of tasks are in the order of their ids, those of groups in that of the dump.
        indices.sort_unstable_by(|a, b| {
            let order = compare(a, b).then(a.cmp(b));
            if self.is_reversed { order.reverse() } else { order }
        });
    }
}

fn by_rate(a: Option<f32>, b: Option<f32>) -> Ordering {
    b.unwrap_or(-1.0).total_cmp(&a.unwrap_or(-1.0))
}
