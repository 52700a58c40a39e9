//! What changed between two dumps of one process.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::{Duration, SystemTime};

use bw_core::{SpawnedAt, TaskId, TaskRecord, TaskState};

use crate::dump_text::{DumpText, Plural};
use crate::groups::{Group, Groups};
use crate::span::{Count, Span};
use crate::task_trees::TaskTrees;
use crate::text::Text;
use crate::tree::Tree;

/// What changed between two dumps of one process: tasks that came, that went, that were not polled in between, and groups that
/// grew. Prints itself; made by [`TaskTrees::since`].
#[derive(Clone, Debug)]
pub struct Difference {
    pub(crate) from: SystemTime,
    pub(crate) to: SystemTime,
    /// How many tasks the newer one has.
    pub(crate) tasks: usize,
    new: Vec<TaskRecord>,
    gone: Vec<TaskRecord>,
    unpolled: Vec<TaskRecord>,
    grown: Vec<Grown>,
    settings: DumpText,
}

/// A group that has more tasks than before.
#[derive(Clone, Debug)]
pub struct Grown {
    /// How many tasks it had.
    pub before: usize,
    /// How many it has.
    pub after: usize,
    /// What their trees print, or why they have none.
    pub looks: String,
    /// The tasks of it that were not in it before, by id, as the newer dump has them: new ones, and those that came from elsewhere.
    pub joined: Vec<TaskRecord>,
    /// Where its tasks were wrapped, each place once, in the order of the tasks; at least one.
    pub spawned_at: Vec<SpawnedAt>,
    /// How many of its tasks were not wrapped at the first of those.
    elsewhere: usize,
    state: TaskState,
    youngest: Option<Duration>,
    oldest: Option<Duration>,
    pub(crate) tree: Option<Tree>,
}

/// What makes tasks of two dumps be of one group.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    state: &'static str,
    looks: String,
    /// Only where there is no tree to tell them apart.
    spawned_at: Option<SpawnedAt>,
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
        let unpolled = newer.dump().tasks().iter().filter(|task| {
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
            grown: Grown::between(older, newer, &settings),
            settings,
        }
    }

    /// The time between the two; none if the older one was taken later.
    #[must_use]
    pub fn between(&self) -> Duration {
        self.to.duration_since(self.from).unwrap_or_default()
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
                None => states.push(Unpolled { tasks: vec![task] }),
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
}

impl Unpolled<'_> {
    pub(crate) fn state(&self) -> &TaskState {
        &self.tasks[0].status().state
    }

    /// For how long they have been in that state: the shortest and the longest.
    pub(crate) fn times(&self) -> (Option<Duration>, Option<Duration>) {
        let times = || self.tasks.iter().filter_map(|task| task.status().in_state);
        (times().min(), times().max())
    }
}

impl Grown {
    fn between(older: TaskTrees<'_>, newer: TaskTrees<'_>, settings: &DumpText) -> Vec<Self> {
        let (older, newer) = (older.groups(settings.text()), newer.groups(settings.text()));
        let mut before: HashMap<Key, HashSet<TaskId>> = HashMap::new();
        for group in older.iter() {
            let ids = older.tasks(group).map(TaskRecord::id);
            before.entry(Key::of(&older, group, settings)).or_default().extend(ids);
        }
        // One group of each that print alike: of tasks that are being polled, each is a group of its own.
        let mut after: Vec<(Key, Vec<&Group>)> = Vec::new();
        let mut known: HashMap<Key, usize> = HashMap::new();
        for group in newer.iter() {
            let key = Key::of(&newer, group, settings);
            match known.get(&key) {
                Some(&at) => after[at].1.push(group),
                None => {
                    known.insert(Key::of(&newer, group, settings), after.len());
                    after.push((key, vec![group]));
                }
            }
        }
        let nobody = HashSet::new();
        let grown = after.into_iter().filter_map(|(key, groups)| {
            let before = before.get(&key).unwrap_or(&nobody);
            Self::of(&newer, &groups, key.looks, before)
        });
        let mut grown: Vec<Self> = grown.collect();
        grown.sort_by(|a, b| {
            let by = |it: &Self| it.after - it.before;
            by(b).cmp(&by(a)).then_with(|| a.looks.cmp(&b.looks))
        });
        grown
    }

    /// Groups of the newer dump that are one, if there are more in it than `before`.
    fn of(all: &Groups<'_>, groups: &[&Group], looks: String, before: &HashSet<TaskId>) -> Option<Self> {
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
        let times = || tasks.iter().filter_map(|task| task.status().in_state);
        Some(Self {
            before: before.len(),
            after: tasks.len(),
            looks,
            joined: tasks.iter().filter(|task| !before.contains(&task.id())).copied().cloned().collect(),
            spawned_at,
            elsewhere: tasks.iter().filter(|task| task.spawned_at() != first.spawned_at()).count(),
            state: first.status().state.clone(),
            youngest: times().min(),
            oldest: times().max(),
            tree: all.trees.tree_of(first).cloned(),
        })
    }

    /// The state that its tasks are in; if they are being polled, with the thread of the first.
    #[must_use]
    pub fn state(&self) -> &TaskState {
        &self.state
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
}

impl Key {
    fn of(groups: &Groups<'_>, group: &Group, settings: &DumpText) -> Self {
        let first = groups.first(group);
        let state = &first.status().state;
        match group.no_trace() {
            None => Self {
                state: state.name(),
                looks: groups.print(group).unwrap_or_default().to_owned(),
                spawned_at: None,
            },
            Some(reason) => {
                let mut looks = String::new();
                // Writing to a string cannot fail.
                let _ = settings.no_trace(&mut looks, reason, state);
                Self { state: state.name(), looks, spawned_at: Some(first.spawned_at().clone()) }
            }
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} later", Span(self.between()))?;
        for (tasks, what) in [(&self.new, "new"), (&self.gone, "gone")] {
            write!(f, "\n{} {what}", Plural(tasks.len(), "task"))?;
            if !tasks.is_empty() {
                f.write_str(": ")?;
                self.settings.samples_of(f, tasks.iter())?;
            }
        }
        self.fmt_unpolled(f)?;
        for group in &self.grown {
            f.write_str("\n\n")?;
            self.fmt_grown(f, group)?;
        }
        Ok(())
    }
}

/// States of tasks that were not polled, of which no more are printed.
const MOST_UNPOLLED: usize = 10;

impl Difference {
    /// Idle tasks are in a line together: there may be thousands, and nothing is wrong with them. The others have one each.
    fn fmt_unpolled(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{} not polled in between", Plural(self.unpolled.len(), "task"))?;
        let states = self.unpolled_by_state();
        for (at, of_state) in states.iter().enumerate() {
            let is_idle = matches!(of_state.state(), TaskState::Suspended);
            if at >= MOST_UNPOLLED && !is_idle {
                continue;
            }
            let (youngest, oldest) = of_state.times();
            f.write_str(if at == 0 && is_idle { ": " } else { "\n  " })?;
            write!(f, "{} ", Count(of_state.tasks.len()))?;
            self.settings.state(f, of_state.state(), of_state.tasks.len(), youngest, oldest)?;
            if !is_idle {
                f.write_str(": ")?;
                self.settings.samples_of(f, of_state.tasks.iter().copied())?;
            }
        }
        let others = states.iter().skip(MOST_UNPOLLED);
        match others.filter(|it| !matches!(it.state(), TaskState::Suspended)).count() {
            0 => Ok(()),
            others => write!(f, "\n  {} {} more", self.settings.text().ellipsis(), Count(others)),
        }
    }

    fn fmt_grown(&self, f: &mut fmt::Formatter<'_>, group: &Grown) -> fmt::Result {
        let function = self.settings.text().colors().function;
        let (before, after) = (Count(group.before), Plural(group.after, "task"));
        write!(f, "{function}from {before} to {after}{function:#}, ")?;
        self.settings.state(f, &group.state, group.after, group.youngest, group.oldest)?;
        f.write_str("; new there: ")?;
        self.settings.samples_of(f, group.joined.iter())?;
        f.write_str("\n")?;
        if let Some(first) = group.spawned_at.first() {
            self.settings.spawned_at_place(f, first)?;
        }
        if group.elsewhere > 0 {
            write!(f, ", and {} elsewhere", Count(group.elsewhere))?;
        }
        write!(f, "\n{}", group.looks)
    }
}
