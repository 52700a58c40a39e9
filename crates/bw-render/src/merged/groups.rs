//! Tasks of many processes that look alike, together.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use bw_core::{NoTrace, SpawnedAt, TaskState};
use bw_dump::{MergedGroup, MergedTask};

use super::MergedTrees;
use crate::dump::shown_trees::ShownTrees;
use crate::text::Text;
use crate::tree::Tree;

/// The tasks of many dumps in groups, the one with the task that has been longest where it is first.
///
/// Tasks are of one group if they are in the same state and their trees print the same, and, unless
/// [told otherwise](MergedTrees::across_builds), their programs are of the same build. Tasks without a trace are if they are in the same state
/// for the same reason and were spawned at the same place.
#[derive(Clone, Debug)]
pub struct MergedGroups<'a> {
    pub(super) trees: MergedTrees<'a>,
    pub(super) parts: Vec<MergedPart<'a>>,
    pub(super) shown: ShownTrees,
}

/// Tasks of many processes that look alike.
#[derive(Clone, Debug)]
pub struct MergedPart<'a> {
    /// Indices among the groups of the dump, ascending.
    members: Vec<usize>,
    groups: Vec<&'a MergedGroup>,
    processes: usize,
    pub(super) print: Result<usize, NoTrace>,
}

#[derive(PartialEq, Eq, Hash)]
struct Key<'a> {
    state: &'static str,
    program: Option<usize>,
    print: Result<usize, (NoTrace, Option<&'a SpawnedAt>)>,
}

impl<'a> MergedGroups<'a> {
    pub(super) fn new(trees: MergedTrees<'a>, text: &Text) -> Self {
        let shown = ShownTrees::new(trees.all_trees(), text);
        let mut known: HashMap<Key<'_>, usize> = HashMap::new();
        let mut parts: Vec<MergedPart<'a>> = Vec::new();
        for (at, group) in trees.dump().groups().iter().enumerate() {
            let print = shown.number(group.trace());
            let key = Key {
                state: group.state().name(),
                program: (!trees.across_builds).then(|| group.program()),
                print: print.map_err(|reason| (reason, group.spawned_at().next())),
            };
            let part = *known.entry(key).or_insert_with(|| {
                parts.push(MergedPart { members: Vec::new(), groups: Vec::new(), processes: 0, print });
                parts.len() - 1
            });
            parts[part].members.push(at);
            parts[part].groups.push(group);
        }
        for part in &mut parts {
            part.processes = trees.dump().processes_of(part.members.iter().copied());
        }
        // The oldest first, then the largest; groups that are alike in both stay in the order of the dump.
        parts.sort_by_key(|part| (Reverse(part.oldest()), Reverse(part.tasks())));
        Self { trees, parts, shown }
    }

    /// The groups, in order.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &MergedPart<'a>> {
        self.parts.iter()
    }

    /// The tree of the tasks of a group, filtered as the groups are shown, or why they have none.
    ///
    /// # Errors
    ///
    /// The reason that all tasks of the group have in common.
    pub fn tree_of(&self, part: &MergedPart<'_>) -> Result<&Tree, NoTrace> {
        part.print.map(|number| &self.shown.distinct[number])
    }
}

impl<'a> MergedPart<'a> {
    /// How many tasks it has.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.groups.iter().map(|group| group.tasks()).sum()
    }

    /// In how many processes.
    #[must_use]
    pub fn processes(&self) -> usize {
        self.processes
    }

    /// What they do.
    #[must_use]
    pub fn state(&self) -> &'a TaskState {
        self.groups[0].state()
    }

    /// Why they have no trace, if they have none.
    #[must_use]
    pub fn no_trace(&self) -> Option<NoTrace> {
        self.print.err()
    }

    /// For how long the first of them has been where it is.
    #[must_use]
    pub fn oldest(&self) -> Option<Duration> {
        self.groups.iter().filter_map(|group| group.oldest()).max()
    }

    /// For how long the last of them has been where it is.
    #[must_use]
    pub fn youngest(&self) -> Option<Duration> {
        self.groups.iter().filter_map(|group| group.youngest()).min()
    }

    /// The indices of their programs among those of the dump, ascending, each once.
    #[must_use]
    pub fn programs(&self) -> Vec<usize> {
        self.groups.iter().map(|group| group.program()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Some of them: those that have been longest where they are.
    #[must_use]
    pub fn samples(&self, most: usize) -> Vec<&'a MergedTask> {
        let mut samples: Vec<_> = self.groups.iter().flat_map(|group| group.samples()).collect();
        samples.sort_by_key(|task| (Reverse(task.in_state()), task.dump(), task.id()));
        samples.truncate(most);
        samples
    }

    /// Where they were wrapped: the first places by name, and whether there are others.
    #[must_use]
    pub fn spawned_at(&self, most: usize) -> (Vec<&'a SpawnedAt>, bool) {
        let places: BTreeSet<_> = self.groups.iter().flat_map(|group| group.spawned_at()).collect();
        let others = places.len() > most || self.groups.iter().any(|group| group.is_spawned_elsewhere());
        (places.into_iter().take(most).collect(), others)
    }

    /// A trace that they have, among those of the dump: of those that print the same, the first.
    pub(super) fn trace(&self) -> Option<usize> {
        self.print.ok()?;
        self.groups.iter().filter_map(|group| group.trace().ok()).min()
    }
}
