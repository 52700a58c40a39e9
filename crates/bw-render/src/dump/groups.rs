//! Tasks that look alike, together.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Duration;

use bw_core::{NoTrace, SpawnedAt, TaskRecord, TaskState};
use bw_dump::MergedGroup;

use crate::dump::TaskTrees;
use crate::dump::shown_trees::ShownTrees;
use crate::text::Text;
use crate::tree::Tree;

/// The tasks of a dump in groups. First those that hold a thread: of polls that block it, or have not returned for a second. Then,
/// as among those, the one with the task that has been longest where it is.
///
/// Tasks are of one group if they are in the same state and their trees are shown alike. Tasks without a trace are of one
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
    oldest: Option<Duration>,
    youngest: Option<Duration>,
    /// The number of their tree among those that are shown, or why they have none.
    tree: Result<usize, NoTrace>,
}

/// Tasks that a dump tells of together: a task of one process, or tasks of many processes that wait at the same places.
pub(crate) trait TaskSet {
    /// Whether it is one task of one process: then tasks that hold a thread are of interest each.
    const IS_ONE_TASK: bool;

    fn tasks(&self) -> usize;
    fn state(&self) -> &TaskState;
    fn trace(&self) -> Result<usize, NoTrace>;
    /// The first place by name where they were spawned.
    fn spawned_at(&self) -> Option<&SpawnedAt>;
    /// For how long the first and the last of them have been in their state.
    fn oldest(&self) -> Option<Duration>;
    fn youngest(&self) -> Option<Duration>;
    /// The number of the program they are of.
    fn program(&self) -> usize;
}

impl TaskSet for TaskRecord {
    const IS_ONE_TASK: bool = true;

    fn tasks(&self) -> usize {
        1
    }

    fn state(&self) -> &TaskState {
        &self.status().state
    }

    fn trace(&self) -> Result<usize, NoTrace> {
        self.trace()
    }

    fn spawned_at(&self) -> Option<&SpawnedAt> {
        Some(self.spawned_at())
    }

    fn oldest(&self) -> Option<Duration> {
        self.status().in_state
    }

    fn youngest(&self) -> Option<Duration> {
        self.status().in_state
    }

    fn program(&self) -> usize {
        0
    }
}

impl TaskSet for MergedGroup {
    const IS_ONE_TASK: bool = false;

    fn tasks(&self) -> usize {
        self.tasks()
    }

    fn state(&self) -> &TaskState {
        self.state()
    }

    fn trace(&self) -> Result<usize, NoTrace> {
        self.trace()
    }

    fn spawned_at(&self) -> Option<&SpawnedAt> {
        self.spawned_at().next()
    }

    fn oldest(&self) -> Option<Duration> {
        self.oldest()
    }

    fn youngest(&self) -> Option<Duration> {
        self.youngest()
    }

    fn program(&self) -> usize {
        self.program()
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
    kind: Kind,
    reason: NoTrace,
    spawned_at: Option<&'a SpawnedAt>,
    /// The index of a task that is a group of its own.
    alone: Option<usize>,
}

/// What tasks of a group always have in common: the name of their state, and the program where programs are told apart.
type Kind = (&'static str, Option<usize>);

impl Grouping {
    /// Puts those together that are shown alike; those of several programs only where `across_programs`.
    pub(crate) fn new<T: TaskSet>(sets: &[T], trees: &[Tree], text: &Text, across_programs: bool) -> Self {
        let shown = ShownTrees::new(trees, text);
        let mut groups: Vec<Group> = Vec::new();
        // By tree, and there by kind, of which there are few; without a tree, by all there is.
        let mut of_tree: Vec<Vec<(Kind, usize)>> = vec![Vec::new(); shown.distinct.len()];
        let mut others: HashMap<Key<'_>, usize> = HashMap::new();
        for (at, set) in sets.iter().enumerate() {
            let tree = shown.number(set.trace());
            let kind = (set.state().name(), (!across_programs).then(|| set.program()));
            let mut new = || {
                groups.push(Group { sets: Vec::new(), tasks: 0, oldest: None, youngest: None, tree });
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
                    let is_alone = T::IS_ONE_TASK && matches!(set.state(), TaskState::Polling(_));
                    let (spawned_at, alone) = (set.spawned_at(), is_alone.then_some(at));
                    *others.entry(Key { kind, reason, spawned_at, alone }).or_insert_with(new)
                }
            };
            groups[group].add(at, set);
        }
        let holds_thread = |group: &Group| {
            let is_polled = T::IS_ONE_TASK && matches!(sets[group.sets[0]].state(), TaskState::Polling(_));
            // Only a poll that blocks has a trace while it lasts.
            is_polled && (group.no_trace().is_none() || group.oldest >= Some(LONG_POLL))
        };
        // The oldest first; those without an age last; then, of many processes, the largest; then in the order of the dump.
        groups.sort_by_cached_key(|group| {
            let size = if T::IS_ONE_TASK { 0 } else { group.tasks };
            (Reverse(holds_thread(group)), Reverse(group.oldest), Reverse(size), group.sets[0])
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
        Self { trees, grouping: Grouping::new(trees.dump().tasks(), trees.all_trees(), text, true) }
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
    fn add(&mut self, at: usize, set: &impl TaskSet) {
        self.sets.push(at);
        self.tasks += set.tasks();
        self.oldest = self.oldest.max(set.oldest());
        self.youngest = [self.youngest, set.youngest()].into_iter().flatten().min();
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
        self.oldest
    }

    /// For how long the last of them has been where it is.
    #[must_use]
    pub fn youngest(&self) -> Option<Duration> {
        self.youngest
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
