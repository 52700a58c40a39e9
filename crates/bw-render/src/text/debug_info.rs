//! What the debug information of a program lacks, as far as a tree shows it.

use crate::tree::frame_class::{Class, CratesWithSource};
use crate::tree::{Node, Tree};

/// Said where [`lacks_debug_info`] holds.
pub(crate) const LACKS_DEBUG_INFO: &str = "debug information is missing: no lines, and functions that were inlined do not \
                                           show; build with debug = 1, do not strip";

/// Whether a frame is of Rust code, or of nobody knows what, and has no position. C code often has none, and neither does
/// what the compiler makes up.
pub(crate) fn lacks_debug_info(tree: &Tree) -> bool {
    tree.nodes.iter().any(|Node { frame, .. }| {
        // Without a file nothing depends on where its crate is at home.
        let is_rust = frame.function.as_ref().is_none_or(|function| function.path.contains("::"));
        is_rust
            && frame.location.is_none()
            && !matches!(Class::of(frame, &CratesWithSource::default()), Class::Std | Class::Glue)
    })
}

/// Said where [`lacks_paths`] holds.
pub(crate) const LACKS_PATHS: &str =
    "inlined functions lack their paths: the debug information has only lines; build with debug = 1";

/// Whether a body stands in a function that nothing names, as with `debug = "line-tables-only"`.
pub(crate) fn lacks_paths(tree: &Tree) -> bool {
    let names = tree.nodes.iter().filter_map(|node| node.frame.function.as_ref());
    names.into_iter().any(|function| function.name.ends_with(" {unknown}"))
}
