//! The tasks of a dump as a tree: children below the task in whose poll they are polled, or else were wrapped.

use std::collections::HashMap;
use std::fmt::{self, Write as _};

use bw_core::TaskId;

use crate::dump_text::DumpText;
use crate::groups::{Groups, Looks};
use crate::task_trees::TaskTrees;

/// Levels of tasks that are indented. Deeper ones stand at the same column.
const INDENTED_LEVELS: usize = 30;

impl DumpText {
    /// Tasks as a tree: below the await of each task stand its children. Children that look alike, and have none of their own,
    /// stand together. Tasks whose parents are not in the dump are roots.
    ///
    /// Groups when it is made, which allocates; printing allocates little.
    #[must_use]
    pub fn tree<'a>(&'a self, trees: TaskTrees<'a>) -> impl fmt::Display + 'a {
        TaskTree { settings: self, family: Family::new(trees), groups: trees.groups(self.text()) }
    }
}

/// Who is whose child, by index.
struct Family {
    roots: Vec<usize>,
    children: Vec<Vec<usize>>,
}

impl Family {
    fn new(trees: TaskTrees<'_>) -> Self {
        let tasks = trees.dump().tasks();
        let index: HashMap<TaskId, usize> =
            tasks.iter().enumerate().map(|(at, task)| (task.id(), at)).collect();
        let parents: Vec<Option<usize>> =
            tasks.iter().map(|task| index.get(&task.parent()?).copied()).collect();
        let mut family = Self { roots: Vec::new(), children: vec![Vec::new(); tasks.len()] };
        // Data from elsewhere may have circles: whoever is not below a root after all becomes one.
        let mut reached = vec![false; tasks.len()];
        for (at, parent) in parents.iter().enumerate() {
            match parent {
                Some(parent) => family.children[*parent].push(at),
                None => family.roots.push(at),
            }
        }
        let roots = family.roots.clone();
        for root in roots.into_iter().chain(0..tasks.len()) {
            if reached[root] {
                continue;
            }
            if parents[root].is_some() {
                family.roots.push(root);
                if let Some(parent) = parents[root] {
                    family.children[parent].retain(|&child| child != root);
                }
            }
            let mut ahead = vec![root];
            while let Some(at) = ahead.pop() {
                if !std::mem::replace(&mut reached[at], true) {
                    ahead.extend(&family.children[at]);
                }
            }
        }
        family
    }
}

struct TaskTree<'a> {
    settings: &'a DumpText,
    groups: Groups<'a>,
    family: Family,
}

/// What is still to be printed: tasks that stand together, the text before their lines, and whether they are the last there.
struct Ahead {
    tasks: Vec<usize>,
    prefix: String,
    level: usize,
    is_last: bool,
}

impl fmt::Display for TaskTree<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.summary(f, self.groups.trees.dump())?;
        // By the group a task is of.
        let mut group_of = vec![0; self.groups.trees.dump().tasks().len()];
        for (number, group) in self.groups.iter().enumerate() {
            for &at in group.indices() {
                group_of[at] = number;
            }
        }
        let together = |tasks: &[usize]| {
            let mut sets: Vec<Vec<usize>> = Vec::new();
            let mut known: HashMap<usize, usize> = HashMap::new();
            for &at in tasks {
                if !self.family.children[at].is_empty() {
                    sets.push(vec![at]);
                    continue;
                }
                let set = *known.entry(group_of[at]).or_insert_with(|| {
                    sets.push(Vec::new());
                    sets.len() - 1
                });
                sets[set].push(at);
            }
            sets
        };
        let mut ahead: Vec<Ahead> = Vec::new();
        for tasks in together(&self.family.roots).into_iter().rev() {
            ahead.push(Ahead { tasks, prefix: String::new(), level: 0, is_last: true });
        }
        while let Some(Ahead { tasks, prefix, level, is_last }) = ahead.pop() {
            let Some(&first) = tasks.first() else { continue };
            f.write_str(if level == 0 { "\n\n" } else { "\n" })?;
            let [root, inner, last, through, nothing] = self.settings.text().branches();
            let edge = match (level, is_last) {
                (0, _) => "",
                (_, true) => last,
                (_, false) => inner,
            };
            write!(f, "{prefix}{edge}")?;
            let below = match (level, is_last) {
                (0, _) => prefix,
                _ if level > INDENTED_LEVELS => prefix,
                (_, true) => prefix + nothing,
                (_, false) => prefix + through,
            };
            let mut body = String::new();
            self.body(&mut body, &tasks, group_of[first])?;
            let mut lines = body.lines();
            f.write_str(lines.next().unwrap_or_default())?;
            let mut last_line = "";
            for line in lines {
                write!(f, "\n{below}{line}")?;
                last_line = line;
            }
            // The children stand under the await, where the tree has only one.
            let print = match self.groups.groups[group_of[first]].looks {
                Looks::Print(print) => self.groups.prints.texts[print].as_str(),
                Looks::NoTrace(_) => "",
            };
            let is_path = !print.contains(inner.trim_end());
            let edge = last_line.chars().position(|c| root.starts_with(c));
            let column = edge.filter(|_| is_path).map_or(1, |edge| if edge == 0 { 1 } else { edge + 2 });
            let padding = if level < INDENTED_LEVELS { " ".repeat(column) } else { String::new() };
            let sets = together(&self.family.children[first]);
            let count = sets.len();
            for (n, tasks) in sets.into_iter().enumerate().rev() {
                ahead.push(Ahead {
                    tasks,
                    prefix: format!("{below}{padding}"),
                    level: level + 1,
                    is_last: n + 1 == count,
                });
            }
        }
        self.groups.prints.footer(f, self.settings.text())
    }
}

impl TaskTree<'_> {
    /// The lines of tasks that stand together.
    fn body(&self, body: &mut String, tasks: &[usize], group: usize) -> fmt::Result {
        let all = self.groups.trees.dump().tasks();
        let group = &self.groups.groups[group];
        if let [only] = tasks {
            self.settings.heading(body, &all[*only])?;
        } else {
            let ages = || tasks.iter().filter_map(|&at| all[at].status().in_state);
            write!(body, "{} ", crate::dump_text::Plural(tasks.len(), "task"))?;
            self.settings.state(body, &all[tasks[0]].status().state, ages().min(), ages().max())?;
            body.write_str(": ")?;
            self.settings.samples_of(body, tasks.iter().map(|&at| &all[at]))?;
            body.write_str(", ")?;
            self.settings.spawned_at(body, &all[tasks[0]])?;
        }
        body.write_char('\n')?;
        match group.looks {
            Looks::Print(print) => body.write_str(&self.groups.prints.texts[print]),
            Looks::NoTrace(reason) => self.settings.no_trace(body, reason),
        }
    }
}
