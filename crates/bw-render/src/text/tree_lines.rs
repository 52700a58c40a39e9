//! The lines of a tree.

use std::collections::HashSet;
use std::fmt;

use super::count::Count;
use super::debug_info::Missing;
use super::escape::Shortened;
use super::styled::{SpanStyle, StyledText, StyledWrite};
use super::{Glyphs, NAME_BYTES, Text};
use crate::tree::filter::Detail;
use crate::tree::{Node, Tree};

/// Levels that are indented. Deeper ones stand at the same column and tell their depth, so that a runaway recursion prints
/// in linear space.
const INDENTED_LEVELS: usize = 100;

/// Of a recursion, so many frames are printed at its root end, and so many at its leaf end.
const REPEATED_FRAMES: usize = 10;

/// Said of a tree to which nothing was recorded.
pub(crate) const NO_STACK: &str =
    "no stack: the future returned Pending without cloning its waker, so nothing it was handed can wake it";

/// Said of where a task would go on, instead of what it had asked for.
pub(crate) const BUDGET_SPENT: &str = "runnable: its budget is spent";

/// Said of where a trace ends because its children are polled with other wakers.
pub(crate) const SUB_EXECUTOR: &str = "polls its children with its own waker; wrap them to see them";

/// Said of a root whose callers are missing, ...
const TRUNCATED: &str = "callers missing: the walk ended before the root";

/// ... because the stack is so deep.
const TOO_DEEP: &str = "callers missing: the stack is deeper than a walk goes";

/// Some lines of a tree.
pub(crate) struct Piece {
    pub(crate) lines: StyledText,
    /// The node below which more is to be drawn after them, and what stands before the lines of that.
    pub(crate) children_of: Option<(usize, String)>,
}

impl Text {
    /// Writes a tree, and what is not in it.
    pub(crate) fn write(&self, out: &mut impl StyledWrite, tree: &Tree) -> fmt::Result {
        let filtered = tree.filtered(self.detail);
        self.write_filtered(out, &filtered)?;
        if !self.footer || filtered.roots.is_empty() {
            return Ok(());
        }
        let mut lines = if filtered.has_no_frame() { Vec::new() } else { lost_stacks(&filtered) };
        lines.extend(Missing::of([tree]).notes().map(str::to_owned));
        lines.extend((filtered.hidden.total() > 0).then(|| filtered.hidden.to_string()));
        lines.iter().try_for_each(|line| {
            out.write_str("\n  ")?;
            out.styled(SpanStyle::Note, format_args!("({line})"))
        })
    }

    /// Writes a tree that was filtered before; where it has no node, why. Never writes nothing.
    pub(crate) fn write_filtered(&self, out: &mut impl StyledWrite, tree: &Tree) -> fmt::Result {
        if !tree.roots.is_empty() {
            let none = HashSet::new();
            self.write_nodes(out, tree, &none, &none, |_, _, _| {})?;
            if !tree.has_no_frame() {
                return Ok(());
            }
            out.write_char('\n')?;
        }
        let lost = lost_stacks(tree);
        if lost.is_empty() {
            let indent = if tree.roots.is_empty() { "" } else { "  " };
            return out.styled(SpanStyle::Note, format_args!("{indent}({NO_STACK})"));
        }
        lost.iter().enumerate().try_for_each(|(number, line)| {
            out.write_str(if number == 0 { "  " } else { "\n  " })?;
            out.styled(SpanStyle::Note, format_args!("({line})"))
        })
    }

    /// Returns a tree that was filtered before, cut where more is to be drawn below some of its nodes, after their callees.
    /// Without the nodes that are `replaced`, and what is below them.
    pub(crate) fn pieces(
        &self,
        tree: &Tree,
        with_children: &HashSet<usize>,
        replaced: &HashSet<usize>,
    ) -> Vec<Piece> {
        let (mut pieces, mut lines) = (Vec::new(), StyledText::new());
        let _never_fails =
            self.write_nodes(&mut lines, tree, with_children, replaced, |lines, at, prefix| {
                let lines = std::mem::take(lines);
                pieces.push(Piece { lines, children_of: Some((at, prefix.to_owned())) });
            });
        if !lines.is_empty() {
            pieces.push(Piece { lines, children_of: None });
        }
        for piece in &mut pieces {
            // The line feed between this piece and the one before.
            piece.lines.remove_empty_first_line();
        }
        pieces
    }

    /// Depth first, with a stack of our own. Where more is to be drawn, says below which node, and after what.
    fn write_nodes<W: StyledWrite>(
        &self,
        out: &mut W,
        tree: &Tree,
        with_children: &HashSet<usize>,
        replaced: &HashSet<usize>,
        mut at_children: impl FnMut(&mut W, usize, &str),
    ) -> fmt::Result {
        /// What is still to be drawn, and how deep.
        enum Ahead {
            Node {
                at: usize,
                depth: usize,
                is_last: bool,
                /// How many of the nodes right above look like it.
                alike: usize,
            },
            /// Below a node of the level above.
            Children { at: usize, depth: usize },
        }
        let [root, inner, last, through, nothing] = self.branches();
        let mut first = true;
        // What is drawn before a node's children, and how long it is for each level above.
        let mut prefix = String::new();
        let mut lengths = Vec::new();
        let is_shown = |at: &&usize| !replaced.contains(at);
        let roots = tree.roots.iter().rev().filter(is_shown);
        let mut ahead: Vec<_> =
            roots.map(|&at| Ahead::Node { at, depth: 0, is_last: true, alike: 0 }).collect();
        let runs = self.runs(tree, with_children, replaced);
        while let Some(next) = ahead.pop() {
            let (at, depth, is_last, alike) = match next {
                Ahead::Node { at, depth, is_last, alike } => (at, depth, is_last, alike),
                Ahead::Children { at, depth } => {
                    lengths.truncate(depth.min(INDENTED_LEVELS));
                    prefix.truncate(lengths.last().copied().unwrap_or(0));
                    at_children(out, at, &prefix);
                    continue;
                }
            };
            if !std::mem::take(&mut first) {
                out.write_char('\n')?;
            }
            let node = &tree.nodes[at];
            lengths.truncate(depth.min(INDENTED_LEVELS));
            prefix.truncate(lengths.last().copied().unwrap_or(0));
            let edge = match (depth, is_last) {
                (0, _) => root,
                (_, true) => last,
                (_, false) => inner,
            };
            out.styled(SpanStyle::TreeLine, format_args!("{prefix}{edge}"))?;
            if depth >= INDENTED_LEVELS {
                out.styled(SpanStyle::Note, format_args!("(level {depth})"))?;
                out.write_char(' ')?;
            } else {
                prefix.push_str(match (depth, is_last) {
                    (0, _) => " ",
                    (_, true) => nothing,
                    (_, false) => through,
                });
                lengths.push(prefix.len());
            }
            let depth = depth + 1;
            // In the middle of a long recursion.
            if alike == REPEATED_FRAMES && runs[at] > REPEATED_FRAMES + 1 {
                let folded = runs[at] - REPEATED_FRAMES;
                self.write_folded(out, node, folded)?;
                let at = (0..folded).fold(at, |at, _| tree.nodes[at].children[0]);
                ahead.push(Ahead::Node { at, depth, is_last: true, alike: alike + 1 });
                continue;
            }
            self.write_node(out, node)?;
            let alike = if runs[at] > 1 { alike + 1 } else { 0 };
            let mut is_last = true;
            if with_children.contains(&at) {
                ahead.push(Ahead::Children { at, depth });
                is_last = false;
            }
            for &at in node.children.iter().rev().filter(is_shown) {
                ahead.push(Ahead::Node { at, depth, is_last, alike });
                is_last = false;
            }
        }
        Ok(())
    }

    /// For each node, how many nodes look alike from it on, each the only one that the one before calls: a recursion. Where
    /// everything is shown, none does.
    fn runs(&self, tree: &Tree, with_children: &HashSet<usize>, replaced: &HashSet<usize>) -> Vec<usize> {
        let mut runs = vec![1; tree.nodes.len()];
        if self.detail == Detail::Full {
            return runs;
        }
        let is_in_run = |at: usize, node: &Node| {
            node.ends == 0 && !with_children.contains(&at) && !replaced.contains(&at)
        };
        for (at, node) in tree.nodes.iter().enumerate().rev() {
            let &[only] = &*node.children else { continue };
            let callee = &tree.nodes[only];
            if is_in_run(at, node)
                && is_in_run(only, callee)
                && (&node.frame, node.count, node.marks) == (&callee.frame, callee.count, callee.marks)
                && node.frame.function.is_some()
            {
                runs[at] = runs[only] + 1;
            }
        }
        runs
    }

    /// `… 480 more of async fn app::level`
    fn write_folded(&self, out: &mut impl StyledWrite, node: &Node, folded: usize) -> fmt::Result {
        let ellipsis = self.ellipsis();
        out.styled(SpanStyle::Note, format_args!("{ellipsis} {} more of ", Count(folded)))?;
        out.styled(SpanStyle::Function, format_args!("{}", self.shown_node(node).name.escaped(ellipsis)))
    }

    fn write_node(&self, out: &mut impl StyledWrite, node: &Node) -> fmt::Result {
        let (node, ellipsis) = (self.shown_node(node), self.ellipsis());
        out.styled(SpanStyle::Function, format_args!("{}", node.name.escaped(ellipsis)))?;
        if node.count > 1 {
            let times = if self.glyphs == Glyphs::Unicode { '×' } else { 'x' };
            out.write_char(' ')?;
            out.styled(SpanStyle::Note, format_args!("({times}{})", node.count))?;
        }
        if let Some((file, line, column)) = node.location {
            let file = Shortened { text: file, most: NAME_BYTES, ellipsis };
            match (line, column) {
                (Some(line), Some(column)) => {
                    out.styled(SpanStyle::Location, format_args!(" at {file}:{line}:{column}"))
                }
                (Some(line), None) => out.styled(SpanStyle::Location, format_args!(" at {file}:{line}")),
                (None, _) => out.styled(SpanStyle::Location, format_args!(" at {file}")),
            }?;
        }
        for (mark, text) in [
            (node.marks.is_yield, "woke itself"),
            (node.marks.also_yields, "and woke itself"),
            (node.marks.budget_spent, BUDGET_SPENT),
            (node.marks.sub_executor, SUB_EXECUTOR),
            (node.marks.blocked, "blocks its thread"),
            (node.marks.foreign, "on another thread"),
            (node.marks.too_deep, TOO_DEEP),
            (node.marks.truncated && !node.marks.too_deep, TRUNCATED),
            (node.marks.of_type, node.name.note_of_type()),
        ] {
            if mark {
                out.write_char(' ')?;
                out.styled(SpanStyle::Note, format_args!("({text})"))?;
            }
        }
        Ok(())
    }
}

/// What is said of stacks that are not in a tree; a line for each kind.
pub(crate) fn lost_stacks(tree: &Tree) -> Vec<String> {
    let mut lines = Vec::new();
    if tree.dropped > 0 {
        let stacks = if tree.dropped == 1 { "stack" } else { "stacks" };
        lines
            .push(format!("{} {stacks} did not fit; ask again: the next trace gets more room", tree.dropped));
    }
    if tree.unnamed > 0 {
        let stacks = if tree.unnamed == 1 { "stack names" } else { "stacks name" };
        lines.push(format!("{} {stacks} no function but those of this library", tree.unnamed));
    }
    if tree.blank > 0 {
        let stacks = if tree.blank == 1 { "stack has" } else { "stacks have" };
        lines.push(format!("{} {stacks} no frames: too little stack was left to walk it, or its leaf has no unwind information", tree.blank));
    }
    lines
}
