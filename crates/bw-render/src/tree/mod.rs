//! The tree of frames: every stack of a trace, merged from the root.

mod endings;
pub(crate) mod filter;
pub(crate) mod forwarding;
pub(crate) mod frame_class;
pub(crate) mod of_type;
mod siblings;
pub(crate) mod source_origin;

use std::collections::HashMap;
use std::sync::Arc;

use bw_core::StackFlags;
use bw_symbolize::{Frame, Location, ModuleOffset, PhysicalFrame, SymbolizedStack, SymbolizedTrace};

use self::filter::{Detail, Hidden};
use self::frame_class::Class;

/// Where one task waits, and how it got there: all stacks of a trace merged by their common beginning, root first.
///
/// # What is one node
///
/// One function at one place. A call is one place for each return address, so two branches of a `join!` that look alike
/// are two nodes. Functions inlined around a call have no address of their own; equal ones under the same parent are one
/// node. Stacks that do not go to the task's root (truncated, or from another thread) have roots of their own.
///
/// # Order
///
/// Parents before children, and the task's root before others. Siblings never stand in the order in which they were recorded:
/// `tokio::join!` begins with another branch at each poll. In the whole tree they are ordered by where their code is (module,
/// then offset), in a [filtered](Self::filtered) one by what they are: the program's functions first, each by file, line,
/// column and name. So the order does not depend on where the optimizer put the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    pub(crate) nodes: Vec<Node>,
    pub(crate) roots: Vec<usize>,
    pub(crate) hidden: Hidden,
    pub(crate) dropped: usize,
    pub(crate) blank: usize,
    pub(crate) unnamed: usize,
}

/// One function at one place in a [`Tree`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub(crate) frame: Frame,
    pub(crate) place: Place,
    pub(crate) parent: Option<usize>,
    pub(crate) children: Vec<usize>,
    pub(crate) ends: usize,
    /// As how many waits the stacks that end here count; see [`Tree::filtered`].
    pub(crate) waits: usize,
    pub(crate) count: usize,
    pub(crate) marks: Marks,
    /// Return addresses in polls of other traced tasks, between its parent and this. Only in a filtered tree.
    pub(crate) entered: Vec<usize>,
    /// Its index in the tree that nothing was left out of. Of several that became one, the first's.
    pub(crate) source: usize,
}

/// Where the code of a node is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Place {
    /// The module and the offset in it, when the address lies in a known module.
    pub module: Option<ModuleOffset>,
    /// The return address. For a function inlined into others, that of the first physical frame it was found at.
    pub address: usize,
}

/// What is special about the stacks at a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Marks {
    /// A root whose callers are missing: the walk ended before the task's root.
    pub truncated: bool,
    /// A root whose callers are missing since the stack is so deep that the walk gave up. It is [truncated](Self::truncated) as well.
    pub too_deep: bool,
    /// A root of another thread, on which the waker was cloned.
    pub foreign: bool,
    /// A leaf that woke its own task (a yield), instead of waiting to be woken.
    pub is_yield: bool,
    /// A leaf where the poll blocks its thread: see [`RawStack::is_blocked`](bw_core::RawStack::is_blocked).
    pub blocked: bool,
    /// A leaf that waits to be woken, and in the same poll woke its own task as well: in what a filter left out below it,
    /// elsewhere in the same function of a library, or in one of several leaves that it stands for. Only in a
    /// [filtered](Tree::filtered) tree.
    pub also_yields: bool,
    /// Where the task would go on if it had not been running for so long: its budget in tokio is spent, and it will be polled
    /// again at once. Only in a [filtered](Tree::filtered) tree.
    pub budget_spent: bool,
    /// A leaf that polls its children with a waker of its own, so that they are not below it. Only in a
    /// [filtered](Tree::filtered) tree.
    pub sub_executor: bool,
    /// No frame, but the type of the task's future, in place of the functions of the program, none of which has a name in the tree.
    /// See [`Tree::of_task`].
    pub of_type: bool,
    /// No frame, but so many that are missing here, in the middle of a stack: see [`RawStack::left_out`](bw_core::RawStack::left_out).
    /// 0 at all others.
    pub left_out: usize,
}

impl Node {
    /// The function and its position.
    #[must_use]
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// Where its code is.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The index of the caller; `None` for a root.
    #[must_use]
    pub fn parent(&self) -> Option<usize> {
        self.parent
    }

    /// The indices of the callees, in order.
    #[must_use]
    pub fn children(&self) -> &[usize] {
        &self.children
    }

    /// How many recorded stacks end here, or in what a filter left out below. Their sum over a tree is the number of its
    /// stacks, filtered or not.
    #[must_use]
    pub fn ends(&self) -> usize {
        self.ends
    }

    /// How many equal nodes this one stands for, or, of a leaf, how many waits: what is printed as `(×N)`. See
    /// [`Tree::filtered`].
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// What is special here.
    #[must_use]
    pub fn marks(&self) -> Marks {
        self.marks
    }
}

/// Tells nodes of one parent apart.
#[derive(PartialEq, Eq, Hash)]
enum Key<'a> {
    /// The function that was called at a return address, or a place without a name.
    Call(usize),
    /// A function inlined around it.
    Inlined(Option<&'a str>, Option<&'a Location>),
    /// So many frames that are missing.
    LeftOut(usize),
}

impl Tree {
    /// Merges the stacks of a trace. Allocates; linear in the number of frames.
    #[must_use]
    pub fn new(trace: &SymbolizedTrace) -> Self {
        let mut growing = Growing { tree: Self::empty(trace.dropped, 0), known: HashMap::new() };
        for stack in &trace.stacks {
            growing.add(stack);
        }
        growing.tree.in_order()
    }

    pub(crate) fn empty(dropped: usize, blank: usize) -> Self {
        Self { nodes: Vec::new(), roots: Vec::new(), hidden: Hidden::default(), dropped, blank, unnamed: 0 }
    }

    /// Every node; a parent before its children.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The indices of the roots, in order.
    #[must_use]
    pub fn roots(&self) -> &[usize] {
        &self.roots
    }

    /// What [`filtered`](Self::filtered) left out.
    #[must_use]
    pub fn hidden(&self) -> Hidden {
        self.hidden
    }

    /// How many stacks were recorded but did not fit.
    #[must_use]
    pub fn dropped(&self) -> usize {
        self.dropped
    }

    /// How many stacks have no frame at all: something was recorded, but the walk recovered no address. No node stands for
    /// them.
    #[must_use]
    pub fn blank(&self) -> usize {
        self.blank
    }

    /// How many stacks have frames, and none that this [filtered](Self::filtered) tree can show: their functions were inlined into
    /// this project's own, and nothing names them. No node stands for them.
    #[must_use]
    pub fn unnamed(&self) -> usize {
        self.unnamed
    }

    /// The tree as somebody with that much interest in details wants to see it.
    ///
    /// Nodes that are hidden hand their children to their parent. Siblings that then look alike, with all that is below
    /// them, become one, whose [`count`](Node::count) is how many they were. A node below which everything is hidden counts
    /// as often as the most frequent stack that ends below it: a leaf that clones the waker at two places is one wait, the
    /// same stack recorded five times is five.
    ///
    /// A filtered tree can be filtered again, and keeps its counts: what was left out stays out. Allocates; linear in the
    /// number of nodes.
    #[must_use]
    pub fn filtered(&self, detail: Detail) -> Self {
        filter::apply(self, detail)
    }

    /// Orders siblings, and then numbers nodes so that parents come first.
    fn in_order(mut self) -> Self {
        let order = |nodes: &[Node], siblings: &mut Vec<usize>| {
            siblings.sort_by(|&a, &b| {
                let (a, b) = (&nodes[a], &nodes[b]);
                (a.marks.foreign, a.marks.truncated, &a.place).cmp(&(
                    b.marks.foreign,
                    b.marks.truncated,
                    &b.place,
                ))
            });
        };
        let mut roots = std::mem::take(&mut self.roots);
        order(&self.nodes, &mut roots);
        let mut children: Vec<_> =
            self.nodes.iter_mut().map(|node| std::mem::take(&mut node.children)).collect();
        for siblings in &mut children {
            order(&self.nodes, siblings);
        }
        let mut tree =
            Self { hidden: self.hidden, unnamed: self.unnamed, ..Self::empty(self.dropped, self.blank) };
        let mut old: Vec<_> = self.nodes.into_iter().map(Some).collect();
        // Depth first, so that a node's descendants follow it. A stack of our own: traces can be deep.
        let mut ahead: Vec<(usize, Option<usize>)> =
            roots.into_iter().rev().map(|root| (root, None)).collect();
        while let Some((at, parent)) = ahead.pop() {
            let Some(node) = old[at].take() else { continue };
            // A node with callees is on the way to them; only leaves count stacks.
            let count = if children[at].is_empty() { node.waits } else { 1 };
            let source = tree.nodes.len();
            let new = tree.push(Node { parent, children: Vec::new(), count, source, ..node }, parent);
            ahead.extend(children[at].iter().rev().map(|&child| (child, Some(new))));
        }
        tree
    }

    /// Appends a node under a parent that is already there.
    pub(crate) fn push(&mut self, node: Node, parent: Option<usize>) -> usize {
        let index = self.nodes.len();
        self.nodes.push(node);
        match parent {
            Some(parent) => self.nodes[parent].children.push(index),
            None => self.roots.push(index),
        }
        index
    }
}

/// A tree to which stacks are being added, in whatever order.
struct Growing<'a> {
    tree: Tree,
    /// By parent, by whether the stack is whole (only at a root), and by key.
    known: HashMap<(Option<usize>, Marks, Key<'a>), usize>,
}

impl<'a> Growing<'a> {
    fn add(&mut self, stack: &'a SymbolizedStack) {
        let StackFlags { truncated, foreign, too_deep, left_out, .. } = stack.flags;
        let top = Marks { truncated, foreign, too_deep, ..Marks::default() };
        let mut at = None;
        let all = (&*stack.frames, usize::MAX);
        let (frames, of_root) =
            if stack.flags.blocked { of_innermost_poll(stack).unwrap_or(all) } else { all };
        for (number, physical) in frames.iter().enumerate().rev() {
            let functions = if number + 1 == frames.len() { of_root } else { usize::MAX };
            if let Some(missing) = left_out.filter(|missing| missing.after == number + 1 && at.is_some()) {
                let nothing = Frame::new(None, None, false);
                at = Some(self.enter(at, top, Key::LeftOut(missing.frames), &nothing, physical));
            }
            for frame in physical.frames.iter().take(functions).skip(1).rev() {
                let path = frame.function.as_ref().map(|function| &*function.path);
                let key = Key::Inlined(path, frame.location.as_ref());
                at = Some(self.enter(at, top, key, frame, physical));
            }
            let nameless = Frame::new(None, None, false);
            let frame = physical.frames.first().unwrap_or(&nameless);
            at = Some(self.enter(at, top, Key::Call(physical.address.get()), frame, physical));
        }
        let Some(at) = at else {
            self.tree.blank += 1;
            return;
        };
        let leaf = &mut self.tree.nodes[at];
        leaf.ends += 1;
        leaf.waits = leaf.ends;
        leaf.marks.is_yield |= stack.flags.is_yield;
        leaf.marks.blocked |= stack.flags.blocked;
    }

    fn enter(
        &mut self,
        parent: Option<usize>,
        top: Marks,
        key: Key<'a>,
        frame: &Frame,
        at: &PhysicalFrame,
    ) -> usize {
        let marks = match key {
            Key::LeftOut(left_out) => Marks { left_out, ..Marks::default() },
            _ if parent.is_none() => top,
            _ => Marks::default(),
        };
        let place = match key {
            Key::LeftOut(_) => Place { module: None, address: 0 },
            _ => Place { module: at.module.clone(), address: at.address.get() },
        };
        let tree = &mut self.tree;
        let index = *self.known.entry((parent, marks, key)).or_insert_with(|| {
            let (frame, place) = (frame.clone(), place.clone());
            let (children, entered) = (Vec::new(), Vec::new());
            let (ends, waits, count, source) = (0, 0, 1, 0);
            let node = Node { frame, place, parent, children, ends, waits, count, marks, entered, source };
            tree.push(node, parent)
        });
        // A function inlined into several stacks is where the first of them is, whichever was recorded first.
        let node = &mut self.tree.nodes[index];
        if place < node.place {
            node.place = place;
        }
        index
    }
}

/// What of the stack of a thread belongs to the innermost traced poll on it: so many physical frames, and of the last of them so
/// many functions. Below stand the executor's, and those of other tasks. `None` where no name tells.
fn of_innermost_poll(stack: &SymbolizedStack) -> Option<(&[Arc<PhysicalFrame>], usize)> {
    let mut polls = stack.frames.iter().map(|physical| physical.frames.iter().any(Class::is_traced_poll));
    let root = polls.position(|is_in_it| is_in_it)?;
    let functions = stack.frames[root].frames.iter().position(Class::is_traced_poll)?;
    Some((&stack.frames[..=root], functions + 1))
}
