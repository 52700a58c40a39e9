//! What changed between two dumps of one process.

#[cfg(feature = "json")]
mod difference_json;
mod difference_text;

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, SystemTime};

use bw_core::{DumpSource, NoTrace, SpawnedAt, TaskId, TaskRecord, TaskState};

use crate::dump::dump_text::DumpText;
use crate::dump::groups::{Group, Groups};
use crate::dump::task_trees::TaskTrees;
use crate::dump::times_in_state::TimesInState;
use crate::text::Text;
use crate::text::shown_node::ShownTree;
use crate::text::styled::StyledText;
use crate::tree::Tree;

/// What changed between two dumps of one process: tasks that came, that went, that were not polled in between, and groups that
/// grew. Prints itself; made by [`TaskTrees::since`].
#[derive(Clone, Debug)]
pub struct Difference {
    from: SystemTime,
    to: SystemTime,
    /// How many tasks the newer one has.
    tasks: usize,
    new: Vec<TaskRecord>,
    gone: Vec<TaskRecord>,
    unpolled: Vec<TaskRecord>,
    /// Tasks of the newer one whose polls are not known.
    uncounted: usize,
    /// How long the newer one took.
    took: Duration,
    grown: Vec<Grown>,
    settings: DumpText,
}

/// A group that has more tasks than before.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Grown {
    /// How many tasks it had.
    pub before: usize,
    /// How many it has.
    pub after: usize,
    /// Their tree as [`DumpText::body`] gives it, or why they have none.
    pub body: StyledText,
    /// The tasks of it that were not in it before, by id, as the newer dump has them: new ones, and those that came from elsewhere.
    pub joined: Vec<TaskRecord>,
    /// Where its tasks were wrapped, each place once, in the order of the tasks; at least one.
    pub spawned_at: Vec<SpawnedAt>,
    /// How many of its tasks were not wrapped at the first of those.
    elsewhere: usize,
    state: TaskState,
    times: TimesInState,
    tree: Option<Tree>,
    /// The id of the first of them.
    first: TaskId,
}

/// What makes tasks of two dumps be of one group.
#[derive(PartialEq, Eq, Hash)]
struct Key<'a> {
    state: &'static str,
    tree: Result<ShownTree<'a>, (NoTrace, &'a SpawnedAt)>,
}

impl TaskTrees<'_> {
    /// Returns what changed since an older dump of the same process.
    #[must_use]
    pub fn since(&self, older: &TaskTrees<'_>, text: &Text) -> Difference {
        Difference::new(*older, *self, text)
    }
}

impl Difference {
    pub(crate) fn new(older: TaskTrees<'_>, newer: TaskTrees<'_>, text: &Text) -> Self {
        let of = |trees: TaskTrees<'_>| -> HashMap<TaskId, u64> {
            trees.dump().tasks().iter().map(|task| (task.id(), task.status().polls)).collect()
        };
        let (before, after) = (of(older), of(newer));
        let absent = |tasks: &[TaskRecord], others: &HashMap<TaskId, u64>| -> Vec<TaskRecord> {
            tasks.iter().filter(|task| !others.contains_key(&task.id())).cloned().collect()
        };
        // Memory has polls of wrapped tasks only, and these have an age.
        let is_counted =
            |task: &&TaskRecord| newer.dump().source() == DumpSource::Requests || task.status().age.is_some();
        let unpolled = newer.dump().tasks().iter().filter(is_counted).filter(|task| {
            !task.status().state.is_over() && before.get(&task.id()) == Some(&task.status().polls)
        });
        let settings = DumpText::new(text.clone());
        Self {
            from: older.dump().taken_at(),
            to: newer.dump().taken_at(),
            tasks: newer.dump().tasks().len(),
            new: absent(newer.dump().tasks(), &before),
            gone: absent(older.dump().tasks(), &after),
            unpolled: unpolled.cloned().collect(),
            uncounted: newer.dump().tasks().iter().filter(|task| !is_counted(task)).count(),
            took: newer.dump().took(),
            grown: Grown::between(older, newer, &settings),
            settings,
        }
    }

    /// The time between the two; none if the older one was taken later.
    #[must_use]
    pub fn between(&self) -> Duration {
        self.to.duration_since(self.from).unwrap_or_default()
    }

    /// Whether no task came or went, none is known to have rested, and no group grew.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.new.is_empty() && self.gone.is_empty() && self.unpolled.is_empty() && self.grown.is_empty()
    }

    /// Leaves out the line that says of how many tasks memory does not show polls, for readers who have been told.
    #[must_use]
    pub fn without_uncounted(mut self) -> Self {
        self.uncounted = 0;
        self
    }

    /// How many tasks the newer one has.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.tasks
    }

    /// Tasks that only the newer one has, as it has them.
    #[must_use]
    pub fn new_tasks(&self) -> &[TaskRecord] {
        &self.new
    }

    /// Tasks that only the older one has, as it has them.
    #[must_use]
    pub fn gone(&self) -> &[TaskRecord] {
        &self.gone
    }

    /// How many tasks the newer one has of which it does not know how often they were polled: memory shows that of wrapped tasks only.
    #[must_use]
    pub fn uncounted(&self) -> usize {
        self.uncounted
    }

    /// Tasks that were not polled in between, but perhaps to answer the dumps, as the newer one has them.
    #[must_use]
    pub fn unpolled(&self) -> &[TaskRecord] {
        &self.unpolled
    }

    /// Groups that have more tasks than before; those that grew by most come first.
    #[must_use]
    pub fn grown(&self) -> &[Grown] {
        &self.grown
    }

    /// Those that were not polled in between, by what they do; those first that should have been polled or are being so for long.
    pub(crate) fn unpolled_by_state(&self) -> Vec<Unpolled<'_>> {
        let mut states: Vec<Unpolled<'_>> = Vec::new();
        for task in &self.unpolled {
            let name = task.status().state.name();
            // Each thread that is busy is of interest by itself.
            let is_same = |it: &Unpolled<'_>| name != "polling" && it.state().name() == name;
            match states.iter_mut().find(|it| is_same(it)) {
                Some(state) => state.tasks.push(task),
                None => states.push(Unpolled { tasks: vec![task], took: self.took }),
            }
        }
        let rank = |state: &Unpolled<'_>| match state.state() {
            TaskState::Polling(_) => 0,
            TaskState::Woken => 1,
            TaskState::NeverPolled => 2,
            _ => 3,
        };
        // Stable: by id otherwise.
        states.sort_by_key(rank);
        states
    }
}

/// Tasks in one state that were not polled; at least one.
pub(crate) struct Unpolled<'a> {
    pub(crate) tasks: Vec<&'a TaskRecord>,
    took: Duration,
}

impl Unpolled<'_> {
    pub(crate) fn state(&self) -> &TaskState {
        &self.tasks[0].status().state
    }

    /// For how long they have been in that state.
    pub(crate) fn times(&self) -> TimesInState {
        TimesInState::of_all(self.tasks.iter().map(|task| task.status()), self.took)
    }
}

impl Grown {
    fn between(older: TaskTrees<'_>, newer: TaskTrees<'_>, settings: &DumpText) -> Vec<Self> {
        let (older, newer) = (older.groups(settings.text()), newer.groups(settings.text()));
        let mut before: HashMap<Key<'_>, HashSet<TaskId>> = HashMap::new();
        for group in older.iter() {
            let ids = older.tasks(group).map(TaskRecord::id);
            before.entry(Key::of(&older, group, settings)).or_default().extend(ids);
        }
        // One group of each that are shown alike: of tasks that are being polled, each is a group of its own.
        let mut after: HashMap<Key<'_>, Vec<&Group>> = HashMap::new();
        for group in newer.iter() {
            after.entry(Key::of(&newer, group, settings)).or_default().push(group);
        }
        let nobody = HashSet::new();
        let grown = after.iter().filter_map(|(key, groups)| {
            let before = before.get(key).unwrap_or(&nobody);
            Self::of(&newer, groups, settings, before)
        });
        let mut grown: Vec<Self> = grown.collect();
        // By what they show, so that the order does not depend on the process; then by their first task.
        grown.sort_by_cached_key(|it| (Reverse(it.after - it.before), it.body.to_string(), it.first));
        grown
    }

    /// Groups of the newer dump that are one, if there are more in it than `before`.
    fn of(
        all: &Groups<'_>,
        groups: &[&Group],
        settings: &DumpText,
        before: &HashSet<TaskId>,
    ) -> Option<Self> {
        let mut tasks: Vec<&TaskRecord> = groups.iter().flat_map(|group| all.tasks(group)).collect();
        tasks.sort_by_key(|task| task.id());
        let first = *tasks.first()?;
        if tasks.len() <= before.len() {
            return None;
        }
        let mut spawned_at = Vec::new();
        let mut known = HashSet::new();
        for task in &tasks {
            if known.insert(task.spawned_at()) {
                spawned_at.push(task.spawned_at().clone());
            }
        }
        Some(Self {
            before: before.len(),
            after: tasks.len(),
            body: settings.body(all, groups.first()?),
            joined: tasks.iter().filter(|task| !before.contains(&task.id())).copied().cloned().collect(),
            spawned_at,
            elsewhere: tasks.iter().filter(|task| task.spawned_at() != first.spawned_at()).count(),
            state: first.status().state.clone(),
            times: TimesInState::of_all(tasks.iter().map(|task| task.status()), all.trees.dump().took()),
            tree: all.trees.tree_of(first).cloned(),
            first: first.id(),
        })
    }

    /// The state that its tasks are in; if they are being polled, with the thread of the first.
    #[must_use]
    pub fn state(&self) -> &TaskState {
        &self.state
    }

    /// The tree of where they wait, if they have one, not filtered.
    #[must_use]
    pub fn tree(&self) -> Option<&Tree> {
        self.tree.as_ref()
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
}

impl<'a> Key<'a> {
    fn of(groups: &'a Groups<'_>, group: &Group, settings: &DumpText) -> Self {
        let first = groups.first(group);
        let tree = groups.tree_of(group).map(|tree| settings.text().shown_tree(tree));
        Self { state: first.status().state.name(), tree: tree.map_err(|reason| (reason, first.spawned_at())) }
    }
}
