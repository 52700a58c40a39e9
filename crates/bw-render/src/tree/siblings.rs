//! Siblings of a filtered tree: those that look alike are one, and the others are ordered by what they are.

use std::cell::OnceCell;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use bw_symbolize::Location;

use super::source_origin::SourceOrigin;
use super::{Marks, Node, Place, Tree};

/// Makes siblings one that look alike, with everything below them, and orders the others by what they are. Leaves out
/// nodes that no node has as a child.
pub(crate) fn merge_equals(mut tree: Tree) -> Tree {
    /// What makes two subtrees look alike: what is printed of the node, and the same for the callees, in order.
    #[derive(PartialEq, Eq, Hash)]
    struct SubtreeKey<'a> {
        name: Option<&'a str>,
        location: Option<&'a Location>,
        /// Only where it is printed instead of a name.
        place: Option<&'a Place>,
        marks: Marks,
        /// Their kinds, and how many there are.
        callees: Vec<(usize, usize)>,
    }
    let mut known: HashMap<SubtreeKey<'_>, usize> = HashMap::new();
    let mut kinds = vec![0; tree.nodes.len()];
    let order = SiblingOrder::new(&tree);
    let mut twins = Twins::new(&tree);
    // From the leaves up; children stand after their parents.
    for (at, node) in tree.nodes.iter().enumerate().rev() {
        twins.kept[at] = twins.merge(&node.children, &kinds);
        order.sort(&mut twins, at);
        let name = node.frame.function.as_ref().map(|function| &*function.name);
        let place = name.is_none().then_some(&node.place);
        let location = node.frame.location.as_ref();
        let callees =
            twins.kept[at].iter().map(|&child| (kinds[child], twins.tallies[child].count)).collect();
        let next = known.len();
        // That one of several alike woke itself makes no difference.
        let marks = Marks { also_yields: false, ..node.marks };
        kinds[at] = *known.entry(SubtreeKey { name, location, place, marks, callees }).or_insert(next);
    }
    drop(known);
    let mut roots = twins.merge(&tree.roots, &kinds);
    roots.sort_by(|&a, &b| order.compare(&twins, a, b));
    drop(order);
    let mut merged =
        Tree { hidden: tree.hidden, unnamed: tree.unnamed, ..Tree::empty(tree.dropped, tree.blank) };
    let mut nodes: Vec<_> = std::mem::take(&mut tree.nodes).into_iter().map(Some).collect();
    // Depth first, so that a node's descendants follow it. A stack of our own: traces can be deep.
    let mut ahead: Vec<(usize, Option<usize>)> = roots.into_iter().rev().map(|root| (root, None)).collect();
    while let Some((at, parent)) = ahead.pop() {
        let Some(node) = nodes[at].take() else { continue };
        let tally = &mut twins.tallies[at];
        let (ends, waits, count) = (tally.ends, tally.waits, tally.count);
        let entered = std::mem::take(&mut tally.entered);
        let marks = Marks { also_yields: tally.also_yields, ..node.marks };
        let node = Node { parent, children: Vec::new(), ends, waits, count, entered, marks, ..node };
        let new = merged.push(node, parent);
        ahead.extend(twins.kept[at].iter().rev().map(|&child| (child, Some(new))));
    }
    merged
}

/// What the nodes of a tree add up to, while twins become one.
struct Twins {
    tallies: Vec<Tally>,
    /// The children that are left of each node. Those of twins correspond.
    kept: Vec<Vec<usize>>,
}

struct Tally {
    ends: usize,
    waits: usize,
    count: usize,
    entered: Vec<usize>,
    also_yields: bool,
}

impl Twins {
    fn new(tree: &Tree) -> Self {
        let tally = |node: &Node| {
            let Node { ends, waits, count, ref entered, .. } = *node;
            let (entered, also_yields) = (entered.clone(), node.marks.also_yields);
            Tally { ends, waits, count, entered, also_yields }
        };
        Self { tallies: tree.nodes.iter().map(tally).collect(), kept: vec![Vec::new(); tree.nodes.len()] }
    }

    /// Makes those one that look alike, and returns which are left.
    fn merge(&mut self, siblings: &[usize], kinds: &[usize]) -> Vec<usize> {
        let mut first: HashMap<usize, usize> = HashMap::new();
        let mut kept = Vec::new();
        for &sibling in siblings {
            match first.entry(kinds[sibling]) {
                Entry::Occupied(twin) => self.absorb(*twin.get(), sibling),
                Entry::Vacant(vacant) => {
                    vacant.insert(sibling);
                    kept.push(sibling);
                }
            }
        }
        kept
    }

    /// Adds a twin, and all below it, to another. Each node goes once at most, so this is linear in all.
    fn absorb(&mut self, into: usize, twin: usize) {
        self.tallies[into].count += self.tallies[twin].count;
        let mut pairs = vec![(into, twin)];
        while let Some((into, twin)) = pairs.pop() {
            self.tallies[into].ends += self.tallies[twin].ends;
            self.tallies[into].waits = self.tallies[into].waits.max(self.tallies[twin].waits);
            let entered = std::mem::take(&mut self.tallies[twin].entered);
            self.tallies[into].entered.extend(entered);
            self.tallies[into].also_yields |= self.tallies[twin].also_yields;
            pairs.extend(self.kept[into].iter().copied().zip(self.kept[twin].iter().copied()));
        }
    }
}

/// How many nodes of two subtrees are compared to order siblings. Subtrees that are equal so far keep the order of their addresses.
const MOST_COMPARED: usize = 1_000;

/// The order of siblings: first the program's functions, each by its file, line, column and name, and then, of those that are
/// equal, what is below them.
///
/// Never by addresses where there is anything else: the optimizer copies the arms of a `select!` and orders the copies as it
/// likes, so two tasks at the same place would differ.
struct SiblingOrder<'a> {
    nodes: &'a [Node],
    /// Most nodes have no siblings, so their keys are made when they are needed.
    keys: Vec<OnceCell<SiblingKey<'a>>>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct SiblingKey<'a> {
    /// Stacks from other threads, and those without callers, are the last.
    foreign: bool,
    truncated: bool,
    origin: u8,
    /// Without the folders of the machine that built it, where that is known.
    file: &'a str,
    line: Option<u32>,
    column: Option<u32>,
    name: Option<&'a str>,
    /// Only where there is no name.
    place: Option<&'a Place>,
    is_yield: bool,
    blocked: bool,
}

impl<'a> SiblingOrder<'a> {
    fn new(tree: &'a Tree) -> Self {
        Self { nodes: &tree.nodes, keys: vec![OnceCell::new(); tree.nodes.len()] }
    }

    fn key(&self, at: usize) -> &SiblingKey<'a> {
        self.keys[at].get_or_init(|| SiblingKey::of(&self.nodes[at]))
    }

    /// Orders the children that are left of a node, whose own children are ordered.
    fn sort(&self, twins: &mut Twins, at: usize) {
        if twins.kept[at].len() > 1 {
            let mut siblings = std::mem::take(&mut twins.kept[at]);
            siblings.sort_by(|&a, &b| self.compare(twins, a, b));
            twins.kept[at] = siblings;
        }
    }

    /// Compares two subtrees, node by node, depth first.
    fn compare(&self, twins: &Twins, a: usize, b: usize) -> Ordering {
        let mut ahead = vec![(a, b)];
        for _ in 0..MOST_COMPARED {
            let Some((a, b)) = ahead.pop() else { break };
            let (below_a, below_b) = (&twins.kept[a], &twins.kept[b]);
            let counts = |at: usize| (twins.tallies[at].count, twins.kept[at].len());
            let order = self.key(a).cmp(self.key(b)).then_with(|| counts(a).cmp(&counts(b)));
            if order.is_ne() {
                return order;
            }
            ahead.extend(below_a.iter().copied().zip(below_b.iter().copied()).rev());
        }
        Ordering::Equal
    }
}

impl<'a> SiblingKey<'a> {
    fn of(node: &'a Node) -> Self {
        let location = node.frame.location.as_ref();
        let (origin, file) = match location.map(|at| (SourceOrigin::of(&at.file), &*at.file)) {
            Some((SourceOrigin::Program, file)) => (0, file),
            None => (1, ""),
            Some((SourceOrigin::Vendored { .. }, file)) => (2, file),
            Some((SourceOrigin::Dependency { below, .. }, _)) => (3, below),
            Some((SourceOrigin::Std { below }, _)) => (4, below),
        };
        let name = node.frame.function.as_ref().map(|function| &*function.name);
        Self {
            foreign: node.marks.foreign,
            truncated: node.marks.truncated,
            origin,
            file,
            line: location.and_then(|at| at.line),
            column: location.and_then(|at| at.column),
            name,
            place: name.is_none().then_some(&node.place),
            is_yield: node.marks.is_yield,
            blocked: node.marks.blocked,
        }
    }
}
