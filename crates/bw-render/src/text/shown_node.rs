//! What a text shows of a node: what is printed of it, and so what makes two trees look alike.

use std::borrow::Cow;
use std::fmt;

use bw_symbolize::Location;

use super::count::Plural;
use super::escape::Shortened;
use super::{NAME_BYTES, Text, short_name};
use crate::tree::filter::Detail;
use crate::tree::{Marks, Node, Place, Tree};

/// A node as a text shows it.
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct ShownNode<'a> {
    pub(crate) name: ShownName<'a>,
    pub(crate) count: usize,
    /// The path as it is shown, the line and the column.
    pub(crate) location: Option<(&'a str, Option<u32>, Option<u32>)>,
    pub(crate) marks: Marks,
}

/// Said of a node that is the task's type.
pub(crate) const BY_TYPE: &str = "the task's type";

/// What stands for a function.
#[derive(PartialEq, Eq, Hash)]
pub(crate) enum ShownName<'a> {
    Function(Cow<'a, str>),
    /// Without a name: the file of the module, and the offset inside the call, which is what `addr2line -e FILE` wants.
    Code {
        file: &'a str,
        offset: u64,
    },
    /// In no module that is known.
    Address(usize),
    /// So many frames that are missing.
    LeftOut(usize),
}

/// Trees that a text shows alike are equal in this.
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct ShownTree<'a> {
    /// Each with its parent.
    nodes: Vec<(Option<usize>, ShownNode<'a>)>,
    /// Stacks that did not fit and that have no frames, which are told where there is no node.
    lost: Option<(usize, usize, usize)>,
}

impl Text {
    /// Returns what is shown of a node of a tree that is filtered.
    pub(crate) fn shown_node<'a>(&self, node: &'a Node) -> ShownNode<'a> {
        let name = match &node.frame.function {
            Some(function) if self.shown_detail() == Detail::Full => Cow::Borrowed(&*function.name).into(),
            Some(function) => short_name::shorten(&function.name, self.ellipsis()).into(),
            None => ShownName::of_nameless(node),
        };
        let location = |at: &'a Location| (self.path(&at.file), at.line, at.column);
        let also_yields = node.marks.also_yields && !self.is_of_dump;
        let sub_executor = node.marks.sub_executor && !self.children_are_traced;
        ShownNode {
            name,
            count: node.count,
            location: node.frame.location.as_ref().map(location),
            marks: Marks { also_yields, sub_executor, ..node.marks },
        }
    }

    /// Returns what is shown of a tree that is filtered. Allocates; linear in the number of nodes.
    pub(crate) fn shown_tree<'a>(&self, tree: &'a Tree) -> ShownTree<'a> {
        let nodes = tree.nodes.iter().map(|node| (node.parent, self.shown_node(node))).collect();
        ShownTree { nodes, lost: tree.has_no_frame().then_some((tree.dropped, tree.blank, tree.unnamed)) }
    }
}

impl<'a> ShownName<'a> {
    /// Returns what is shown of a node that has no function.
    pub(crate) fn of_nameless(node: &'a Node) -> Self {
        match node.marks.left_out {
            0 => Self::of_place(&node.place),
            frames => Self::LeftOut(frames),
        }
    }

    /// Returns what is said of this name where it is that of a task's type.
    pub(crate) fn note_of_type(&self) -> &'static str {
        match self {
            // The type has no more to tell.
            Self::Function(name) if name.starts_with("async fn ") => {
                "the task's type: this function, or an async block in it"
            }
            _ => BY_TYPE,
        }
    }

    /// Returns what is shown of a place that has no name.
    pub(crate) fn of_place(place: &'a Place) -> Self {
        match &place.module {
            Some(module) => Self::Code {
                file: module.path.rsplit('/').next().unwrap_or(&module.path),
                offset: module.offset.saturating_sub(1),
            },
            None => Self::Address(place.address.saturating_sub(1)),
        }
    }

    /// Returns the name to be printed: escaped, and cut where it is endless.
    pub(crate) fn escaped(&self, ellipsis: &'static str) -> impl fmt::Display {
        EscapedName { name: self, ellipsis }
    }
}

impl<'a> From<Cow<'a, str>> for ShownName<'a> {
    fn from(name: Cow<'a, str>) -> Self {
        Self::Function(name)
    }
}

struct EscapedName<'a> {
    name: &'a ShownName<'a>,
    ellipsis: &'static str,
}

impl fmt::Display for EscapedName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |text| Shortened { text, most: NAME_BYTES, ellipsis: self.ellipsis };
        match self.name {
            ShownName::Function(name) => short(name).fmt(f),
            ShownName::Code { file, offset } => write!(f, "{}+{offset:#x}", short(file)),
            ShownName::Address(address) => write!(f, "{address:#x}"),
            ShownName::LeftOut(frames) => {
                write!(
                    f,
                    "{} {} left out: the stack is deeper than a trace keeps",
                    self.ellipsis,
                    Plural(*frames, "frame")
                )
            }
        }
    }
}
