//! Dumps of many processes with the trees of where their tasks wait.

mod groups;
mod json;
mod text;

use bw_core::NoTrace;
use bw_dump::MergedDump;

use crate::format::folded::Folded;
use crate::format::pprof::Pprof;
use crate::text::Text;
use crate::tree::Tree;
use crate::tree::filter::Detail;

pub use self::groups::{MergedGroups, MergedPart};

/// Dumps of many processes, and the trees of where their tasks wait: what every form of output is made from. Borrows both; making
/// one costs nothing.
#[derive(Clone, Copy, Debug)]
pub struct MergedTrees<'a> {
    dump: &'a MergedDump,
    trees: &'a [Tree],
    across_builds: bool,
}

impl<'a> MergedTrees<'a> {
    /// Puts dumps and trees together, of which there is one for each of their traces, in their order. Where trees are missing,
    /// tasks are treated as if they had no trace.
    #[must_use]
    pub fn new(dump: &'a MergedDump, trees: &'a [Tree]) -> Self {
        Self { dump, trees, across_builds: false }
    }

    /// Whether tasks of different builds are of one group if their trees print the same. Unless told they are not: a fleet that
    /// is being updated waits differently before and after.
    #[must_use]
    pub fn across_builds(mut self, across: bool) -> Self {
        self.across_builds = across;
        self
    }

    /// The dumps.
    #[must_use]
    pub fn dump(&self) -> &'a MergedDump {
        self.dump
    }

    /// Tasks that look alike, together, as `text` shows them. Allocates; linear in the number of groups of the dump.
    #[must_use]
    pub fn groups(&self, text: &Text) -> MergedGroups<'a> {
        MergedGroups::new(*self, text)
    }

    /// All of it as JSON, on one line or pretty. Allocates. One object, with the promises of [`json`](crate::json):
    ///
    /// | field | is |
    /// |---|---|
    /// | `format` | `"backtrace-waker merged dumps"` |
    /// | `version` | 1 |
    /// | `dumps`, `tasks` | how many there were |
    /// | `taken_first`, `taken_last` | when: RFC 3339, UTC, to the millisecond |
    /// | `partial_dumps` | how many of the dumps are partial |
    /// | `programs` | what was dumped, most dumps first: `path`, `build_id`, and how many `dumps` are of it |
    /// | `groups` | tasks that look alike, the oldest group first |
    /// | `groups[].count`, `.processes` | how many they are, and in how many processes |
    /// | `groups[].state`, `.oldest_s`, `.youngest_s`, `.trace`, `.no_trace` | as of a dump |
    /// | `groups[].programs` | indices in `programs` |
    /// | `groups[].spawned_at` | the first ten places: `file`, `line`, `column` |
    /// | `groups[].tasks` | the ten that have been longest where they are: `dump` (a name), `pid`, `id`, `name`, `in_state_s` |
    /// | `traces` | one for each group that has some, of those that print the same the first; as of a dump |
    #[must_use]
    pub fn to_json(&self, pretty: bool) -> String {
        json::text(*self, pretty)
    }

    /// As folded stacks, with the frames that `detail` shows, counted by tasks. Builds are not told apart. Allocates.
    #[must_use]
    pub fn folded(&self, detail: Detail) -> Folded {
        let counts = self.dump.groups().iter().map(|group| (group.trace(), group.tasks()));
        Folded::of(self.trees, counts, detail)
    }

    /// As a profile of pprof, compressed: a sample for each group and place. See [`pprof`](crate::pprof#of-many-processes).
    /// Allocates.
    #[must_use]
    pub fn to_pprof(&self, settings: &Pprof<'_>) -> Vec<u8> {
        // It is written to memory, which takes all there is.
        crate::format::pprof::write_merged(*self, settings).unwrap_or_default()
    }

    pub(crate) fn all_trees(&self) -> &'a [Tree] {
        self.trees
    }

    /// The tree of a trace, or why there is none.
    fn tree(&self, trace: Result<usize, NoTrace>) -> Result<&'a Tree, NoTrace> {
        self.trees.get(trace?).ok_or(NoTrace::NotAsked)
    }
}
