//! The stacks of tasks, as locations of a profile.

use bw_core::{NoTrace, RawTrace, ReturnAddress};

use super::Pprof;
use super::profile::Profile;
use super::proto::Line;
use crate::text::NAME_BYTES;
use crate::text::escape::Shortened;
use crate::text::shown_node::ShownName;
use crate::tree::{Node, Tree};

/// The stacks of each distinct trace, made when the first task that has it is met.
pub(super) struct Stacks<'a> {
    trees: &'a [Tree],
    traces: &'a [RawTrace],
    settings: &'a Pprof<'a>,
    of_traces: Vec<Option<Vec<Vec<u64>>>>,
    without: Vec<(NoTrace, Vec<Vec<u64>>)>,
}

impl<'a> Stacks<'a> {
    pub(super) fn new(trees: &'a [Tree], traces: &'a [RawTrace], settings: &'a Pprof<'a>) -> Self {
        let known = if settings.symbols { trees.len() } else { traces.len() };
        Self { trees, traces, settings, of_traces: vec![None; known], without: Vec::new() }
    }

    /// The stacks of tasks that have that trace, each leaf first. At least one.
    pub(super) fn of(&mut self, trace: Result<usize, NoTrace>, profile: &mut Profile<'_>) -> &[Vec<u64>] {
        let trace = match trace {
            Ok(trace) if trace < self.of_traces.len() => trace,
            // A tree that is missing counts as a trace that nobody asked for, as in every form of output.
            Ok(_) => return self.without(NoTrace::NotAsked, profile),
            Err(reason) => return self.without(reason, profile),
        };
        let settings = self.settings;
        self.of_traces[trace].get_or_insert_with(|| {
            let mut top = None;
            let mut stacks = if settings.symbols {
                let tree = self.trees[trace].filtered(settings.detail);
                top =
                    tree.nodes.first().filter(|node| node.marks.of_type).map(|node| no_frame(node, profile));
                of_tree(&tree, profile, settings)
            } else {
                of_addresses(&self.traces[trace], profile)
            };
            if stacks.is_empty() {
                stacks.push(std::iter::once(profile.synthetic("(no stack)")).chain(top).collect());
            }
            stacks.sort_unstable();
            // A task waits in a place once.
            stacks.dedup();
            stacks
        })
    }

    fn without(&mut self, reason: NoTrace, profile: &mut Profile<'_>) -> &[Vec<u64>] {
        let at = self.without.iter().position(|(known, _)| *known == reason).unwrap_or_else(|| {
            let stack = vec![profile.synthetic(reason.name()), profile.synthetic("(no trace)")];
            self.without.push((reason, vec![stack]));
            self.without.len() - 1
        });
        &self.without[at].1
    }
}

fn of_addresses(trace: &RawTrace, profile: &mut Profile<'_>) -> Vec<Vec<u64>> {
    let stacks = trace.stacks().filter(|stack| !stack.is_empty());
    let locations = |stack: bw_core::RawStack<'_>| {
        // The leaf is in our waker, which nobody wants to see in every stack; but not where a thread blocks.
        let ours = usize::from(stack.len() > 1 && !stack.is_blocked());
        stack.addresses().skip(ours).map(|address| profile.call(address, Vec::new())).collect()
    };
    stacks.map(locations).collect()
}

fn of_tree(tree: &Tree, profile: &mut Profile<'_>, settings: &Pprof<'_>) -> Vec<Vec<u64>> {
    let ends = (0..tree.nodes.len()).filter(|&at| tree.nodes[at].ends > 0);
    ends.map(|end| of_path(tree, end, profile, settings)).collect()
}

/// The stack that ends at a node.
fn of_path(tree: &Tree, end: usize, profile: &mut Profile<'_>, settings: &Pprof<'_>) -> Vec<u64> {
    let mut stack = Vec::new();
    let mut at = Some(end);
    while let Some(inner) = at {
        // A function and those it is inlined into are one location, as far as they are in the tree.
        let address = tree.nodes[inner].place.address;
        if address == 0 {
            stack.push(no_frame(&tree.nodes[inner], profile));
            at = tree.nodes[inner].parent;
            continue;
        }
        let mut lines = Vec::new();
        while let Some(node) = at.map(|at| &tree.nodes[at]).filter(|node| node.place.address == address) {
            lines.extend(line(node, profile, settings));
            at = node.parent;
            if !node.frame.inlined {
                break;
            }
        }
        stack.extend(ReturnAddress::new(address).map(|address| profile.call(address, lines)));
    }
    stack
}

/// What stands in a stack and is no frame of it: a type, or frames that are missing.
fn no_frame(node: &Node, profile: &mut Profile<'_>) -> u64 {
    let name = match &node.frame.function {
        Some(function) => Shortened { text: &function.name, most: NAME_BYTES, ellipsis: "…" }.to_string(),
        None => ShownName::of_nameless(node).escaped("…").to_string(),
    };
    profile.synthetic(&name)
}

/// `None` where there is no name: then it is the location's address that tells.
fn line(node: &Node, profile: &mut Profile<'_>, settings: &Pprof<'_>) -> Option<Line> {
    let (function, at) = (node.frame.function.as_ref()?, node.frame.location.as_ref());
    let short = |text| Shortened { text, most: NAME_BYTES, ellipsis: "…" }.to_string();
    let file = at.map_or("", |at| settings.path(&at.file));
    Some(Line {
        function_id: profile.function(&short(&function.name), &short(&function.path), &short(file)),
        line: at.and_then(|at| at.line).unwrap_or(0).into(),
        column: at.and_then(|at| at.column).unwrap_or(0).into(),
    })
}
