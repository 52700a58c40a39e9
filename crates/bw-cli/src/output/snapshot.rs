//! What a process said at one moment.

use bw_core::RawTrace;
use bw_dump::RawDumpFile;
use bw_render::{TaskTrees, Tree};
use bw_symbolize::{Problem, SymbolizedTrace, Symbolizer};

use super::progress::Progress;

/// A raw dump, and the trees of where its tasks wait: what every form of output is made from. Owned and `Send`.
#[derive(Debug)]
pub(crate) struct Snapshot {
    file: RawDumpFile<'static>,
    trees: Vec<Tree>,
    problems: Vec<Problem>,
}

impl Snapshot {
    /// Symbolizes the traces of a dump, each once. Opens files, and may ask servers: takes from milliseconds to seconds, of
    /// which a terminal is told unless `is_quiet`.
    pub(crate) fn new(file: RawDumpFile<'static>, symbolizer: &Symbolizer, is_quiet: bool) -> Self {
        let traces = symbolized(symbolizer, file.dump().traces(), is_quiet);
        let trees = TaskTrees::trees(file.dump(), &traces);
        Self { file, trees, problems: symbolizer.problems() }
    }

    /// The dump with no names, for what needs none.
    pub(crate) fn raw(file: RawDumpFile<'static>) -> Self {
        Self { file, trees: Vec::new(), problems: Vec::new() }
    }

    /// One by hand.
    #[cfg(test)]
    pub(crate) fn by_hand(file: RawDumpFile<'static>, trees: Vec<Tree>) -> Self {
        Self { file, trees, problems: Vec::new() }
    }

    /// The process, its modules and its tasks.
    pub(crate) fn file(&self) -> &RawDumpFile<'static> {
        &self.file
    }

    /// Its tasks with where they wait.
    pub(crate) fn trees(&self) -> TaskTrees<'_> {
        TaskTrees::new(self.file.dump(), &self.trees)
    }

    /// Why names or lines are missing.
    pub(crate) fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

/// Symbolizes traces, each once. A terminal is told how far that is, unless `is_quiet`.
pub(crate) fn symbolized(
    symbolizer: &Symbolizer,
    traces: &[RawTrace],
    is_quiet: bool,
) -> Vec<SymbolizedTrace> {
    let progress = (!is_quiet).then(|| Progress::new("reading debug information", traces.len(), "traces"));
    let symbolize = |trace| {
        let symbolized = symbolizer.symbolize(trace);
        if let Some(progress) = &progress {
            progress.advance();
        }
        symbolized
    };
    traces.iter().map(symbolize).collect()
}
