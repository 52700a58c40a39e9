//! Dumps of many processes with the trees of where their tasks wait.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use bw_core::{SpawnedAt, TaskState};
use bw_dump::{MergedDump, MergedGroup, MergedTask};
use bw_symbolize::SymbolizedTrace;

use super::groups::{Group, Grouping, TaskSet};
#[cfg(doc)]
use super::task_trees::TaskTrees;
use crate::text::Text;
use crate::tree::Tree;

/// Dumps of many processes, and the trees of where their tasks wait: what every form of output is made from. Borrows both; making
/// one costs nothing.
#[derive(Clone, Copy, Debug)]
pub struct MergedTrees<'a> {
    dump: &'a MergedDump,
    trees: &'a [Tree],
    across_builds: bool,
}

impl<'a> MergedTrees<'a> {
    /// The tree of every trace of merged dumps, as [`new`](Self::new) wants them, from the traces in their order: see [`TaskTrees::trees`].
    #[must_use]
    pub fn trees(dump: &MergedDump, traces: &[SymbolizedTrace]) -> Vec<Tree> {
        let tree = |(number, trace)| Tree::of_task(trace, dump.type_of_trace(number));
        traces.iter().enumerate().map(tree).collect()
    }

    /// Puts dumps and trees together, of which there is one for each of their traces, in their order. Where trees are missing,
    /// tasks are treated as if they had no trace.
    #[must_use]
    pub fn new(dump: &'a MergedDump, trees: &'a [Tree]) -> Self {
        Self { dump, trees, across_builds: false }
    }

    /// Whether tasks of different builds are of one group if their trees are shown alike. Unless told they are not: a fleet that
    /// is being updated waits differently before and after.
    #[must_use]
    pub fn across_builds(mut self, across: bool) -> Self {
        self.across_builds = across;
        self
    }

    /// The dumps.
    #[must_use]
    pub fn dump(&self) -> &'a MergedDump {
        self.dump
    }

    pub(crate) fn all_trees(&self) -> &'a [Tree] {
        self.trees
    }

    /// Tasks that look alike, together, as `text` shows them: as [`Groups`](crate::Groups), but of one build, and the oldest
    /// group first, then the largest.
    pub(crate) fn groups(&self, text: &Text) -> Grouping {
        let sets = self.dump.groups().iter().map(TaskSet::from);
        Grouping::new(sets, self.trees, text, self.across_builds)
    }

    fn sets(&self, group: &Group) -> impl Iterator<Item = &'a MergedGroup> {
        let all = self.dump.groups();
        group.indices().iter().map(move |&at| &all[at])
    }

    /// In how many processes the tasks of a group are.
    pub(crate) fn processes(&self, group: &Group) -> usize {
        self.dump.processes_of(group.indices().iter().copied())
    }

    /// How many tasks of a group a request polled late.
    pub(crate) fn polled_late(&self, group: &Group) -> usize {
        self.sets(group).map(MergedGroup::polled_late).sum()
    }

    /// What the tasks of a group do.
    pub(crate) fn state(&self, group: &Group) -> &'a TaskState {
        self.dump.groups()[group.indices()[0]].state()
    }

    /// The indices of a group's programs among those of the dump, ascending, each once.
    pub(crate) fn programs(&self, group: &Group) -> BTreeSet<usize> {
        self.sets(group).map(MergedGroup::program).collect()
    }

    /// Some tasks of a group: those that have been longest where they are.
    pub(crate) fn samples(&self, group: &Group, most: usize) -> Vec<&'a MergedTask> {
        let mut samples: Vec<_> = self.sets(group).flat_map(MergedGroup::samples).collect();
        samples.sort_by_key(|task| (Reverse(task.in_state()), task.dump(), task.id()));
        samples.truncate(most);
        samples
    }

    /// Where the tasks of a group were wrapped: the first places by name, and whether there are others.
    pub(crate) fn spawned_at(&self, group: &Group, most: usize) -> (Vec<&'a SpawnedAt>, bool) {
        let places: BTreeSet<_> = self.sets(group).flat_map(MergedGroup::spawned_at).collect();
        let others = places.len() > most || self.sets(group).any(MergedGroup::is_spawned_elsewhere);
        (places.into_iter().take(most).collect(), others)
    }

    /// A tree of the tasks of a group, not filtered: of those that are shown alike, the first.
    #[cfg(feature = "json")]
    pub(crate) fn tree(&self, group: &Group) -> Option<&'a Tree> {
        self.trees.get(self.sets(group).filter_map(|set| set.trace().ok()).min()?)
    }
}
