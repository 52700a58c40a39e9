//! Edges between tasks, and the rings in them.

/// An edge: the first task cannot go on without the second. Tasks are numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) why: Why,
}

/// Why a task cannot go on without another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// It waits for a lock that the other one holds.
    Holds,
    /// It waits for a lock, and the other one is in front of it in the queue.
    IsInFront,
    /// It waits for the end of the other one.
    IsJoined,
}

/// Tasks and edges between them.
#[derive(Clone, Debug, Default)]
pub(crate) struct WaitGraph {
    edges: Vec<Edge>,
    tasks: usize,
}

impl WaitGraph {
    /// Edges between so many tasks.
    pub(crate) fn new(tasks: usize, mut edges: Vec<Edge>) -> Self {
        edges.retain(|edge| edge.from < tasks && edge.to < tasks);
        edges.sort_by_key(|edge| (edge.from, edge.to));
        Self { edges, tasks }
    }

    /// The edges that lead away from a task.
    pub(crate) fn from(&self, task: usize) -> &[Edge] {
        let start = self.edges.partition_point(|edge| edge.from < task);
        let end = self.edges.partition_point(|edge| edge.from <= task);
        self.edges.get(start..end).unwrap_or_default()
    }

    /// Sets of tasks of which each waits for each, through others or itself. Sorted.
    pub(crate) fn rings(&self) -> Vec<Vec<usize>> {
        let backwards = self.edges.iter().map(|edge| Edge { from: edge.to, to: edge.from, why: edge.why });
        let backwards = Self::new(self.tasks, backwards.collect());
        let mut seen = vec![false; self.tasks];
        let mut order = Vec::new();
        for task in 0..self.tasks {
            self.visit(task, &mut seen, &mut order);
        }
        let mut seen = vec![false; self.tasks];
        let mut rings = Vec::new();
        for task in order.into_iter().rev() {
            let mut ring = Vec::new();
            backwards.visit(task, &mut seen, &mut ring);
            ring.sort_unstable();
            let is_ring =
                ring.len() > 1 || ring.iter().any(|&task| self.from(task).iter().any(|it| it.to == task));
            if is_ring {
                rings.push(ring);
            }
        }
        rings.sort_unstable();
        rings
    }

    /// How many tasks that are not among these wait for them, directly or through others.
    pub(crate) fn stuck_behind(&self, tasks: &[usize]) -> usize {
        let backwards = self.edges.iter().map(|edge| Edge { from: edge.to, to: edge.from, why: edge.why });
        let backwards = Self::new(self.tasks, backwards.collect());
        let mut seen = vec![false; self.tasks];
        let mut all = Vec::new();
        for &task in tasks {
            backwards.visit(task, &mut seen, &mut all);
        }
        all.len().saturating_sub(tasks.len())
    }

    /// Adds the tasks that are reached from this one and were not seen, each behind all that it leads to.
    fn visit(&self, task: usize, seen: &mut [bool], order: &mut Vec<usize>) {
        // Each task with the number of its edges that were followed; no recursion, as a chain may be long.
        let mut open: Vec<(usize, usize)> = Vec::new();
        let mut enter = |task: usize, open: &mut Vec<(usize, usize)>| {
            if let Some(seen) = seen.get_mut(task)
                && !*seen
            {
                *seen = true;
                open.push((task, 0));
            }
        };
        enter(task, &mut open);
        while let Some((task, followed)) = open.last_mut() {
            let task = *task;
            match self.from(task).get(*followed) {
                Some(edge) => {
                    *followed += 1;
                    enter(edge.to, &mut open);
                }
                None => {
                    order.push(task);
                    open.pop();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(tasks: usize, edges: &[(usize, usize)]) -> WaitGraph {
        WaitGraph::new(tasks, edges.iter().map(|&(from, to)| Edge { from, to, why: Why::Holds }).collect())
    }

    #[test]
    fn a_chain_is_taken_for_a_ring() {
        let rings = |tasks, edges: &[(usize, usize)]| graph(tasks, edges).rings();
        assert!(rings(4, &[(0, 1), (1, 2), (0, 2), (3, 2)]).is_empty());
        assert!(rings(0, &[(0, 1)]).is_empty());
        assert_eq!(rings(4, &[(0, 1), (1, 0), (2, 1), (3, 3)]), [vec![0, 1], vec![3]]);
        assert_eq!(rings(5, &[(4, 2), (2, 0), (0, 4), (1, 0), (3, 1)]), [vec![0, 2, 4]]);
    }

    #[test]
    fn tasks_behind_a_ring_are_not_counted() {
        assert_eq!(graph(5, &[(4, 2), (2, 0), (0, 4), (1, 0), (3, 1)]).stuck_behind(&[0, 2, 4]), 2);
        assert_eq!(graph(2, &[(0, 1)]).stuck_behind(&[0]), 0);
    }

    #[test]
    fn a_long_chain_overflows_the_stack() {
        let length = 200_000;
        let edges: Vec<(usize, usize)> = (0..length).map(|at| (at, (at + 1) % length)).collect();
        assert_eq!(graph(length, &edges).rings().len(), 1);
    }
}
