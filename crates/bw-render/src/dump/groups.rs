//! Tasks that look alike, together.

use std::collections::HashMap;
use std::time::Duration;

use bw_core::{NoTrace, SpawnedAt, TaskRecord, TaskState};

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
    pub(crate) groups: Vec<Group>,
    pub(crate) shown: ShownTrees,
}

/// A poll that takes longer keeps other tasks of its thread from running for longer than anybody would want.
const LONG_POLL: Duration = Duration::from_secs(1);

/// Tasks that look alike.
#[derive(Clone, Debug)]
pub struct Group {
    /// Their indices among the tasks of the dump, ascending; at least one.
    tasks: Vec<usize>,
    oldest: Option<Duration>,
    youngest: Option<Duration>,
    /// The number of their tree among those that are shown, or why they have none.
    pub(crate) tree: Result<usize, NoTrace>,
}

/// What tasks without a trace have in common.
#[derive(PartialEq, Eq, Hash)]
struct Key<'a> {
    state: &'static str,
    reason: NoTrace,
    spawned_at: &'a SpawnedAt,
    /// Only while it is polled: its index.
    polled: Option<usize>,
}

impl<'a> Groups<'a> {
    pub(crate) fn new(trees: TaskTrees<'a>, text: &Text) -> Self {
        let shown = ShownTrees::new(trees.all_trees(), text);
        let mut groups: Vec<Group> = Vec::new();
        // By tree, and there by state, of which there are few; without a tree, by all there is.
        let mut of_tree: Vec<Vec<(&'static str, usize)>> = vec![Vec::new(); shown.distinct.len()];
        let mut others: HashMap<Key<'_>, usize> = HashMap::new();
        for (at, task) in trees.dump().tasks().iter().enumerate() {
            let tree = shown.number(task.trace());
            let mut new = || {
                groups.push(Group { tasks: Vec::new(), oldest: None, youngest: None, tree });
                groups.len() - 1
            };
            let state = task.status().state.name();
            let group = match tree {
                Ok(tree) => match of_tree[tree].iter().find(|(of, _)| *of == state) {
                    Some(&(_, group)) => group,
                    None => {
                        let group = new();
                        of_tree[tree].push((state, group));
                        group
                    }
                },
                Err(reason) => *others.entry(Key::of(at, task, reason)).or_insert_with(new),
            };
            groups[group].add(at, task);
        }
        let holds_thread = |group: &Group| {
            let first = &trees.dump().tasks()[group.tasks[0]];
            let is_polled = matches!(first.status().state, TaskState::Polling(_));
            // Only a poll that blocks has a trace while it lasts.
            is_polled && (group.no_trace().is_none() || group.oldest >= Some(LONG_POLL))
        };
        // The oldest first; those without an age last; then by id.
        groups.sort_by(|a, b| {
            holds_thread(b)
                .cmp(&holds_thread(a))
                .then(b.oldest.cmp(&a.oldest))
                .then(a.tasks[0].cmp(&b.tasks[0]))
        });
        Self { trees, groups, shown }
    }

    /// The groups, in order.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Group> {
        self.groups.iter()
    }

    /// The tasks of a group, by id.
    #[must_use]
    pub fn tasks<'b>(&self, group: &'b Group) -> impl ExactSizeIterator<Item = &'a TaskRecord> + use<'a, 'b> {
        let tasks = self.trees.dump().tasks();
        group.tasks.iter().map(|&at| &tasks[at])
    }

    /// The tree of the tasks of a group, filtered as the groups are shown, or why they have none.
    ///
    /// # Errors
    ///
    /// The reason that all tasks of the group have in common.
    pub fn tree_of(&self, group: &Group) -> Result<&Tree, NoTrace> {
        group.tree.map(|number| &self.shown.distinct[number])
    }

    /// A task of the group, to speak for all.
    pub(crate) fn first(&self, group: &Group) -> &'a TaskRecord {
        &self.trees.dump().tasks()[group.tasks[0]]
    }
}

impl<'a> Key<'a> {
    fn of(at: usize, task: &'a TaskRecord, reason: NoTrace) -> Self {
        let state = &task.status().state;
        let polled = matches!(state, TaskState::Polling(_)).then_some(at);
        Self { state: state.name(), reason, spawned_at: task.spawned_at(), polled }
    }
}

impl Group {
    fn add(&mut self, at: usize, task: &TaskRecord) {
        self.tasks.push(at);
        if let Some(in_state) = task.status().in_state {
            self.oldest = Some(self.oldest.map_or(in_state, |oldest| oldest.max(in_state)));
            self.youngest = Some(self.youngest.map_or(in_state, |youngest| youngest.min(in_state)));
        }
    }

    /// How many tasks it has.
    #[must_use]
    #[allow(clippy::len_without_is_empty)] // There is no empty group.
    pub fn len(&self) -> usize {
        self.tasks.len()
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
        &self.tasks
    }
}
