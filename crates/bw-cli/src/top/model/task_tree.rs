//! Which task is whose child, by index.

use std::collections::HashMap;

/// Which task is whose child, by index among the tasks of a summary. Has no circles, whatever the dump says.
#[derive(Debug, Default)]
pub(crate) struct TaskTree {
    parents: Vec<Option<u32>>,
    children: Vec<u32>,
}

impl TaskTree {
    /// Of tasks with their ids and those of their parents. Allocates; linear.
    pub(crate) fn new(tasks: impl Iterator<Item = (u64, Option<u64>)> + Clone) -> Self {
        let index: HashMap<u64, u32> = tasks.clone().map(|(id, _)| id).zip(0..).collect();
        let mut parents: Vec<Option<u32>> = tasks.map(|(_, parent)| index.get(&parent?).copied()).collect();
        // On the way up from each task; whoever is met twice on one way is cut off from what is above it.
        let mut seen_from: Vec<Option<u32>> = vec![None; parents.len()];
        for start in 0..u32::try_from(parents.len()).unwrap_or(u32::MAX) {
            let mut at = start;
            while seen_from[at as usize].is_none() {
                seen_from[at as usize] = Some(start);
                let Some(parent) = parents[at as usize] else { break };
                if seen_from[parent as usize] == Some(start) {
                    parents[at as usize] = None;
                    break;
                }
                at = parent;
            }
        }
        let mut children = vec![0; parents.len()];
        for parent in parents.iter().flatten() {
            children[*parent as usize] += 1;
        }
        Self { parents, children }
    }

    pub(crate) fn parent(&self, task: usize) -> Option<usize> {
        self.parents.get(task).copied().flatten().map(|parent| parent as usize)
    }

    /// How many children a task has.
    pub(crate) fn children(&self, task: usize) -> usize {
        self.children.get(task).map_or(0, |&count| count as usize)
    }

    /// The children of a task. Looks at all tasks.
    pub(crate) fn children_of(&self, task: usize) -> Vec<u32> {
        if self.children(task) == 0 {
            return Vec::new();
        }
        let parents = self.parents.iter().zip(0..);
        parents.filter(|(parent, _)| parent.is_some_and(|it| it as usize == task)).map(|(_, at)| at).collect()
    }

    /// Tasks as lines of a tree: siblings in the order in which they stand in `order`, which has each task at most once, and the
    /// parents of each; without what is below a closed one. Allocates; linear.
    pub(crate) fn lines(&self, order: &[u32], is_closed: impl Fn(usize) -> bool) -> Vec<TreeRow> {
        // All children of each task one after another: a task's begin where those of the one before it end.
        let mut begins = Vec::with_capacity(self.children.len() + 1);
        let mut total = 0_usize;
        for &count in &self.children {
            begins.push(total);
            total += count as usize;
        }
        let mut roots = Vec::new();
        let mut ends = begins.clone();
        let mut of_all = vec![0_u32; total];
        for &task in order {
            match self.parents.get(task as usize).copied().flatten() {
                Some(parent) => {
                    let end = &mut ends[parent as usize];
                    of_all[*end] = task;
                    *end += 1;
                }
                None => roots.push(task),
            }
        }
        let mut lines = Vec::with_capacity(order.len());
        let mut ahead: Vec<TreeRow> = Vec::new();
        let push = |ahead: &mut Vec<TreeRow>, siblings: &[u32], depth: u32, rails: u16| {
            let lines = siblings.iter().enumerate();
            ahead.extend(lines.rev().map(|(at, &task)| {
                let goes_on = u16::from(at + 1 < siblings.len());
                TreeRow { task, depth, rails: rails | goes_on.checked_shl(depth).unwrap_or(0) }
            }));
        };
        push(&mut ahead, &roots, 0, 0);
        while let Some(line) = ahead.pop() {
            let at = line.task as usize;
            lines.push(line);
            if !is_closed(at) {
                push(&mut ahead, &of_all[begins[at]..ends[at]], line.depth + 1, line.rails);
            }
        }
        lines
    }
}

/// A task in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TreeRow {
    pub(crate) task: u32,
    pub(crate) depth: u32,
    /// A bit for each of the first levels: whether more siblings come below there, of it or of who it is a child of.
    pub(crate) rails: u16,
}

impl TreeRow {
    /// A line of a list without levels.
    pub(crate) fn flat(task: u32) -> Self {
        Self { task, depth: 0, rails: 0 }
    }

    /// Whether more siblings come below, at that level: its own or one above.
    pub(crate) fn goes_on(self, level: u32) -> bool {
        self.rails.checked_shr(level).is_some_and(|rails| rails & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(parents: &[Option<u64>], closed: &[usize]) -> Vec<(u32, u32)> {
        let tasks = parents.iter().enumerate().map(|(at, parent)| (at as u64, *parent));
        let order: Vec<u32> = (0..).take(parents.len()).collect();
        let lines = TaskTree::new(tasks).lines(&order, |at| closed.contains(&at));
        lines.iter().map(|line| (line.task, line.depth)).collect()
    }

    #[test]
    fn children_stand_below_their_parents() {
        let parents = [None, Some(0), Some(1), Some(0), None, Some(77)];
        assert_eq!(shape(&parents, &[]), [(0, 0), (1, 1), (2, 2), (3, 1), (4, 0), (5, 0)]);
        assert_eq!(shape(&parents, &[0]), [(0, 0), (4, 0), (5, 0)]);
        assert_eq!(shape(&[], &[]), []);
    }

    #[test]
    fn a_line_goes_on_to_the_next_sibling() {
        let tasks =
            [None, Some(0), Some(1), Some(0), None].into_iter().zip(0_u64..).map(|(parent, at)| (at, parent));
        let lines = TaskTree::new(tasks).lines(&[0, 1, 2, 3, 4], |_| false);
        let goes_on =
            |at: usize| (0..=lines[at].depth).map(|level| lines[at].goes_on(level)).collect::<Vec<_>>();
        assert_eq!((goes_on(0), goes_on(1), goes_on(4)), (vec![true], vec![true, true], vec![false]));
        assert_eq!((goes_on(2), goes_on(3)), (vec![true, true, false], vec![true, false]));
        assert!(!lines[0].goes_on(16) && !lines[0].goes_on(1_000));
    }

    #[test]
    fn circles_are_cut_and_everybody_is_there() {
        assert_eq!(shape(&[Some(0)], &[]), [(0, 0)]);
        for parents in [
            &[Some(1), Some(0)][..],
            &[Some(1), Some(2), Some(1), Some(0)],
            &[Some(3), Some(0), Some(1), Some(2), Some(2)],
        ] {
            let mut tasks: Vec<u32> = shape(parents, &[]).iter().map(|(task, _)| *task).collect();
            tasks.sort_unstable();
            assert_eq!(tasks, (0..).take(parents.len()).collect::<Vec<u32>>(), "{parents:?}");
        }
    }

    #[test]
    fn a_chain_of_a_hundred_thousand_is_no_recursion() {
        let parents: Vec<_> = (0..100_000_u64).map(|at| at.checked_sub(1)).collect();
        assert_eq!(shape(&parents, &[]).last(), Some(&(99_999, 99_999)));
    }
}
