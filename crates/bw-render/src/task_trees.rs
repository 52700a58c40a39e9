//! A task dump with the trees of where its tasks wait.

use bw_core::{RawTaskDump, TaskRecord};
use bw_symbolize::SymbolizedTrace;

use crate::difference::Difference;
use crate::filter::Detail;
use crate::folded::Folded;
use crate::groups::Groups;
use crate::html::Html;
use crate::json::Json;
use crate::pprof::Pprof;
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
    /// The tree of every distinct trace of a dump, as [`new`](Self::new) wants them.
    #[must_use]
    pub fn trees(traces: &[SymbolizedTrace]) -> Vec<Tree> {
        traces.iter().map(Tree::new).collect()
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

    /// What changed since an older dump of the same process.
    #[must_use]
    pub fn since(&self, older: &TaskTrees<'_>, text: &Text) -> Difference {
        Difference::new(*older, *self, text)
    }

    /// The dump as JSON, pretty or on one line. See [`json`](crate::json) for the schema, and [`Json`] for more ways to write it
    /// and what it costs.
    #[must_use]
    pub fn to_json(&self, pretty: bool) -> String {
        Json::new().pretty(pretty).render(*self)
    }

    /// The dump as a page of HTML, one file with all it needs, for a browser. See [`html`](crate::html), and [`Html`] for more to
    /// say on it and what it costs.
    #[must_use]
    pub fn to_html(&self) -> String {
        Html::new().render(*self)
    }

    /// The dump as folded stacks, with the frames that `detail` shows. Allocates; linear in the number of nodes and tasks.
    #[must_use]
    pub fn folded(&self, detail: Detail) -> Folded {
        Folded::new(*self, detail)
    }

    /// The dump as a profile of pprof, compressed. See [`pprof`](crate::pprof) for what is in it. Allocates; linear in the number
    /// of tasks and of the frames of distinct traces.
    #[must_use]
    pub fn to_pprof(&self, settings: &Pprof<'_>) -> Vec<u8> {
        // It is written to memory, which takes all there is.
        crate::pprof::write(*self, settings).unwrap_or_default()
    }

    pub(crate) fn all_trees(&self) -> &'a [Tree] {
        self.trees
    }
}
