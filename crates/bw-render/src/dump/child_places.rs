//! The tree of a task that has children, and where in it they stand.

use std::collections::{HashMap, HashSet};

use bw_core::{RawTrace, ReturnAddress, TaskRecord};
use bw_symbolize::Frame;

use crate::dump::task_trees::TaskTrees;
use crate::tree::Tree;
use crate::tree::filter::Detail;

/// The tree of a task, filtered, and what has to be known of it to put children into it, or it into another.
struct ParentTree {
    tree: Tree,
    /// The deepest node that all stacks of the task's own have in common.
    common: Option<usize>,
    /// The only place where futures are polled with wakers that are not the task's.
    sub_executor: Option<usize>,
    /// Where the task's own stacks begin: return addresses in its poll, ascending.
    begins: Vec<usize>,
    /// By return address in the poll of another task: the nodes with which that one's stacks begin.
    entered: HashMap<usize, Vec<usize>>,
}

/// The trees of a dump's tasks, to put children into them. Each is filtered when it is needed, and once.
pub(crate) struct ParentTrees<'a> {
    trees: TaskTrees<'a>,
    detail: Detail,
    of: HashMap<usize, ParentTree>,
}

/// Where the children of a task stand in its tree.
#[derive(Default)]
pub(crate) struct ChildPlaces {
    /// For each child, the node below which it stands; `None` is below everything.
    pub(crate) nodes_above: Vec<Option<usize>>,
    /// Nodes which the children say themselves, all that is below them included.
    pub(crate) replaced: HashSet<usize>,
}

impl<'a> ParentTrees<'a> {
    pub(crate) fn new(trees: TaskTrees<'a>, detail: Detail) -> Self {
        Self { trees, detail, of: HashMap::new() }
    }

    /// The filtered tree of a task.
    pub(crate) fn tree(&mut self, task: &TaskRecord) -> Option<&Tree> {
        Some(&self.parent_tree(task)?.tree)
    }

    fn parent_tree(&mut self, task: &TaskRecord) -> Option<&ParentTree> {
        let (tree, trace) = (self.trees.tree_of(task)?, self.trees.dump().trace_of(task)?);
        let number = task.trace().ok()?;
        Some(self.of.entry(number).or_insert_with(|| ParentTree::new(tree.filtered(self.detail), trace)))
    }

    /// Where children that the task polls stand below it.
    ///
    /// One that the task awaits stands where its own stacks begin in those of the task, and instead of them. One that it polls
    /// with another waker, so that its stacks are not among those of the task, stands at the sub-executor, if there is only
    /// one. All others stand below the last frame that all stacks have in common.
    pub(crate) fn places(&mut self, parent: &TaskRecord, children: &[&TaskRecord]) -> ChildPlaces {
        // All of them first: they cannot be borrowed one by one while others are made. Those of children only where they may
        // be compared.
        if self.parent_tree(parent).is_some_and(|tree| !tree.entered.is_empty()) {
            for child in children {
                self.parent_tree(child);
            }
        }
        let parent_tree = |task: &TaskRecord| self.of.get(&task.trace().ok()?);
        let Some(tree) = parent_tree(parent) else {
            return ChildPlaces { nodes_above: vec![None; children.len()], replaced: HashSet::new() };
        };
        let mut kinds = Kinds::default();
        let kind_of: Vec<_> = children.iter().map(|child| kinds.kind(tree, parent_tree(child)?)).collect();
        let nodes_above = kind_of.iter().map(|kind| match kind {
            Some(kind) => kinds.all[*kind].node_above,
            None => tree.sub_executor.or(tree.common),
        });
        ChildPlaces { nodes_above: nodes_above.collect(), replaced: kinds.replaced(tree) }
    }
}

/// Children of a task that cannot be told apart by how they are polled.
struct Kind {
    /// With which their stacks begin in those of the parent.
    nodes: Vec<usize>,
    /// How many children are of it.
    children: usize,
    node_above: Option<usize>,
}

/// All kinds, by what tells them apart: where their stacks begin, and with what.
#[derive(Default)]
struct Kinds<'a> {
    all: Vec<Kind>,
    known: HashMap<(&'a [usize], Vec<&'a Frame>), Option<usize>>,
}

impl<'a> Kinds<'a> {
    /// The kind of a child, which is counted. `None` if no stack of the parent goes through it.
    fn kind(&mut self, parent: &ParentTree, child: &'a ParentTree) -> Option<usize> {
        let first: Vec<_> = child.tree.first_frames().map(|node| &node.frame).collect();
        let kind = *self.known.entry((&child.begins, first)).or_insert_with(|| {
            let nodes = parent.beginnings_of(child);
            let above = parent.tree.nodes[*nodes.first()?].parent;
            // At several places nothing tells which of them is at which.
            let is_one = nodes.iter().all(|&node| parent.tree.nodes[node].parent == above);
            self.all.push(Kind {
                nodes,
                children: 0,
                node_above: if is_one { above } else { parent.common },
            });
            Some(self.all.len() - 1)
        });
        self.all[kind?].children += 1;
        kind
    }

    /// The nodes that children say themselves: where all that are polled there are among the children, and stand there.
    fn replaced(&self, parent: &ParentTree) -> HashSet<usize> {
        let mut claims: HashMap<usize, usize> = HashMap::new();
        for &node in self.all.iter().flat_map(|kind| &kind.nodes) {
            *claims.entry(node).or_default() += 1;
        }
        let is_whole = |kind: &&Kind| {
            let polled: usize = kind.nodes.iter().map(|&node| parent.tree.nodes[node].count).sum();
            let stands_there =
                |node: &usize| parent.tree.nodes[*node].parent == kind.node_above && claims[node] == 1;
            kind.children >= polled && kind.nodes.iter().all(stands_there)
        };
        self.all.iter().filter(is_whole).flat_map(|kind| kind.nodes.iter().copied()).collect()
    }
}

impl ParentTree {
    fn new(tree: Tree, trace: &RawTrace) -> Self {
        // For each node, whether it, or one above it, is of another task, which is polled in the poll of this one.
        let mut is_others: Vec<bool> = Vec::with_capacity(tree.nodes.len());
        let mut entered: HashMap<usize, Vec<usize>> = HashMap::new();
        for node in &tree.nodes {
            let above = node.parent.is_some_and(|parent| is_others[parent]);
            if !above {
                for &address in &node.entered {
                    entered.entry(address).or_default().push(is_others.len());
                }
            }
            is_others.push(above || !node.entered.is_empty());
        }
        let own = |siblings: &[usize]| match siblings {
            &[only] if !is_others[only] => Some(only),
            _ => None,
        };
        let mut common = own(&tree.roots);
        while let Some(at) = common
            && tree.nodes[at].ends == 0
            && let Some(next) = own(&tree.nodes[at].children)
        {
            common = Some(next);
        }
        let whole = trace.stacks().filter(|stack| !stack.is_truncated() && !stack.is_foreign());
        let begins = whole.filter_map(|stack| stack.addresses().next_back()).map(ReturnAddress::get);
        let mut begins: Vec<_> = begins.collect();
        begins.sort_unstable();
        begins.dedup();
        let sub_executor = only_sub_executor(&tree, &is_others);
        Self { tree, common, sub_executor, begins, entered }
    }

    /// The nodes at which the stacks of a task begin that is polled in the poll of this one.
    ///
    /// The address alone is that of all futures of one type, and boxed ones are: so what they begin with must look the same.
    fn beginnings_of(&self, child: &Self) -> Vec<usize> {
        let looks_alike =
            |&at: &usize| child.tree.first_frames().any(|node| node.frame == self.tree.nodes[at].frame);
        let entered = child.begins.iter().filter_map(|address| self.entered.get(address));
        let mut nodes: Vec<_> = entered.flatten().copied().filter(looks_alike).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }
}

/// What polls its children with wakers of its own.
const SUB_EXECUTORS: &[&str] = &[
    "::futures_unordered::FuturesUnordered<",
    // Has one of those, which may be hidden.
    "::futures_ordered::FuturesOrdered<",
];

/// The node that polls a `FuturesUnordered`, on which all combinators are built that poll with wakers of their own; or, if it
/// shows at several places of one function, that function's caller. `None` if there are others.
fn only_sub_executor(tree: &Tree, is_others: &[bool]) -> Option<usize> {
    let is_it = |at: usize| {
        let function = tree.nodes[at].frame.function.as_ref();
        !is_others[at] && function.is_some_and(|it| SUB_EXECUTORS.iter().any(|part| it.path.contains(part)))
    };
    // Those inside of its own functions are not meant.
    let outermost = |&at: &usize| is_it(at) && !tree.nodes[at].parent.is_some_and(is_it);
    let mut found = (0..tree.nodes.len()).filter(outermost);
    let first = found.next()?;
    let parent = tree.nodes[first].parent;
    let mut others = found.peekable();
    if others.peek().is_none() {
        return (tree.nodes[first].count == 1).then_some(first);
    }
    others.all(|other| tree.nodes[other].parent == parent).then_some(parent)?
}
