//! The type of a task's future, in place of functions that have no names.
//!
//! Cargo's default release profile has no debug information, and the optimizer inlines the program's futures into the poll of the
//! wrapper: of such a trace only functions of libraries have names, and often none. What the task is, its type still says.

use bw_symbolize::{Frame, Function, SymbolizedTrace};

use crate::tree::frame_class::{Class, CratesWithSource, crate_of};
use crate::tree::source_origin::SourceOrigin;
use crate::tree::{Marks, Node, Place, Tree};

impl Tree {
    /// Merges the stacks of a trace of a task whose future is of that type, as [`core::any::type_name`] writes it. Where nothing in the tree
    /// names a function of the program, the task's own stacks stand below one more node, which the type names. Allocates; linear in the
    /// number of frames.
    #[must_use]
    pub fn of_task(trace: &SymbolizedTrace, type_name: Option<&str>) -> Self {
        let tree = Self::new(trace);
        match type_name {
            Some(type_name) if !names_the_program(&tree, type_name) => tree.below(type_name),
            _ => tree,
        }
    }

    /// Puts the stacks that go to the task's root below a node of that type. If there is none, all of them: so that the type is seen.
    fn below(self, type_name: &str) -> Self {
        let is_whole = |&at: &usize| !self.nodes[at].marks.truncated && !self.nodes[at].marks.foreign;
        let is_any_whole = self.roots.iter().any(is_whole);
        let (inside, beside): (Vec<_>, Vec<_>) =
            self.roots.iter().copied().partition(|at| !is_any_whole || is_whole(at));
        let top = Node {
            frame: Frame::new(Some(Function::of_future(type_name)), None, false),
            place: Place { module: None, address: 0 },
            parent: None,
            children: inside.iter().map(|at| at + 1).collect(),
            ends: 0,
            waits: 0,
            count: 1,
            marks: Marks { of_type: true, ..Marks::default() },
            entered: Vec::new(),
            source: 0,
        };
        let mut nodes = Vec::with_capacity(self.nodes.len() + 1);
        nodes.push(top);
        nodes.extend(self.nodes.into_iter().enumerate().map(|(at, mut node)| {
            node.parent = match node.parent {
                Some(parent) => Some(parent + 1),
                None => inside.contains(&at).then_some(0),
            };
            node.children.iter_mut().for_each(|child| *child += 1);
            node.source += 1;
            node
        }));
        let roots = std::iter::once(0).chain(beside.iter().map(|at| at + 1)).collect();
        Self { nodes, roots, ..Self::empty(self.dropped, self.blank) }
    }

    /// The nodes with which the task's stacks begin.
    pub(crate) fn first_frames(&self) -> impl Iterator<Item = &Node> {
        let first = self.roots.iter().flat_map(|root| {
            let node = &self.nodes[*root];
            if node.marks.of_type { node.children.as_slice() } else { std::slice::from_ref(root) }
        });
        first.map(|&at| &self.nodes[at])
    }

    /// Whether there is a node, and nothing but the task's type says what it is.
    pub(crate) fn is_known_by_type(&self) -> bool {
        self.nodes.iter().any(|node| node.marks.of_type)
    }

    /// Whether there is no node of a stack.
    pub(crate) fn has_no_frame(&self) -> bool {
        self.nodes.iter().all(|node| node.marks.of_type && node.ends == 0)
    }
}

/// Whether a function of the program is named: by debug information, or in a symbol table, as one of a crate that the type is of.
fn names_the_program(tree: &Tree, type_name: &str) -> bool {
    let crates = CratesWithSource::of(tree.nodes.iter().map(|node| &node.frame));
    tree.nodes.iter().any(|node| {
        let Some(function) = &node.frame.function else { return false };
        // Debug information that has only lines names inlined functions without their paths.
        let has_path = function.path.contains("::") && !function.name.ends_with("{unknown}");
        if Class::of_node(node, &crates) != Class::User || !has_path {
            return false;
        }
        match &node.frame.location {
            Some(location) => SourceOrigin::of(&location.file) == SourceOrigin::Program,
            // Without a file, a library that nobody knows looks the same.
            None => crate_of(&function.path).is_some_and(|name| is_of_crate(type_name, name)),
        }
    })
}

/// Whether the name of a type has a path that begins with that crate.
fn is_of_crate(type_name: &str, name: &str) -> bool {
    type_name.match_indices(name).any(|(at, _)| {
        let is_inside = type_name[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | ':'));
        !is_inside && type_name[at + name.len()..].starts_with("::")
    })
}
