//! The tasks of a dump as a tree: children below the task in whose poll they are polled, or else were wrapped.

use std::collections::HashMap;
use std::fmt::{self, Write as _};

use bw_core::TaskId;

use crate::dump::child_places::ParentTrees;
use crate::dump::dump_text::DumpText;
use crate::dump::groups::Groups;
use crate::dump::task_trees::TaskTrees;
use crate::dump::times_in_state::TimesInState;
use crate::text::count::Plural;
use crate::text::styled::{SpanStyle, StyledText, StyledWrite};

/// Levels of tasks that are indented, while their lines begin with no more than so many bytes. Deeper ones stand at the same
/// column.
const INDENTED_LEVELS: usize = 30;
const INDENTED_BYTES: usize = 1_000;

impl DumpText {
    /// Tasks as a tree: below the await of each task stand its children. Children that look alike, and have none of their own,
    /// stand together. Tasks whose parents are not in the dump are roots.
    ///
    /// A child that the task awaits stands where it is polled, and its frames are printed once, as its own. One that is polled with
    /// a waker of its own stands at the `FuturesUnordered` that does so; where there are several, or none is known, below the last
    /// frame that all stacks of the task have in common. One that was only spawned stands beside the trace, so that it does not
    /// read as if the task awaited it.
    ///
    /// Groups when it is made, which allocates; printing allocates little.
    #[must_use]
    pub fn tree<'a>(&'a self, trees: TaskTrees<'a>) -> impl fmt::Display + 'a {
        let groups = trees.groups(self.text());
        let group_of = groups.of_tasks();
        TaskHierarchy { settings: self, family: Family::new(trees), groups, group_of }
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

struct TaskHierarchy<'a> {
    settings: &'a DumpText,
    groups: Groups<'a>,
    /// For each task, the group it is of.
    group_of: Vec<usize>,
    family: Family,
}

/// What is still to be printed, and what stands before its lines.
enum Ahead {
    /// Tasks that stand together, and whether they are the last there.
    Tasks { tasks: Vec<usize>, prefix: String, level: usize, is_last: bool },
    /// Of what a task prints, that which comes after some of its children.
    Lines { lines: StyledText, prefix: String },
}

/// Some lines of what a task prints, and the children below them.
#[derive(Default)]
struct Part {
    lines: StyledText,
    /// What stands before those of the children.
    prefix: String,
    children: Vec<Vec<usize>>,
}

impl fmt::Display for TaskHierarchy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (text, trees) = (self.settings.text(), self.groups.trees);
        let out = &mut text.painter(f);
        DumpText::summary(out, trees.dump())?;
        let [_, inner, last, through, nothing] = text.branches();
        let mut parents = ParentTrees::new(trees, text.shown_detail());
        let roots = self.together(self.family.roots.iter().map(|&at| (at, None)));
        let root = |(tasks, _)| Ahead::Tasks { tasks, prefix: String::new(), level: 0, is_last: true };
        let mut ahead: Vec<Ahead> = roots.into_iter().rev().map(root).collect();
        while let Some(next) = ahead.pop() {
            let (tasks, prefix, level, is_last) = match next {
                Ahead::Tasks { tasks, prefix, level, is_last } => (tasks, prefix, level, is_last),
                Ahead::Lines { lines, prefix } => {
                    for line in lines.lines() {
                        out.write_char('\n')?;
                        out.styled(SpanStyle::TreeLine, format_args!("{prefix}"))?;
                        out.line(line)?;
                    }
                    continue;
                }
            };
            let (edge, more) = match (level, is_last) {
                (0, _) => ("", ""),
                (_, true) => (last, nothing),
                (_, false) => (inner, through),
            };
            out.write_str(if level == 0 { "\n\n" } else { "\n" })?;
            out.styled(SpanStyle::TreeLine, format_args!("{prefix}{edge}"))?;
            self.heading(out, &tasks)?;
            let is_indented = level < INDENTED_LEVELS && prefix.len() < INDENTED_BYTES;
            let below = if is_indented { prefix + more } else { prefix };
            for Part { lines, prefix: inner, children } in self.parts(&tasks, &mut parents).into_iter().rev()
            {
                let prefix = format!("{below}{}", if is_indented { &*inner } else { "" });
                for (n, tasks) in children.into_iter().rev().enumerate() {
                    let prefix = prefix.clone();
                    ahead.push(Ahead::Tasks { tasks, prefix, level: level + 1, is_last: n == 0 });
                }
                ahead.push(Ahead::Lines { lines, prefix: below.clone() });
            }
        }
        self.groups.grouping.shown.footer(out)
    }
}

impl TaskHierarchy<'_> {
    /// Puts those together that stand at the same place, look alike, and have no children of their own.
    fn together(
        &self,
        tasks: impl Iterator<Item = (usize, Option<usize>)>,
    ) -> Vec<(Vec<usize>, Option<usize>)> {
        let mut sets: Vec<(Vec<usize>, Option<usize>)> = Vec::new();
        let mut known: HashMap<(usize, Option<usize>), usize> = HashMap::new();
        for (at, node_above) in tasks {
            if !self.family.children[at].is_empty() {
                sets.push((vec![at], node_above));
                continue;
            }
            let set = *known.entry((self.group_of[at], node_above)).or_insert_with(|| {
                sets.push((Vec::new(), node_above));
                sets.len() - 1
            });
            sets[set].0.push(at);
        }
        sets
    }

    /// The first line of tasks that stand together.
    fn heading(&self, f: &mut impl StyledWrite, tasks: &[usize]) -> fmt::Result {
        let dump = self.groups.trees.dump();
        let all = dump.tasks();
        if let &[only] = tasks {
            return self.settings.heading(f, &all[only], dump.took());
        }
        f.styled(SpanStyle::Heading, format_args!("{}", Plural(tasks.len(), "task")))?;
        f.write_char(' ')?;
        let times = TimesInState::of_all(tasks.iter().map(|&at| all[at].status()), dump.took());
        self.settings.state(f, &all[tasks[0]].status().state, tasks.len(), times)?;
        f.write_str(": ")?;
        self.settings.samples_of(f, tasks.iter().map(|&at| &all[at]))?;
        self.settings.spawned_at(f, ", ", all[tasks[0]].spawned_at())
    }

    /// The other lines, and the children.
    fn parts(&self, tasks: &[usize], parents: &mut ParentTrees<'_>) -> Vec<Part> {
        let Some(&first) = tasks.first() else { return Vec::new() };
        let all = self.groups.trees.dump().tasks();
        let of_family = self.family.children[first].iter().copied();
        let (children, spawned): (Vec<_>, Vec<_>) = of_family.partition(|&at| all[at].is_nested());
        let mut parts = if children.is_empty() {
            vec![Part { lines: self.body(first), ..Part::default() }]
        } else {
            self.parts_with_polled(first, &children, parents)
        };
        if !spawned.is_empty() {
            let mut lines = StyledText::new();
            let _never_fails = lines
                .styled(SpanStyle::Note, format_args!("spawned by {}, not awaited here:", all[first].id()));
            let sets = self.together(spawned.into_iter().map(|at| (at, None)));
            let children = sets.into_iter().map(|(tasks, _)| tasks).collect();
            parts.push(Part { lines, children, ..Part::default() });
        }
        parts
    }

    /// What a task prints with the children that it polls, at the places that poll them.
    fn parts_with_polled(
        &self,
        first: usize,
        children: &[usize],
        parents: &mut ParentTrees<'_>,
    ) -> Vec<Part> {
        let all = self.groups.trees.dump().tasks();
        let records: Vec<_> = children.iter().map(|&at| &all[at]).collect();
        let places = parents.places(&all[first], &records);
        let sets = self.together(children.iter().copied().zip(places.nodes_above));
        let mut by_node: HashMap<Option<usize>, Vec<Vec<usize>>> = HashMap::new();
        for (tasks, node_above) in sets {
            by_node.entry(node_above).or_default().push(tasks);
        }
        let with_children = by_node.keys().copied().flatten().collect();
        let pieces = match parents.tree(&all[first]) {
            Some(tree) => {
                let text = self.settings.text().with_traced_children(true);
                text.pieces(tree, &with_children, &places.replaced)
            }
            None => Vec::new(),
        };
        let mut parts: Vec<_> = pieces
            .into_iter()
            .map(|piece| {
                let (at, prefix) = piece.children_of.unzip();
                let children = at.and_then(|at| by_node.remove(&Some(at))).unwrap_or_default();
                Part { lines: piece.lines, prefix: prefix.unwrap_or_default(), children }
            })
            .collect();
        if parts.is_empty() {
            parts.push(Part { lines: self.body(first), ..Part::default() });
        }
        if let Some(children) = by_node.remove(&None) {
            parts.push(Part { children, ..Part::default() });
        }
        parts
    }

    /// What a task prints without the children that it polls.
    fn body(&self, at: usize) -> StyledText {
        let mut body = StyledText::new();
        let grouping = &self.groups.grouping;
        let state = &self.groups.trees.dump().tasks()[at].status().state;
        let group = &grouping.groups[self.group_of[at]];
        let _never_fails = self.settings.write_body(&mut body, grouping, group, state);
        body
    }
}
