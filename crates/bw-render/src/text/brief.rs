//! Where a task waits, in one line.

use std::fmt;

use super::escape::Escaped;
use super::shown_node::BY_TYPE;
use super::shown_node::ShownName;
use super::tree_lines::{BUDGET_SPENT, NO_STACK, lost_stacks};
use super::{Text, escape::Shortened};
use crate::tree::Tree;

/// Names and paths longer than this many bytes are cut in the middle.
const NAME_BYTES: usize = 200;

/// `<Type as Trait>` whose type is of that form, and so on: so many levels.
const MOST_LEVELS: usize = 8;

/// Where a task waits, for one line; made by [`Text::brief`] and [`DumpText::brief`](crate::DumpText::brief). All text in it is
/// escaped. Prints itself:
///
/// ```text
/// app::read › app::fill +1  src/main.rs:28
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Brief {
    /// The end of the first path of a tree.
    #[non_exhaustive]
    Path {
        /// The last two parts of the name of the leaf, without generic arguments: `Semaphore::acquire`.
        function: String,
        /// The same of its caller.
        caller: Option<String>,
        /// The last two parts of the path of the caller's source file, or of the leaf's where there is no caller.
        file: Option<String>,
        /// The line in that file.
        line: Option<u32>,
        /// How many other paths the tree has.
        others: usize,
        /// What is special about the leaf, such as that its task could run but for its budget.
        note: Option<&'static str>,
    },
    /// Why there is no path, such as `no stack: …`.
    Reason(String),
}

impl Text {
    pub(crate) fn brief_of_filtered(&self, tree: &Tree) -> Brief {
        let mut leaves = tree.nodes.iter().filter(|node| node.children.is_empty());
        // Depth first, so the first leaf is that of the first path.
        let Some(leaf) = leaves.next() else {
            let reason = lost_stacks(tree).into_iter().next();
            return Brief::Reason(reason.unwrap_or_else(|| NO_STACK.to_owned()));
        };
        let note = match leaf.marks {
            marks if marks.budget_spent => Some(BUDGET_SPENT),
            marks if marks.of_type => Some(BY_TYPE),
            _ => None,
        };
        let caller = leaf.parent.map(|parent| self.shown_node(&tree.nodes[parent]));
        let leaf = self.shown_node(leaf);
        let cut = |text: &str| Shortened { text, most: NAME_BYTES, ellipsis: self.ellipsis() }.to_string();
        let short = |name: &ShownName<'_>| match name {
            ShownName::Function(name) => cut(&last_two_parts(name)),
            name => name.escaped(self.ellipsis()).to_string(),
        };
        let location = caller.as_ref().unwrap_or(&leaf).location;
        Brief::Path {
            function: short(&leaf.name),
            caller: caller.as_ref().map(|caller| short(&caller.name)),
            file: location.map(|(file, _, _)| cut(last_two_components(file))),
            line: location.and_then(|(_, line, _)| line),
            others: leaves.count(),
            note,
        }
    }
}

impl Brief {
    /// Returns the brief of something that is not in a tree, such as why there is none.
    pub(crate) fn reason(reason: impl fmt::Display) -> Self {
        Self::Reason(Escaped(&reason.to_string()).to_string())
    }
}

impl fmt::Display for Brief {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (function, caller, file, line, others, note) = match self {
            Self::Path { function, caller, file, line, others, note } => {
                (function, caller, file, line, *others, note)
            }
            Self::Reason(reason) => return f.write_str(reason),
        };
        if let Some(caller) = caller {
            write!(f, "{caller} › ")?;
        }
        f.write_str(function)?;
        if others > 0 {
            write!(f, " +{others}")?;
        }
        if let Some(note) = note {
            write!(f, " ({note})")?;
        }
        match (file, line) {
            (Some(file), Some(line)) => write!(f, "  {file}:{line}"),
            (Some(file), None) => write!(f, "  {file}"),
            (None, _) => Ok(()),
        }
    }
}

/// The last two parts of a path of a file.
fn last_two_components(path: &str) -> &str {
    let cut = path.rmatch_indices(['/', '\\']).nth(1);
    cut.map_or(path, |(at, _)| &path[at + 1..])
}

/// The last two parts of a function's path, without generic arguments: `Mutex::lock` of
/// `async fn tokio::sync::mutex::Mutex<T>::lock`.
fn last_two_parts(name: &str) -> String {
    let mut rest = name;
    while let Some(inner) = ["async fn ", "async block in ", "async closure in ", "closure in "]
        .iter()
        .find_map(|kind| rest.strip_prefix(kind))
    {
        rest = inner;
    }
    let parts = parts(rest, MOST_LEVELS);
    let last_two = &parts[parts.len().saturating_sub(2)..];
    if last_two.iter().all(String::is_empty) { name.to_owned() } else { last_two.join("::") }
}

/// The parts of a path, without generic arguments; of `<Type as Trait>::method`, those of the type and the method.
/// Looks into so many levels of such types: names come from debug information, which is not trusted.
fn parts(path: &str, levels: usize) -> Vec<String> {
    if let Some(inner) = path.strip_prefix('<').filter(|_| levels > 0) {
        let mut depth = 0_usize;
        let mut of_type = inner.len();
        for (at, c) in inner.char_indices() {
            match c {
                '<' => depth += 1,
                // The arrow of a function type closes nothing.
                '>' if inner[..at].ends_with('-') => {}
                '>' if depth == 0 => {
                    let mut found = parts(&inner[..of_type.min(at)], levels - 1);
                    let method = parts(inner[at + 1..].trim_start_matches("::"), levels - 1);
                    found.extend(method.into_iter().filter(|part| !part.is_empty()));
                    return found;
                }
                '>' => depth -= 1,
                ' ' if depth == 0 && inner[at..].starts_with(" as ") => of_type = of_type.min(at),
                _ => {}
            }
        }
    }
    let mut parts = vec![String::new()];
    let mut depth = 0_usize;
    let mut chars = path.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            // The arrow of a function type closes nothing.
            '-' if depth > 0 => _ = chars.next_if_eq(&'>'),
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            ':' if depth == 0 && chars.peek() == Some(&':') => {
                chars.next();
                // `Vec::<T>::new` has nothing but arguments between two of them.
                if parts.last().is_some_and(|part| !part.is_empty()) {
                    parts.push(String::new());
                }
            }
            _ if depth == 0 => parts.last_mut().into_iter().for_each(|part| part.push(c)),
            _ => {}
        }
    }
    // So does `call::<T>` behind the last.
    if parts.len() > 1 && parts.last().is_some_and(String::is_empty) {
        parts.pop();
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_their_last_two_parts() {
        for (name, short) in [
            ("async fn tokio::sync::mutex::Mutex<T>::lock", "Mutex::lock"),
            ("async fn dump::work", "dump::work"),
            ("closure in async fn taskdump::pending", "taskdump::pending"),
            (
                "<futures_util::stream::futures_unordered::FuturesUnordered<Fut> as futures_core::stream::Stream>::poll_next",
                "FuturesUnordered::poll_next",
            ),
            ("tokio::time::sleep::Sleep", "sleep::Sleep"),
            ("alloc::vec::Vec::<T>::new", "Vec::new"),
            ("app::call::<fn() -> app::Answer>", "app::call"),
            ("main", "main"),
            ("program+0x1f42", "program+0x1f42"),
            ("", ""),
            ("<", "<"),
            ("<<<<>", "<<<<>"),
            (">>::", ">>::"),
            ("<a as b", "<a as b"),
        ] {
            assert_eq!(last_two_parts(name), short, "{name}");
        }
        let _does_not_overflow = last_two_parts(&"<".repeat(1_000_000).replace("<<", "<a as b>::<"));
        let nested = "<".repeat(100_000) + &">::a".repeat(100_000);
        let _does_not_overflow = last_two_parts(&nested);
    }
}
