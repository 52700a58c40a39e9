//! What a person wants to see of a tree, and what is left out.

use std::collections::HashMap;

use bw_symbolize::Frame;

use crate::class::Class;
use crate::tree::{Marks, Node, Place, Tree};

/// How much of a trace to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Detail {
    /// The functions of the program, and for each leaf the first library function it waits in, with the `timeout` or other
    /// combinator around it.
    ///
    /// A path without any function of the program shows the first and the last library function. There is always something
    /// left of a path.
    #[default]
    User,
    /// Those, and every function of libraries and of the standard library; not the glue between a future and its poll.
    Library,
    /// Everything that was captured, this crate's own functions included.
    Full,
}

/// How many nodes of a tree a filter left out, by what they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Hidden {
    /// Of this project: the waker's vtable, the wrapper's poll, and `Waker::clone` on the way.
    pub hook: usize,
    /// Between a future and its poll: `poll_fn`, `Pin`, `Box`, `maybe_done`, closures of `join!` and `select!`.
    pub glue: usize,
    /// Other functions of the standard library.
    pub std: usize,
    /// Functions of libraries: the runtime, middleware, clients.
    pub library: usize,
}

impl Hidden {
    /// How many in all.
    #[must_use]
    pub fn total(self) -> usize {
        self.hook + self.glue + self.std + self.library
    }

    fn count(&mut self, class: Class) {
        match class {
            Class::Hook => self.hook += 1,
            Class::Glue => self.glue += 1,
            Class::Std => self.std += 1,
            Class::Library | Class::Combinator | Class::User | Class::Nameless => self.library += 1,
        }
    }
}

/// See [`Tree::filtered`].
pub(crate) fn apply(tree: &Tree, detail: Detail) -> Tree {
    let classes: Vec<_> = tree.nodes.iter().map(|node| Class::of(&node.frame)).collect();
    let visible = match detail {
        Detail::Full => vec![true; classes.len()],
        Detail::Library => {
            ensure_something(tree, classes.iter().map(|class| class.is_shown_with_libraries()).collect())
        }
        Detail::User => ensure_something(tree, for_users(tree, &classes)),
    };
    merge_equals(contract(tree, &classes, &visible))
}

/// Which nodes [`Detail::User`] shows.
fn for_users(tree: &Tree, classes: &[Class]) -> Vec<bool> {
    // What is below a node, itself included, and of libraries itself excluded. Children stand after their parents.
    let mut leads_to_user: Vec<_> = classes.iter().map(|class| class.is_users()).collect();
    let mut leads_to_library = vec![false; classes.len()];
    for (at, node) in tree.nodes.iter().enumerate().rev() {
        if let Some(parent) = node.parent {
            leads_to_user[parent] |= leads_to_user[at];
            leads_to_library[parent] |= leads_to_library[at] || classes[at] == Class::Library;
        }
    }
    // On the way down: whether the program was met, and whether what it waits in was shown.
    #[derive(Clone, Copy, Default)]
    struct Way {
        user: bool,
        library: bool,
    }
    let mut ways: Vec<Way> = Vec::with_capacity(classes.len());
    let mut visible = Vec::with_capacity(classes.len());
    for (at, node) in tree.nodes.iter().enumerate() {
        let mut way = node.parent.map_or(Way::default(), |parent| ways[parent]);
        visible.push(match classes[at] {
            class if class.is_users() => {
                way = Way { user: true, library: false };
                true
            }
            // What the program waits in; or, of a path without the program, where it begins and what it waits in.
            Class::Library => {
                let first = !way.library;
                let last = !way.user && !leads_to_library[at];
                let shown = !leads_to_user[at] && (first || last);
                way.library |= shown;
                shown
            }
            Class::Combinator => !leads_to_user[at] && way.user && !way.library,
            _ => false,
        });
        ways.push(way);
    }
    visible
}

/// Makes the leaf of every path visible that would show nothing at all.
fn ensure_something(tree: &Tree, mut visible: Vec<bool>) -> Vec<bool> {
    let mut above = visible.clone();
    for (at, node) in tree.nodes.iter().enumerate() {
        above[at] |= node.parent.is_some_and(|parent| above[parent]);
        if node.children.is_empty() && !above[at] {
            visible[at] = true;
        }
    }
    visible
}

/// Takes hidden nodes out; their children go to the nearest visible ancestor.
fn contract(tree: &Tree, classes: &[Class], visible: &[bool]) -> Tree {
    let mut new = Tree { hidden: tree.hidden, ..Tree::empty(tree.dropped) };
    // For each old node, the new one it is or belongs to, and the marks of hidden roots above it.
    let mut heirs: Vec<(Option<usize>, Marks)> = Vec::with_capacity(tree.nodes.len());
    for (at, node) in tree.nodes.iter().enumerate() {
        let (parent, inherited) = node.parent.map_or((None, Marks::default()), |parent| heirs[parent]);
        if visible[at] {
            let marks = node.marks.or(inherited);
            let node = Node { parent, children: Vec::new(), marks, ..node.clone() };
            heirs.push((Some(new.push(node, parent)), Marks::default()));
            continue;
        }
        new.hidden.count(classes[at]);
        match parent {
            // Stacks that end below count once, as the most frequent of them; see `Tree::filtered`.
            Some(parent) => {
                let heir = &mut new.nodes[parent];
                heir.ends = heir.ends.max(node.ends);
                heir.count = heir.count.max(node.ends);
                heir.marks.is_yield |= node.marks.is_yield;
                heirs.push((Some(parent), Marks::default()));
            }
            None => heirs.push((None, node.marks.or(inherited))),
        }
    }
    // A node with visible callees is on the way to them; only leaves count stacks.
    for node in &mut new.nodes {
        if !node.children.is_empty() {
            node.count = 1;
        }
    }
    new
}

impl Marks {
    fn or(self, other: Self) -> Self {
        Self {
            truncated: self.truncated || other.truncated,
            foreign: self.foreign || other.foreign,
            is_yield: self.is_yield || other.is_yield,
        }
    }
}

/// Makes siblings one that look alike, with everything below them.
fn merge_equals(tree: Tree) -> Tree {
    /// What makes two nodes look alike: what is printed, and the same for the callees, in order.
    #[derive(PartialEq, Eq, Hash)]
    struct Looks<'a> {
        frame: &'a Frame,
        /// Only where nothing else is printed.
        place: Option<&'a Place>,
        marks: Marks,
        callees: Vec<(usize, usize)>,
    }
    let mut known: HashMap<Looks<'_>, usize> = HashMap::new();
    let mut looks = vec![0; tree.nodes.len()];
    let mut counts: Vec<_> = tree.nodes.iter().map(|node| node.count).collect();
    let mut gone = vec![false; tree.nodes.len()];
    let mut merge = |siblings: &[usize], looks: &[usize], counts: &mut Vec<usize>| {
        let mut first: HashMap<usize, usize> = HashMap::new();
        let mut kept = Vec::new();
        for &sibling in siblings {
            match first.get(&looks[sibling]) {
                Some(&twin) => {
                    counts[twin] += counts[sibling];
                    gone[sibling] = true;
                }
                None => {
                    first.insert(looks[sibling], sibling);
                    kept.push(sibling);
                }
            }
        }
        kept
    };
    // From the leaves up; children stand after their parents.
    for (at, node) in tree.nodes.iter().enumerate().rev() {
        let kept = merge(&node.children, &looks, &mut counts);
        let frame = &node.frame;
        let nameless = frame.function.is_none() && frame.location.is_none();
        let callees = kept.iter().map(|&child| (looks[child], counts[child])).collect();
        let place = nameless.then_some(&node.place);
        let next = known.len();
        looks[at] = *known.entry(Looks { frame, place, marks: node.marks, callees }).or_insert(next);
    }
    merge(&tree.roots, &looks, &mut counts);
    drop(known);
    let mut merged = Tree { hidden: tree.hidden, ..Tree::empty(tree.dropped) };
    let mut indices: Vec<Option<usize>> = Vec::with_capacity(tree.nodes.len());
    for (at, node) in tree.nodes.into_iter().enumerate() {
        let parent = node.parent.map(|parent| indices[parent]);
        // Below a twin everything is gone too.
        if gone[at] || parent == Some(None) {
            indices.push(None);
            continue;
        }
        let parent = parent.flatten();
        let node = Node { parent, children: Vec::new(), count: counts[at], ..node };
        indices.push(Some(merged.push(node, parent)));
    }
    merged
}
