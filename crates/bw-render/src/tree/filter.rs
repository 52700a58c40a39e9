//! What a person wants to see of a tree, and what is left out.

use std::collections::HashMap;
use std::sync::Arc;

use crate::tree::endings::{Endings, is_shown_around};
use crate::tree::frame_class::{Class, CratesWithSource, is_of_known_library};
use crate::tree::siblings::merge_equals;
use crate::tree::{Marks, Node, Tree};

/// How much of a trace to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Detail {
    /// The functions of the program, and for each leaf the first library function it waits in, with the `timeout` or other
    /// combinator around it.
    ///
    /// A path without any function of the program shows the first and the last library function. There is always something
    /// left of a path.
    ///
    /// Cargo keeps the source of a program that it installs where it keeps those of libraries. So in a tree without any function of the
    /// program, those of libraries that are not widely known count as the program's.
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

    pub(crate) fn add(&mut self, more: Self) {
        self.hook += more.hook;
        self.glue += more.glue;
        self.std += more.std;
        self.library += more.library;
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
    let crates = CratesWithSource::of(tree.nodes.iter().map(|node| &node.frame));
    let classes = classes(tree, &crates);
    let endings = Endings::of(tree, &classes);
    let visible = match detail {
        Detail::Full => vec![true; classes.len()],
        Detail::Library => ensure_something(
            tree,
            &classes,
            classes.iter().map(|class| class.is_shown_with_libraries()).collect(),
        ),
        Detail::User => ensure_something(tree, &classes, for_users(tree, &classes, &endings)),
    };
    let contracted = contract(tree, &classes, &visible, detail, &endings);
    debug_assert_eq!(
        contracted.nodes.len() + contracted.hidden.total(),
        tree.nodes.len() + tree.hidden.total(),
        "every node is shown or counted"
    );
    merge_equals(match detail {
        Detail::User => fold_yields(contracted, &crates),
        Detail::Library | Detail::Full => contracted,
    })
}

/// Whose function each node is. Where nothing has a name, a stack still ends in the waker's vtable function, which is ours.
fn classes(tree: &Tree, crates: &CratesWithSource<'_>) -> Vec<Class> {
    let is_nameless = |node: &Node| node.frame.function.is_none() || node.marks.of_type;
    let has_no_name = tree.nodes.iter().all(is_nameless);
    let class = |node: &Node| match Class::of_node(node, crates) {
        Class::Nameless
            if has_no_name
                && node.ends > 0
                && node.children.is_empty()
                && node.parent.is_some()
                && !node.marks.blocked =>
        {
            Class::Hook
        }
        class => class,
    };
    let mut classes: Vec<Class> = tree.nodes.iter().map(class).collect();
    if !classes.iter().any(|class| class.is_users()) {
        for (class, node) in classes.iter_mut().zip(&tree.nodes) {
            if *class == Class::Library && !is_of_known_library(&node.frame) {
                *class = Class::User;
            }
        }
    }
    classes
}

/// Which nodes [`Detail::User`] shows.
fn for_users(tree: &Tree, classes: &[Class], endings: &Endings) -> Vec<bool> {
    let blocks = tree.nodes.iter().any(|node| node.marks.blocked);
    // What a thread blocks in is the standard library's, and says as much as what a task waits in: a lock, a channel, a sleep.
    let is_library = |class| class == Class::Library || (class == Class::Std && blocks);
    // What is below a node, itself included, and of libraries itself excluded. Children stand after their parents.
    let mut leads_to_user: Vec<_> = classes.iter().map(|class| class.is_users()).collect();
    let mut leads_to_library = vec![false; classes.len()];
    for (at, node) in tree.nodes.iter().enumerate().rev() {
        if let Some(parent) = node.parent {
            leads_to_user[parent] |= leads_to_user[at];
            leads_to_library[parent] |= leads_to_library[at] || is_library(classes[at]);
        }
    }
    // On the way down: whether the program was met, and whether what it waits in was shown.
    #[derive(Clone, Copy, Default)]
    struct Above {
        user: bool,
        library: bool,
    }
    let mut above: Vec<Above> = Vec::with_capacity(classes.len());
    let mut visible = Vec::with_capacity(classes.len());
    for (at, node) in tree.nodes.iter().enumerate() {
        let mut way = node.parent.map_or(Above::default(), |parent| above[parent]);
        // What the task does not wait for, or does besides.
        let is_aside = endings.stands_for[at].is_some() || (way.user && endings.budget_spent[at]);
        visible.push(match classes[at] {
            class if class.is_users() && endings.repeated[at] => {
                way = Above { user: true, library: false };
                false
            }
            class if class.is_users() => {
                way = Above { user: true, library: false };
                true
            }
            _ if is_aside => false,
            // What the program waits in; or, of a path without the program, where it begins and what it waits in.
            class if is_library(class) => {
                let first = !way.library;
                let last = !way.user && !leads_to_library[at];
                let shown = !leads_to_user[at] && (first || last);
                way.library |= shown;
                shown
            }
            Class::Combinator if is_shown_around(node) => way.user && (leads_to_user[at] || !way.library),
            Class::Combinator => !leads_to_user[at] && way.user && !way.library,
            _ => false,
        });
        above.push(way);
    }
    visible
}

/// Makes the end of every path visible that would show nothing at all; where that is this project's own, what comes before it. Our own
/// functions are no answer: a path of nothing else stays hidden.
fn ensure_something(tree: &Tree, classes: &[Class], mut visible: Vec<bool>) -> Vec<bool> {
    let mut above = visible.clone();
    // The last function on the way to each node that is not ours.
    let mut last_other: Vec<Option<usize>> = Vec::with_capacity(classes.len());
    for (at, node) in tree.nodes.iter().enumerate() {
        let other = node.parent.and_then(|parent| last_other[parent]);
        last_other.push(if classes[at] == Class::Hook { other } else { Some(at) });
        above[at] |= node.parent.is_some_and(|parent| above[parent]);
        if (node.children.is_empty() || node.ends > 0)
            && !above[at]
            && let Some(shown) = last_other[at]
        {
            visible[shown] = true;
            above[at] = true;
        }
    }
    visible
}

/// Takes hidden nodes out; their children go to the nearest visible ancestor.
fn contract(tree: &Tree, classes: &[Class], visible: &[bool], detail: Detail, endings: &Endings) -> Tree {
    /// What an old node is in the new tree.
    #[derive(Clone, Copy)]
    struct Successor {
        /// The node itself, or its nearest visible ancestor.
        node: Option<usize>,
        /// Those of hidden roots between it and the node.
        marks: Marks,
        /// For how many the hidden nodes between stand, each of which has the descendants. More than one only where the
        /// tree was filtered before.
        count: usize,
        /// Of the last poll of another task between, the return address.
        entered: Option<usize>,
        /// Whether the task's own poll is above.
        is_inside: bool,
    }
    let none = Successor { node: None, marks: Marks::default(), count: 1, entered: None, is_inside: false };
    let mut new =
        Tree { hidden: tree.hidden, unnamed: tree.unnamed, ..Tree::empty(tree.dropped, tree.blank) };
    let mut successors: Vec<Successor> = Vec::with_capacity(tree.nodes.len());
    let mut was_leaf = Vec::new();
    // Of the stacks that end at a node, those that wait to be woken.
    let mut waiting: Vec<usize> = Vec::new();
    // Stacks that count at another node than where they are, by index in the old tree.
    let mut moved: Vec<(usize, usize)> = Vec::new();
    // Everything says itself what it is where everything is shown.
    let is_marked = |marks: &[bool], at: usize| detail != Detail::Full && marks[at];
    for (at, node) in tree.nodes.iter().enumerate() {
        let above = node.parent.map_or(none, |parent| successors[parent]);
        let is_hook = classes[at] == Class::Hook;
        let is_inside = above.is_inside || !(is_hook || node.marks.of_type);
        if visible[at] {
            let mut marks = node.marks.or(above.marks);
            marks.sub_executor |= is_marked(&endings.sub_executor, at);
            let count = node.count * above.count;
            was_leaf.push(node.children.is_empty());
            waiting.push(if node.marks.is_yield { 0 } else { node.ends });
            let itself = (is_hook && above.is_inside).then_some(node.place.address);
            let entered = node.entered.iter().copied().chain(above.entered).chain(itself).collect();
            let node =
                Node { parent: above.node, children: Vec::new(), marks, count, entered, ..node.clone() };
            successors.push(Successor { node: Some(new.push(node, above.node)), is_inside, ..none });
            continue;
        }
        new.hidden.count(classes[at]);
        let count = node.count * above.count;
        let entered = if is_hook && above.is_inside { Some(node.place.address) } else { above.entered };
        let successor = Successor { count, entered, is_inside, ..above };
        match above.node {
            Some(_) if detail == Detail::User && endings.stands_for[at].is_some() => {
                moved.extend(endings.stands_for[at].map(|other| (other, node.ends)));
                successors.push(successor);
            }
            // Stacks that end below count once, as the most frequent of them; see `Tree::filtered`.
            Some(parent) => {
                waiting[parent] += if node.marks.is_yield { 0 } else { node.ends };
                let parent = &mut new.nodes[parent];
                parent.ends += node.ends;
                parent.waits = parent.waits.max(node.waits);
                parent.marks.is_yield |= node.marks.is_yield;
                parent.marks.blocked |= node.marks.blocked;
                parent.marks.also_yields |= node.marks.also_yields;
                parent.marks.budget_spent |= node.marks.budget_spent || is_marked(&endings.budget_spent, at);
                parent.marks.sub_executor |= node.marks.sub_executor || is_marked(&endings.sub_executor, at);
                successors.push(successor);
            }
            None => {
                new.unnamed += node.ends;
                successors.push(Successor { marks: node.marks.or(above.marks), ..successor });
            }
        }
    }
    for ((node, was_leaf), waiting) in new.nodes.iter_mut().zip(was_leaf).zip(waiting) {
        if node.marks.is_yield && waiting > 0 {
            (node.marks.is_yield, node.marks.also_yields) = (false, true);
        }
        if node.children.is_empty() && !was_leaf {
            node.count *= node.waits.max(1);
        }
    }
    for (at, ends) in moved {
        if let Some(at) = successors[at].node {
            new.nodes[at].ends += ends;
        }
    }
    // Of several sub-executors of which each is the inside of the one above, the innermost says it.
    for at in (0..new.nodes.len()).rev() {
        let node = &new.nodes[at];
        let is_above = node.children.iter().any(|&child| new.nodes[child].marks.sub_executor);
        new.nodes[at].marks.sub_executor &= !is_above;
    }
    new
}

impl Marks {
    fn or(self, other: Self) -> Self {
        Self {
            truncated: self.truncated || other.truncated,
            foreign: self.foreign || other.foreign,
            is_yield: self.is_yield || other.is_yield,
            blocked: self.blocked || other.blocked,
            also_yields: self.also_yields || other.also_yields,
            budget_spent: self.budget_spent || other.budget_spent,
            sub_executor: self.sub_executor || other.sub_executor,
            too_deep: self.too_deep || other.too_deep,
            of_type: self.of_type || other.of_type,
            left_out: self.left_out.max(other.left_out),
        }
    }
}

/// A library's function that stored the waker, and at another of its lines woke it, is one wait that says so: a
/// `FuturesUnordered` does that when it has polled all its children, which being asked makes it do. The other line is counted as
/// hidden, and no node has it as a child any more.
fn fold_yields(mut tree: Tree, crates: &CratesWithSource<'_>) -> Tree {
    if !tree.nodes.iter().any(|node| node.marks.is_yield) {
        return tree;
    }
    let is_leaf = |node: &Node| node.children.is_empty() && !Class::of_node(node, crates).is_users();
    let leaves = tree.nodes.iter().enumerate().filter(|(_, node)| is_leaf(node));
    // What a twin has in common: who calls it, which function it is, and where its stacks are from.
    let key = |node: &Node| {
        let function = node.frame.function.as_ref()?;
        Some((node.parent, Arc::clone(&function.path), node.marks.foreign, node.marks.truncated))
    };
    let (yields, waits): (Vec<_>, Vec<_>) = leaves.partition(|(_, node)| node.marks.is_yield);
    // The first of each kind: so from the last to the first.
    let waits: HashMap<_, _> =
        waits.into_iter().rev().filter_map(|(at, node)| Some((key(node)?, at))).collect();
    let pairs: Vec<_> =
        yields.into_iter().filter_map(|(at, node)| Some((at, *waits.get(&key(node)?)?))).collect();
    let mut gone = vec![false; tree.nodes.len()];
    for &(at, twin) in &pairs {
        let Node { ends, waits, .. } = tree.nodes[at];
        let twin = &mut tree.nodes[twin];
        twin.ends += ends;
        twin.waits = twin.waits.max(waits);
        twin.marks.also_yields = true;
        tree.hidden.library += 1;
        gone[at] = true;
    }
    if !pairs.is_empty() {
        for node in &mut tree.nodes {
            node.children.retain(|&child| !gone[child]);
        }
        tree.roots.retain(|&root| !gone[root]);
    }
    tree
}
