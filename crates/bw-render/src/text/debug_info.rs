//! What the debug information of a program lacks, as far as a tree shows it.

use crate::tree::frame_class::{Class, CratesWithSource};
use crate::tree::source_origin::SourceOrigin;
use crate::tree::{Node, Tree};

/// What is missing of the trees that are shown, to be said once for all of them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Missing {
    lines: bool,
    names: bool,
    paths: bool,
}

impl Missing {
    pub(crate) fn of<'a>(trees: impl IntoIterator<Item = &'a Tree>) -> Self {
        let mut missing = Self::default();
        for tree in trees {
            missing.lines |= lacks_lines(tree);
            missing.names |= tree.nodes.iter().any(is_nameless);
            missing.paths |= lacks_paths(tree);
        }
        missing
    }

    /// A sentence for each thing that is missing.
    pub(crate) fn notes(self) -> impl Iterator<Item = &'static str> {
        let all = [(self.names, LACKS_NAMES), (self.lines, LACKS_LINES), (self.paths, LACKS_PATHS)];
        all.into_iter().filter_map(|(is_missing, note)| is_missing.then_some(note))
    }
}

/// Said where functions have names and no lines.
const LACKS_LINES: &str = "debug information is missing: no lines, and functions that were inlined do not \
                           show; build with debug = 1, do not strip";

/// Whether functions of the program have no position; or those of libraries, where the program's do not show at all. Without a
/// position of their own, libraries lack nothing that a build with debug information of the program alone does not have either.
fn lacks_lines(tree: &Tree) -> bool {
    let crates = CratesWithSource::default();
    let is_own = |node: &&Node| {
        let file = node.frame.location.as_ref().map(|location| SourceOrigin::of(&location.file));
        file == Some(SourceOrigin::Program) && Class::of_node(node, &crates) != Class::Hook
    };
    let has_own_lines = tree.nodes.iter().any(|node| is_own(&node));
    tree.nodes.iter().filter(|node| is_rust_without_line(node)).any(|node| {
        match Class::of_node(node, &crates) {
            Class::User => true,
            Class::Library | Class::Combinator | Class::Hook => !has_own_lines,
            // Nameless: see `is_nameless`. C code often has no lines, and neither does what the compiler makes up.
            Class::Nameless | Class::Std | Class::Glue => false,
        }
    })
}

fn is_rust_without_line(node: &Node) -> bool {
    let is_rust = node.frame.function.as_ref().is_some_and(|function| function.path.contains("::"));
    is_rust && node.frame.location.is_none() && !node.marks.of_type
}

/// Said where functions have not even names.
const LACKS_NAMES: &str = "functions are without names: the symbols of their file were stripped, or it was not found, or it was \
                           replaced by another build";

fn is_nameless(node: &Node) -> bool {
    let Node { frame, marks, .. } = node;
    frame.function.is_none() && frame.location.is_none() && marks.left_out == 0
}

/// Said where [`lacks_paths`] holds.
const LACKS_PATHS: &str =
    "inlined functions lack their paths: the debug information has only lines; build with debug = 1";

/// Whether a body stands in a function that nothing names, as with `debug = "line-tables-only"`.
fn lacks_paths(tree: &Tree) -> bool {
    let names = tree.nodes.iter().filter_map(|node| node.frame.function.as_ref());
    names.into_iter().any(|function| function.name.ends_with(" {unknown}"))
}
