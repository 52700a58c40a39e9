//! Tasks that look alike, together.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Duration;

use bw_core::{NoTrace, SpawnedAt, TaskRecord, TaskState};
use bw_dump::MergedGroup;

use crate::dump::shown_trees::ShownTrees;
use crate::dump::task_trees::TaskTrees;
use crate::dump::times_in_state::TimesInState;
use crate::text::Text;
use crate::tree::Tree;

/// The tasks of a dump in groups. First those that hold a thread: of polls that block it, or have not returned for a second. Then,
/// as among those, the one with the task that has been longest where it is. Tasks that are over come last.
///
/// Tasks are of one group if they are in the same state and their trees are shown alike; where nothing but a type tells what a task is,
/// if they were spawned at the same place as well. Tasks without a trace are of one
/// group if they are in the same state for the same reason and were spawned at the same place; each that is being polled is
/// one of its own.
#[derive(Clone, Debug)]
pub struct Groups<'a> {
    pub(crate) trees: TaskTrees<'a>,
    pub(crate) grouping: Grouping,
}

/// A poll that takes longer keeps other tasks of its thread from running for longer than anybody would want.
const LONG_POLL: Duration = Duration::from_secs(1);

/// Tasks that look alike.
#[derive(Clone, Debug)]
pub struct Group {
    /// The indices of its task sets, ascending; at least one.
    sets: Vec<usize>,
    tasks: usize,
    pub(crate) times: TimesInState,
    /// The number of their tree among those that are shown, or why they have none.
    tree: Result<usize, NoTrace>,
    /// See [`TaskSet::is_polled`].
    is_polled: bool,
    /// Whether its tasks are of many processes.
    is_of_many: bool,
    /// Whether its tasks are over.
    is_over: bool,
    /// Whether traced tasks are children of tasks of it.
    pub(crate) has_traced_children: bool,
}

/// Tasks that a dump tells of together: a task of one process, or tasks of many processes that wait at the same places.
pub(crate) struct TaskSet<'a> {
    pub(crate) tasks: usize,
    state: &'a TaskState,
    pub(crate) trace: Result<usize, NoTrace>,
    /// The first place by name where they were spawned.
    spawned_at: Option<&'a SpawnedAt>,
    times: TimesInState,
    /// The number of the program of tasks of many processes.
    program: Option<usize>,
}

impl<'a> TaskSet<'a> {
    /// A task of a dump that took so long.
    pub(crate) fn of(task: &'a TaskRecord, took: Duration) -> Self {
        let (status, trace, spawned_at) = (task.status(), task.trace(), Some(task.spawned_at()));
        let times = TimesInState::of(status, took);
        Self { tasks: 1, state: &status.state, trace, spawned_at, times, program: None }
    }
}

impl<'a> From<&'a MergedGroup> for TaskSet<'a> {
    fn from(group: &'a MergedGroup) -> Self {
        Self {
            tasks: group.tasks(),
            state: group.state(),
            trace: group.trace(),
            spawned_at: group.spawned_at().next(),
            times: TimesInState {
                oldest: group.oldest(),
                youngest: group.youngest(),
                ..TimesInState::default()
            },
            program: Some(group.program()),
        }
    }
}

impl TaskSet<'_> {
    /// Whether it is a task of one process that holds its thread: such a task is of interest by itself.
    fn is_polled(&self) -> bool {
        self.program.is_none() && matches!(self.state, TaskState::Polling(_))
    }
}

/// Groups, and the trees that they show.
#[derive(Clone, Debug)]
pub(crate) struct Grouping {
    pub(crate) groups: Vec<Group>,
    pub(crate) shown: ShownTrees,
}

/// What tasks without a trace have in common.
#[derive(PartialEq, Eq, Hash)]
struct Key<'a> {
    kind: Kind<'a>,
    reason: NoTrace,
    spawned_at: Option<&'a SpawnedAt>,
    /// Whether they ended when a request polled them, late.
    ended_late: bool,
    /// The index of a task that is a group of its own.
    alone: Option<usize>,
}

/// What tasks of a group always have in common: the name of their state, and the program where programs are told apart.
///
/// Where only the type of a task is known, also where it was spawned: async blocks of one function have types of one name.
type Kind<'a> = (&'static str, Option<usize>, Option<&'a SpawnedAt>);

impl Grouping {
    /// Puts those together that are shown alike; those of several programs only where `across_programs`.
    pub(crate) fn new<'a>(
        sets: impl Iterator<Item = TaskSet<'a>>,
        trees: &[Tree],
        text: &Text,
        across_programs: bool,
    ) -> Self {
        let shown = ShownTrees::new(trees, text);
        let mut groups: Vec<Group> = Vec::new();
        // By tree, and there by kind, of which there are few; without a tree, by all there is.
        let mut of_tree: Vec<Vec<(Kind<'_>, usize)>> = vec![Vec::new(); shown.distinct.len()];
        let mut others: HashMap<Key<'_>, usize> = HashMap::new();
        for (at, set) in sets.enumerate() {
            let tree = shown.number(set.trace);
            let is_known_by_type = tree.is_ok_and(|tree| shown.distinct[tree].is_known_by_type());
            let spawned_at = set.spawned_at.filter(|_| is_known_by_type);
            let kind = (set.state.name(), set.program.filter(|_| !across_programs), spawned_at);
            let mut new = || {
                groups.push(Group {
                    sets: Vec::new(),
                    tasks: 0,
                    times: TimesInState::default(),
                    tree,
                    is_polled: set.is_polled(),
                    is_of_many: set.program.is_some(),
                    is_over: set.state.is_over(),
                    has_traced_children: false,
                });
                groups.len() - 1
            };
            let group = match tree {
                Ok(tree) => match of_tree[tree].iter().find(|(known, _)| *known == kind) {
                    Some(&(_, group)) => group,
                    None => {
                        let group = new();
                        of_tree[tree].push((kind, group));
                        group
                    }
                },
                Err(reason) => {
                    let (spawned_at, alone) = (set.spawned_at, set.is_polled().then_some(at));
                    let ended_late = set.state.is_over() && set.times.late_polls.any();
                    *others.entry(Key { kind, reason, spawned_at, ended_late, alone }).or_insert_with(new)
                }
            };
            groups[group].add(at, &set);
        }
        // Those that are over last, since they wait for nothing. The oldest first; those without an age last; then, of many processes, the largest; then in the order of the dump.
        groups.sort_by_cached_key(|group| {
            let size = if group.is_of_many { group.tasks } else { 0 };
            (
                Reverse(group.holds_thread()),
                group.is_over,
                Reverse(group.times.oldest),
                Reverse(size),
                group.sets[0],
            )
        });
        Self { groups, shown }
    }

    /// See [`Groups::tree_of`].
    pub(crate) fn tree_of(&self, group: &Group) -> Result<&Tree, NoTrace> {
        group.tree.map(|number| &self.shown.distinct[number])
    }
}

impl<'a> Groups<'a> {
    pub(crate) fn new(trees: TaskTrees<'a>, text: &Text) -> Self {
        let sets = trees.dump().tasks().iter().map(|task| TaskSet::of(task, trees.dump().took()));
        let mut grouping = Grouping::new(sets, trees.all_trees(), text, true);
        let parents = trees.parents();
        for group in &mut grouping.groups {
            let tasks = group.sets.iter().map(|&at| &trees.dump().tasks()[at]);
            group.has_traced_children = tasks.map(TaskRecord::id).any(|id| parents.contains(&id));
        }
        Self { trees, grouping }
    }

    /// The groups, in order.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Group> {
        self.grouping.groups.iter()
    }

    /// The tasks of a group, by id.
    #[must_use]
    pub fn tasks<'b>(&self, group: &'b Group) -> impl ExactSizeIterator<Item = &'a TaskRecord> + use<'a, 'b> {
        let tasks = self.trees.dump().tasks();
        group.sets.iter().map(|&at| &tasks[at])
    }

    /// The tree of the tasks of a group, filtered as the groups are shown.
    ///
    /// # Errors
    ///
    /// Why the tasks of the group have no trace.
    pub fn tree_of(&self, group: &Group) -> Result<&Tree, NoTrace> {
        self.grouping.tree_of(group)
    }

    /// A task of the group, to speak for all.
    pub(crate) fn first(&self, group: &Group) -> &'a TaskRecord {
        &self.trees.dump().tasks()[group.sets[0]]
    }

    /// For each task, the number of its group.
    pub(crate) fn of_tasks(&self) -> Vec<usize> {
        let mut group_of = vec![0; self.trees.dump().tasks().len()];
        for (number, group) in self.iter().enumerate() {
            for &at in &group.sets {
                group_of[at] = number;
            }
        }
        group_of
    }
}

impl Group {
    fn add(&mut self, at: usize, set: &TaskSet<'_>) {
        self.sets.push(at);
        self.tasks += set.tasks;
        self.times = self.times.and(set.times);
    }

    /// Only a poll that blocks has a trace while it lasts.
    fn holds_thread(&self) -> bool {
        self.is_polled && (self.tree.is_ok() || self.times.oldest >= Some(LONG_POLL))
    }

    /// How many tasks it has.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "there is no empty group")]
    pub fn len(&self) -> usize {
        self.tasks
    }

    /// For how long the first of them has been where it is.
    #[must_use]
    pub fn oldest(&self) -> Option<Duration> {
        self.times.oldest
    }

    /// For how long the last of them has been where it is.
    #[must_use]
    pub fn youngest(&self) -> Option<Duration> {
        self.times.youngest
    }

    /// Why they have no trace, if they have none.
    #[must_use]
    pub fn no_trace(&self) -> Option<NoTrace> {
        self.tree.err()
    }

    /// Their indices among the tasks of the dump, ascending.
    #[must_use]
    pub fn indices(&self) -> &[usize] {
        &self.sets
    }
}
