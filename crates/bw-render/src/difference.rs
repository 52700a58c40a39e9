//! What changed between two dumps of one process.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use bw_core::{TaskId, TaskRecord};

use crate::dump_text::{DumpText, Plural};
use crate::span::{Count, Span};
use crate::task_trees::TaskTrees;
use crate::text::Text;

/// What changed between two dumps of one process: tasks that came, that went, that were not polled in between, and groups that
/// grew. Prints itself; made by [`TaskTrees::since`].
#[derive(Clone, Debug)]
pub struct Difference {
    between: Duration,
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
    /// The state they are in, and what their trees print, or why they have none.
    pub looks: String,
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
            between: newer.dump().taken_at().duration_since(older.dump().taken_at()).unwrap_or_default(),
            new: absent(newer.dump().tasks(), &before),
            gone: absent(older.dump().tasks(), &after),
            unpolled: unpolled.cloned().collect(),
            grown: Grown::between(older, newer, text),
            settings,
        }
    }

    /// The time between the two.
    #[must_use]
    pub fn between(&self) -> Duration {
        self.between
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
}

impl Grown {
    fn between(older: TaskTrees<'_>, newer: TaskTrees<'_>, text: &Text) -> Vec<Self> {
        let count = |trees: TaskTrees<'_>| {
            let groups = trees.groups(text);
            let mut counts: HashMap<String, usize> = HashMap::new();
            for group in groups.iter() {
                let reason = group.no_trace().map(|reason| format!("(no trace: {reason})"));
                let looks = groups.print(group).map(str::to_owned).or(reason).unwrap_or_default();
                let state = groups.first(group).status().state.name().replace('_', " ");
                *counts.entry(format!("{state}\n{looks}")).or_default() += group.len();
            }
            counts
        };
        let before = count(older);
        let grown = count(newer).into_iter().filter_map(|(looks, after)| {
            let before = before.get(&looks).copied().unwrap_or(0);
            (after > before).then_some(Self { before, after, looks })
        });
        let mut grown: Vec<_> = grown.collect();
        grown.sort_by(|a, b| {
            (b.after - b.before).cmp(&(a.after - a.before)).then_with(|| a.looks.cmp(&b.looks))
        });
        grown
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} later", Span(self.between))?;
        for (tasks, what) in
            [(&self.new, "new"), (&self.gone, "gone"), (&self.unpolled, "not polled in between")]
        {
            write!(f, "\n{} {what}", Plural(tasks.len(), "task"))?;
            if !tasks.is_empty() {
                f.write_str(": ")?;
                self.settings.samples_of(f, tasks.iter())?;
            }
        }
        for group in &self.grown {
            write!(
                f,
                "\n\nfrom {} to {}, {}",
                Count(group.before),
                Plural(group.after, "task"),
                group.looks
            )?;
        }
        Ok(())
    }
}
