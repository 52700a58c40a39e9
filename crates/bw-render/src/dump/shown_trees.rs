//! The trees of a dump as a text shows them, each once.

use std::collections::HashMap;
use std::fmt;

use bw_core::NoTrace;

use crate::text::Text;
use crate::text::debug_info::Missing;
use crate::text::styled::{SpanStyle, StyledWrite};
use crate::tree::Tree;
use crate::tree::filter::Hidden;

/// The trees of a dump, filtered. Those that a text shows alike are one.
#[derive(Clone, Debug)]
pub(crate) struct ShownTrees {
    pub(crate) distinct: Vec<Tree>,
    /// For each tree of the dump, its number among those.
    number_of: Vec<usize>,
    /// What is left out of all of them.
    hidden: Hidden,
    missing: Missing,
}

impl ShownTrees {
    /// Allocates; linear in the number of nodes.
    pub(crate) fn new(trees: &[Tree], text: &Text) -> Self {
        let text = text.clone().of_dump();
        let filtered: Vec<_> = trees.iter().map(|tree| tree.filtered(text.shown_detail())).collect();
        let mut hidden = Hidden::default();
        for tree in &filtered {
            hidden.add(tree.hidden);
        }
        let mut known = HashMap::new();
        let mut is_first = Vec::with_capacity(filtered.len());
        let number_of = filtered
            .iter()
            .map(|tree| {
                let next = known.len();
                let number = *known.entry(text.shown_tree(tree)).or_insert(next);
                is_first.push(number == next);
                number
            })
            .collect();
        drop(known);
        let mut is_first = is_first.into_iter();
        Self {
            distinct: filtered.into_iter().filter(|_| is_first.next() == Some(true)).collect(),
            number_of,
            hidden,
            missing: Missing::of(trees),
        }
    }

    /// The number of a trace's tree. A trace without a tree is treated as if it were none.
    pub(crate) fn number(&self, trace: Result<usize, NoTrace>) -> Result<usize, NoTrace> {
        self.number_of.get(trace?).copied().ok_or(NoTrace::NotAsked)
    }

    /// Below all trees: what is not in them, in lines of their own.
    pub(crate) fn footer(&self, out: &mut impl StyledWrite) -> fmt::Result {
        self.missing.notes().try_for_each(|text| note(out, &text))?;
        if self.hidden.total() > 0 {
            note(out, &self.hidden)?;
        }
        Ok(())
    }
}

fn note(out: &mut impl StyledWrite, text: &dyn fmt::Display) -> fmt::Result {
    out.write_str("\n\n")?;
    out.styled(SpanStyle::Note, format_args!("({text})"))
}
