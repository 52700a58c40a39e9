//! A task dump as folded stacks, which flame graphs are drawn from.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use bw_core::NoTrace;

use crate::dump::groups::TaskSet;
use crate::dump::merged_trees::MergedTrees;
use crate::dump::task_trees::TaskTrees;
use crate::text::shown_node::ShownName;
use crate::tree::filter::Detail;
use crate::tree::{Node, Tree};

/// A task dump as folded stacks: a line for each place where tasks wait, `root;…;leaf count`. What `inferno-flamegraph`,
/// `flamegraph.pl` and speedscope read. Made by [`TaskTrees::folded`].
///
/// The count is of the tasks that wait there. A task that waits at several places at once is in several lines, in each once,
/// so the sum may be more than the number of tasks. Tasks without a trace are counted in lines such as
/// `(no trace);never_polled 3`, named as [`NoTrace::name`] does, and those that recorded no stack as `(no stack) 1`, below their type where only that is known.
///
/// Frames are names of functions with all their generic arguments, or `module+0xoffset` where there is none; positions are left
/// out, so two awaits of one function are one frame. What could be taken for more than a character is escaped, a `;` in a name too, as `\u{3b}`.
/// Lines are in the order of their frames, and do not end with a line feed after the last.
///
/// ```text
/// async fn app::run;async fn app::read 3
/// async fn app::run;async fn app::write 1
/// (no trace);never_polled 2
/// ```
#[derive(Clone, Debug)]
pub struct Folded {
    /// The frames of all stacks, merged from the root. The first stands for no frame, above all roots.
    frames: Vec<Frame>,
}

#[derive(Clone, Debug, Default)]
struct Frame {
    name: String,
    callees: Vec<usize>,
    /// Tasks that wait here, not in a callee.
    tasks: usize,
}

impl TaskTrees<'_> {
    /// Returns the dump as folded stacks, with the frames that `detail` shows. Allocates; linear in the number of nodes and
    /// tasks.
    #[must_use]
    pub fn folded(&self, detail: Detail) -> Folded {
        let took = self.dump().took();
        Folded::new(self.all_trees(), self.dump().tasks().iter().map(|task| TaskSet::of(task, took)), detail)
    }
}

impl MergedTrees<'_> {
    /// Returns the dumps as folded stacks, with the frames that `detail` shows, counted by tasks. Builds are not told apart.
    /// Allocates.
    #[must_use]
    pub fn folded(&self, detail: Detail) -> Folded {
        Folded::new(self.all_trees(), self.dump().groups().iter().map(TaskSet::from), detail)
    }
}

impl Folded {
    fn new<'a>(trees: &[Tree], sets: impl Iterator<Item = TaskSet<'a>>, detail: Detail) -> Self {
        let mut tasks_of = vec![0; trees.len()];
        let mut without: Vec<(NoTrace, usize)> = Vec::new();
        for TaskSet { trace, tasks, .. } in sets {
            // A tree that is missing counts as a trace that nobody asked for, as in every form of output.
            let reason = match trace {
                Ok(trace) if trace < tasks_of.len() => {
                    tasks_of[trace] += tasks;
                    continue;
                }
                Ok(_) => NoTrace::NotAsked,
                Err(reason) => reason,
            };
            match without.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, count)) => *count += tasks,
                None => without.push((reason, tasks)),
            }
        }
        let mut growing = Growing { frames: vec![Frame::default()], known: HashMap::new() };
        for (tree, tasks) in trees.iter().zip(tasks_of) {
            if tasks > 0 {
                growing.add(&tree.filtered(detail), tasks);
            }
        }
        for (reason, tasks) in without {
            let top = growing.enter(0, "(no trace)".into());
            let at = growing.enter(top, reason.name().into());
            growing.frames[at].tasks += tasks;
        }
        growing.in_order()
    }
}

struct Growing {
    frames: Vec<Frame>,
    known: HashMap<(usize, String), usize>,
}

impl Growing {
    fn add(&mut self, tree: &Tree, tasks: usize) {
        if tree.has_no_frame() {
            let above = tree.nodes.first().map_or(0, |by_type| self.enter(0, name(by_type)));
            let at = self.enter(above, if tree.unnamed > 0 { "(no name)" } else { "(no stack)" }.into());
            self.frames[at].tasks += tasks;
            return;
        }
        // Children stand after their parents. Nodes with one name under one parent are one frame, in which a task waits once.
        let mut frame_of = Vec::with_capacity(tree.nodes.len());
        let mut counted = Vec::new();
        for node in &tree.nodes {
            let above = node.parent.map_or(0, |parent| frame_of[parent]);
            let at = self.enter(above, name(node));
            frame_of.push(at);
            if node.ends > 0 {
                counted.push(at);
            }
        }
        counted.sort_unstable();
        counted.dedup();
        for at in counted {
            self.frames[at].tasks += tasks;
        }
    }

    fn enter(&mut self, above: usize, name: String) -> usize {
        let next = self.frames.len();
        let at = *self.known.entry((above, name)).or_insert_with_key(|(_, name)| {
            self.frames.push(Frame { name: name.clone(), ..Frame::default() });
            next
        });
        if at == next {
            self.frames[above].callees.push(at);
        }
        at
    }

    /// Orders callees by name: which trace came first means nothing.
    fn in_order(mut self) -> Folded {
        drop(self.known);
        for at in 0..self.frames.len() {
            let mut callees = std::mem::take(&mut self.frames[at].callees);
            // No callees are named alike. Ours, which stand for no function, come last.
            let key = |&at: &usize| (self.frames[at].name.starts_with('('), &self.frames[at].name);
            callees.sort_by(|a, b| key(a).cmp(&key(b)));
            self.frames[at].callees = callees;
        }
        Folded { frames: self.frames }
    }
}

fn name(node: &Node) -> String {
    let name = match &node.frame.function {
        Some(function) => ShownName::Function(Cow::Borrowed(&*function.name)),
        None => ShownName::of_nameless(node),
    };
    as_frame(name.escaped("…").to_string())
}

/// A name as readers take no part of it for anything else: a `;` ends a frame, a number behind a space is a count, and a line
/// that begins with `# ` is a comment.
fn as_frame(mut name: String) -> String {
    if name.contains(';') {
        name = name.replace(';', "\\u{3b}");
    }
    if let Some((before, last)) = name.rsplit_once(' ')
        && last.chars().all(|c| c.is_ascii_digit() || c == '.')
    {
        name = format!("{before}\\u{{20}}{last}");
    }
    if name.starts_with("# ") { name.replacen('#', "\\u{23}", 1) } else { name }
}

impl fmt::Display for Folded {
    /// Allocates the longest line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = String::new();
        let mut separator = "";
        // A stack of our own: traces can be deep. Frames ahead, and where in the line they begin.
        let mut ahead: Vec<(usize, usize)> = self.frames[0].callees.iter().rev().map(|&at| (at, 0)).collect();
        while let Some((at, start)) = ahead.pop() {
            let frame = &self.frames[at];
            line.truncate(start);
            if start > 0 {
                line.push(';');
            }
            line.push_str(&frame.name);
            if frame.tasks > 0 {
                write!(f, "{separator}{line} {}", frame.tasks)?;
                separator = "\n";
            }
            ahead.extend(frame.callees.iter().rev().map(|&callee| (callee, line.len())));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_ends_like_a_count_is_not_taken_for_one() {
        for (name, frame) in [
            ("app::run", "app::run"),
            ("[u8; 4]", r"[u8\u{3b} 4]"),
            ("run 12", r"run\u{20}12"),
            ("run 1.5", r"run\u{20}1.5"),
            ("run ", r"run\u{20}"),
            ("# run", r"\u{23} run"),
            ("#run", "#run"),
            ("async fn a 1b", "async fn a 1b"),
        ] {
            assert_eq!(as_frame(name.into()), frame);
        }
    }
}
