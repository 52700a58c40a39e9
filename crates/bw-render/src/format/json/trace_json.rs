//! Where a task waits, as JSON.

use serde::Serialize;

use crate::text::paths::Paths;
use crate::text::short_name;
use crate::tree::filter::Detail;
use crate::tree::frame_class::{Class, CratesWithSource, crate_of};
use crate::tree::{Node, Tree};

#[derive(Serialize)]
pub(crate) struct Trace<'a> {
    pub(crate) dropped: usize,
    pub(crate) blank: usize,
    pub(crate) nodes: Vec<TraceNode<'a>>,
    pub(crate) user: View,
    pub(crate) library: View,
}

#[derive(Serialize)]
pub(crate) struct TraceNode<'a> {
    /// What it is made of.
    #[serde(skip)]
    #[cfg(feature = "html")]
    pub(crate) node: &'a Node,
    pub(crate) parent: Option<usize>,
    pub(crate) function: Option<&'a str>,
    path: Option<&'a str>,
    pub(crate) file: Option<&'a str>,
    pub(crate) line: Option<u32>,
    pub(crate) column: Option<u32>,
    module: Option<&'a str>,
    offset: Option<u64>,
    address: Option<String>,
    ends: usize,
    pub(crate) truncated: bool,
    pub(crate) foreign: bool,
    #[serde(rename = "yield")]
    pub(crate) is_yield: bool,
    pub(crate) blocked: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) too_deep: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) of_type: bool,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) left_out: usize,
    pub(crate) short: Option<String>,
    #[serde(rename = "crate")]
    pub(crate) owner: Option<&'a str>,
    pub(crate) class: &'static str,
}

/// What is left of a tree.
#[derive(Serialize)]
pub(crate) struct View {
    pub(crate) hidden: usize,
    pub(crate) nodes: Vec<ViewNode>,
}

#[derive(Serialize)]
pub(crate) struct ViewNode {
    pub(crate) node: usize,
    pub(crate) parent: Option<usize>,
    pub(crate) count: usize,
    pub(crate) truncated: bool,
    pub(crate) foreign: bool,
    #[serde(rename = "yield")]
    pub(crate) is_yield: bool,
    pub(crate) blocked: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) budget_spent: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) sub_executor: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) too_deep: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) of_type: bool,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) left_out: usize,
}

/// For marks that hardly any node has.
#[allow(clippy::trivially_copy_pass_by_ref)] // Serde wants it.
fn is_false(value: &bool) -> bool {
    !value
}

#[allow(clippy::trivially_copy_pass_by_ref)] // Serde wants it.
fn is_zero(value: &usize) -> bool {
    *value == 0
}

impl<'a> Trace<'a> {
    pub(crate) fn new(tree: &'a Tree, paths: &Paths) -> Self {
        let crates = CratesWithSource::of(tree.nodes().iter().map(|node| &node.frame));
        let nodes = tree.nodes().iter().map(|node| TraceNode::new(node, &crates, paths)).collect();
        let (user, library) = (View::new(tree, Detail::User), View::new(tree, Detail::Library));
        Self { dropped: tree.dropped(), blank: tree.blank(), nodes, user, library }
    }
}

impl<'a> TraceNode<'a> {
    fn new(node: &'a Node, crates: &CratesWithSource<'_>, paths: &Paths) -> Self {
        let (function, location) = (node.frame.function.as_ref(), node.frame.location.as_ref());
        // What is no frame has no address.
        let is_frame = !node.marks.of_type && node.marks.left_out == 0;
        let module = node.place.module.as_ref().filter(|_| is_frame);
        let short = function.map(|function| (short_name::shorten(&function.name, "…"), &*function.name));
        Self {
            #[cfg(feature = "html")]
            node,
            parent: node.parent,
            function: function.map(|function| &*function.name),
            path: function.map(|function| &*function.path),
            file: location.map(|location| paths.show(&location.file, true)),
            line: location.and_then(|location| location.line),
            column: location.and_then(|location| location.column),
            module: module.map(|module| &*module.path),
            offset: module.map(|module| module.offset),
            address: (is_frame && module.is_none()).then(|| format!("{:#x}", node.place.address)),
            ends: node.ends,
            truncated: node.marks.truncated,
            foreign: node.marks.foreign,
            is_yield: node.marks.is_yield,
            blocked: node.marks.blocked,
            too_deep: node.marks.too_deep,
            of_type: node.marks.of_type,
            left_out: node.marks.left_out,
            short: short.and_then(|(short, name)| (short != name).then(|| short.into_owned())),
            owner: function.and_then(|function| crate_of(&function.path)),
            class: Class::of_node(node, crates).name(),
        }
    }
}

impl View {
    fn new(tree: &Tree, detail: Detail) -> Self {
        let tree = tree.filtered(detail);
        let node = |node: &Node| ViewNode {
            node: node.source,
            parent: node.parent,
            count: node.count,
            truncated: node.marks.truncated,
            foreign: node.marks.foreign,
            is_yield: node.marks.is_yield,
            blocked: node.marks.blocked,
            budget_spent: node.marks.budget_spent,
            sub_executor: node.marks.sub_executor,
            too_deep: node.marks.too_deep,
            of_type: node.marks.of_type,
            left_out: node.marks.left_out,
        };
        Self { hidden: tree.hidden().total(), nodes: tree.nodes().iter().map(node).collect() }
    }
}
