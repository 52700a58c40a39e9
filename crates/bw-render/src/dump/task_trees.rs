//! A task dump with the trees of where its tasks wait.

use std::collections::HashSet;

use bw_core::{RawTaskDump, TaskId, TaskRecord};
use bw_symbolize::SymbolizedTrace;

use super::groups::Groups;
use crate::text::Text;
use crate::tree::Tree;

/// The tasks of a dump, and the trees of where they wait: what every form of output is made from. Borrows both; making one
/// costs nothing.
#[derive(Clone, Copy, Debug)]
pub struct TaskTrees<'a> {
    dump: &'a RawTaskDump,
    trees: &'a [Tree],
}

impl<'a> TaskTrees<'a> {
    /// The tree of every distinct trace of a dump, as [`new`](Self::new) wants them, from the traces in the order of the dump. A trace that
    /// names no function of the program is told by the type of its tasks: see [`Tree::of_task`].
    #[must_use]
    pub fn trees(dump: &RawTaskDump, traces: &[SymbolizedTrace]) -> Vec<Tree> {
        let mut types = vec![None; traces.len()];
        for task in dump.tasks() {
            if let Some(known) = task.trace().ok().and_then(|trace| types.get_mut(trace)) {
                *known = known.or(task.type_name());
            }
        }
        traces.iter().zip(types).map(|(trace, type_name)| Tree::of_task(trace, type_name)).collect()
    }

    /// Puts the tasks of a dump and its trees together, of which there is one for each distinct trace, in their order. Where
    /// trees are missing, tasks are treated as if they had no trace.
    #[must_use]
    pub fn new(dump: &'a RawTaskDump, trees: &'a [Tree]) -> Self {
        Self { dump, trees }
    }

    /// The dump.
    #[must_use]
    pub fn dump(&self) -> &'a RawTaskDump {
        self.dump
    }

    /// Where that task of the dump waits.
    #[must_use]
    pub fn tree_of(&self, task: &TaskRecord) -> Option<&'a Tree> {
        self.trees.get(task.trace().ok()?)
    }

    /// Tasks that look alike, together, as `text` shows them. See [`Groups`]. Allocates; linear in the number of tasks.
    #[must_use]
    pub fn groups(&self, text: &Text) -> Groups<'a> {
        Groups::new(*self, text)
    }

    /// The tasks that have traced children in the dump.
    pub(crate) fn parents(&self) -> HashSet<TaskId> {
        self.dump.tasks().iter().filter_map(TaskRecord::parent).collect()
    }

    pub(crate) fn all_trees(&self) -> &'a [Tree] {
        self.trees
    }
}
