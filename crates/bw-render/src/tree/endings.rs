//! Where stacks end, and what to say of it: in a task's own bookkeeping, in a sub-executor, at a spent budget.

use std::collections::{HashMap, HashSet};

use bw_symbolize::Location;

use super::frame_class::{Class, is_timeout, starts_with_path};
use super::{Node, Tree};

/// A future that has a wait of its own beside that of the future it is around.
struct OwnWait {
    future: &'static str,
    /// With what the stack of that wait goes on.
    begins_with: &'static str,
    /// The same in optimized builds, where the function above ends in a jump and leaves the stack. What the future is around may be one
    /// as well; but that is polled first, and so from an earlier line.
    jumps_to: Option<&'static str>,
}

const OWN_WAITS: &[OwnWait] = &[
    OwnWait {
        future: "tokio::time::timeout::Timeout",
        begins_with: "tokio::time::timeout::poll_delay",
        jumps_to: Some("tokio::time::sleep::Sleep as core::future::future::Future>::poll"),
    },
    OwnWait {
        future: "tokio::task::local::RunUntil",
        begins_with: "tokio::sync::task::atomic_waker::AtomicWaker",
        jumps_to: None,
    },
];

/// What polls its children with wakers of its own: below it, the stacks of a task do not go on.
const SUB_EXECUTORS: &[&str] = &[
    "async_executor::",
    "futures_util::future::future::shared::Shared",
    "futures_util::stream::futures_ordered::FuturesOrdered<",
    "futures_util::stream::futures_unordered::FuturesUnordered<",
    "futures_util::stream::select_all::SelectAll",
    "tokio::task::local::LocalSet as core::future::future::Future>::poll",
];

/// Modules in which tokio keeps a task from running for too long.
const BUDGETS: &[&str] = &["tokio::task::coop::", "tokio::runtime::coop::"];

/// Functions of those that have the task polled again at once, because its budget is spent.
const SPENT: &[&str] = &["::poll_proceed", "::poll_budget_available", "::register_waker"];

/// What is special about the nodes of a tree that is not filtered; by index.
pub(crate) struct Endings {
    /// Functions in which every stack ends because the budget is spent. What they are called for is not what the task waits for.
    pub(crate) budget_spent: Vec<bool>,
    /// Nodes below which stacks end in a sub-executor, that itself.
    pub(crate) sub_executor: Vec<bool>,
    /// Of a wait that a `timeout` or its like has of its own, beside that of its future: the node that stands for it.
    pub(crate) stands_for: Vec<Option<usize>>,
    /// Functions that are there once more, with their body, below: those with `#[instrument]`.
    pub(crate) repeated: Vec<bool>,
}

impl Endings {
    pub(crate) fn of(tree: &Tree, classes: &[Class]) -> Self {
        let nodes = &tree.nodes;
        // From the leaves up; children stand after their parents.
        let mut leads_to_user: Vec<_> = classes.iter().map(|class| class.is_users()).collect();
        let mut only_budget: Vec<_> = nodes.iter().map(is_spent).collect();
        for (at, node) in nodes.iter().enumerate().rev() {
            if let Some(parent) = node.parent {
                leads_to_user[parent] |= leads_to_user[at];
            }
            only_budget[at] |= node.ends == 0
                && !node.children.is_empty()
                && node.children.iter().all(|&child| only_budget[child]);
        }
        // One that is seen to poll a child, at another line, says nothing of children that are missing.
        let with_children: HashSet<(Option<usize>, &str)> = nodes
            .iter()
            .zip(&leads_to_user)
            .filter_map(|(node, leads)| path(node).filter(|_| *leads).map(|path| (node.parent, path)))
            .collect();
        let is_sub_executor = |(at, node): (usize, &Node)| {
            !leads_to_user[at]
                && path(node).is_some_and(|path| {
                    SUB_EXECUTORS.iter().any(|prefix| starts_with_path(path, prefix))
                        && !with_children.contains(&(node.parent, path))
                })
        };
        Self {
            budget_spent: only_budget,
            sub_executor: nodes.iter().enumerate().map(is_sub_executor).collect(),
            stands_for: own_waits(tree, classes),
            repeated: repeated(tree, classes),
        }
    }
}

fn path(node: &Node) -> Option<&str> {
    node.frame.function.as_ref().map(|function| &*function.path)
}

fn is_spent(node: &Node) -> bool {
    path(node).is_some_and(|path| {
        BUDGETS.iter().any(|module| path.starts_with(module)) && SPENT.iter().any(|name| path.contains(name))
    })
}

/// For each node of a wait that a future of a library has of its own: the node of that future which leads to something else. `None`
/// where nothing else is waited for, so that something is left.
fn own_waits(tree: &Tree, classes: &[Class]) -> Vec<Option<usize>> {
    let nodes = &tree.nodes;
    let mut stands_for = vec![None; nodes.len()];
    // For each node, the nearest future with waits of its own, which it is or is in, and whether it is in such a wait.
    let mut inside: Vec<Option<(usize, usize)>> = Vec::with_capacity(nodes.len());
    let mut is_own: Vec<bool> = Vec::with_capacity(nodes.len());
    let mut has_user_above: Vec<bool> = Vec::with_capacity(nodes.len());
    let first_calls = first_calls(nodes);
    for (at, node) in nodes.iter().enumerate() {
        let above = node.parent.and_then(|parent| inside[parent]);
        let path = path(node).unwrap_or_default();
        let kind = OWN_WAITS
            .iter()
            .position(|own| starts_with_path(path, own.future) && path.contains("Future>::poll"));
        // Called by the poll itself, or a closure in it: what the future is around may begin with the same.
        let begins_own = above.is_some_and(|(kind, _)| {
            let own = &OWN_WAITS[kind];
            node.parent.is_some_and(|parent| {
                let is_jump = own.jumps_to.is_some_and(|jump| starts_with_path(path, jump))
                    && is_later_call(&nodes[parent], &first_calls);
                let caller = self::path(&nodes[parent]);
                (is_jump || starts_with_path(path, own.begins_with))
                    && caller.is_some_and(|caller| starts_with_path(caller, own.future))
            })
        });
        is_own.push(begins_own || node.parent.is_some_and(|parent| is_own[parent]));
        inside.push(match kind {
            // The closure of a poll is inside of it.
            Some(kind) if above.is_none_or(|(known, _)| known != kind) || !path.contains("{{closure}}") => {
                Some((kind, at))
            }
            _ => above,
        });
        has_user_above
            .push(node.parent.is_some_and(|parent| has_user_above[parent] || classes[parent].is_users()));
    }
    // One future is several siblings, since it calls its own wait from another place.
    let key = |future: usize| -> FutureKey<'_> { (nodes[future].parent, path(&nodes[future])) };
    let mut around: HashMap<_, usize> = HashMap::new();
    for (at, node) in nodes.iter().enumerate() {
        if node.ends > 0
            && !is_own[at]
            && let Some((_, future)) = inside[at]
        {
            let mut future = Some(future);
            // And all those around it.
            while let Some(known) = future {
                around.entry(key(known)).or_insert(known);
                future = nodes[known].parent.and_then(|parent| inside[parent]).map(|(_, outer)| outer);
            }
        }
    }
    for at in 0..nodes.len() {
        if let Some((_, future)) = inside[at].filter(|_| is_own[at] && has_user_above[at]) {
            stands_for[at] = around.get(&key(future)).copied();
        }
    }
    // From the leaves up: what leads to nothing else, up to the future itself.
    for at in (0..nodes.len()).rev() {
        let node = &nodes[at];
        let Some((_, future)) = inside[at].filter(|_| node.ends == 0 && stands_for[at].is_none()) else {
            continue;
        };
        let below =
            node.children.iter().map(|&child| stands_for[child].filter(|&other| key(other) == key(future)));
        stands_for[at] = below.reduce(Option::and).flatten();
    }
    stands_for
}

/// What tells one future from others: who polls it, and its poll. It is several nodes, one for each line from which it calls.
type FutureKey<'a> = (Option<usize>, Option<&'a str>);

/// For each future that has waits of its own, the first line from which it calls.
fn first_calls(nodes: &[Node]) -> HashMap<FutureKey<'_>, &Location> {
    let mut first: HashMap<_, &Location> = HashMap::new();
    for node in nodes {
        let Some(at) = &node.frame.location else { continue };
        if path(node).is_some_and(|path| OWN_WAITS.iter().any(|own| starts_with_path(path, own.future))) {
            let known = first.entry((node.parent, path(node))).or_insert(at);
            if at.file == known.file && (at.line, at.column) < (known.line, known.column) {
                *known = at;
            }
        }
    }
    first
}

/// Whether a future calls from here after it has called from an earlier line.
fn is_later_call(node: &Node, first_calls: &HashMap<FutureKey<'_>, &Location>) -> bool {
    let first = first_calls.get(&(node.parent, path(node)));
    node.frame
        .location
        .as_ref()
        .zip(first)
        .is_some_and(|(at, first)| at.file == first.file && (at.line, at.column) > (first.line, first.column))
}

/// `#[instrument]` makes the body of an `async fn` an `async` block in it, and has the function at the line of the attribute: such a
/// function says nothing that its body does not.
fn repeated(tree: &Tree, classes: &[Class]) -> Vec<bool> {
    let nodes = &tree.nodes;
    let mut repeated = vec![false; nodes.len()];
    // For each node, the nearest function of the program above it, and whether a span is between.
    let mut above: Vec<Option<(usize, bool)>> = Vec::with_capacity(nodes.len());
    // Whether every way from such a function leads through its body.
    let mut others = vec![false; nodes.len()];
    for (at, node) in nodes.iter().enumerate() {
        let caller = node.parent.and_then(|parent| {
            if classes[parent].is_users() {
                return Some((parent, false));
            }
            let is_span = path(&nodes[parent])
                .is_some_and(|path| starts_with_path(path, "tracing::instrument::Instrumented"));
            above[parent].map(|(user, span)| (user, span || is_span))
        });
        above.push(caller);
        let Some((user, in_span)) = caller else { continue };
        if classes[at].is_users() {
            let is_body = in_span
                && path(node).zip(path(&nodes[user])).is_some_and(|(inner, outer)| {
                    inner.strip_prefix(outer).is_some_and(|rest| {
                        rest == "::{{closure}}" || rest.starts_with("::{closure#") && rest.ends_with('}')
                    })
                });
            if is_body { repeated[user] = true } else { others[user] = true }
        } else if node.ends > 0 {
            others[user] = true;
        }
    }
    for (at, node) in nodes.iter().enumerate() {
        repeated[at] &= !others[at] && node.ends == 0;
    }
    repeated
}

/// Whether a node is printed around what it waits for, though it is a library's.
pub(crate) fn is_shown_around(node: &Node) -> bool {
    path(node).is_some_and(is_timeout)
}
