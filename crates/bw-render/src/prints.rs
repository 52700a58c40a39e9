//! What the trees of a dump print, each once.

use std::collections::HashMap;
use std::fmt;

use crate::filter::Hidden;
use crate::text::{self, Text};
use crate::tree::Tree;

/// What the trees of a dump print. Trees that print the same share one text.
#[derive(Clone, Debug)]
pub(crate) struct Prints {
    pub(crate) texts: Vec<String>,
    /// For each tree, the number of its text.
    pub(crate) of: Vec<usize>,
    /// What is left out of all of them.
    hidden: Hidden,
    lacks_debug_info: bool,
    lacks_paths: bool,
}

impl Prints {
    pub(crate) fn new(trees: &[Tree], text: &Text) -> Self {
        let text = text.clone().footer(false).of_dump();
        let mut prints = Self {
            texts: Vec::new(),
            of: Vec::new(),
            hidden: Hidden::default(),
            lacks_debug_info: false,
            lacks_paths: false,
        };
        let mut known: HashMap<String, usize> = HashMap::new();
        for tree in trees {
            let number = *known.entry(text.render(tree).to_string()).or_insert_with_key(|print| {
                prints.texts.push(print.clone());
                prints.texts.len() - 1
            });
            prints.of.push(number);
            prints.hidden.add(text.hides(tree));
            prints.lacks_debug_info |= text::lacks_debug_info(tree);
            prints.lacks_paths |= text::lacks_paths(tree);
        }
        prints
    }

    /// Below all trees: what is not in them, in lines of their own.
    pub(crate) fn footer(&self, f: &mut impl fmt::Write, text: &Text) -> fmt::Result {
        let note = text.colors().note;
        if self.lacks_debug_info {
            write!(f, "\n\n{note}({}){note:#}", text::LACKS_DEBUG_INFO)?;
        }
        if self.lacks_paths {
            write!(f, "\n\n{note}({}){note:#}", text::LACKS_PATHS)?;
        }
        if self.hidden.total() > 0 {
            write!(f, "\n\n{note}({}){note:#}", self.hidden)?;
        }
        Ok(())
    }
}
