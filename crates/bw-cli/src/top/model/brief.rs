//! What a tree says, in one line.

/// What a printed tree says, in one line: of its first path, the last two functions and where the outer one stands, and how
/// many other paths there are. `dump::work › Semaphore::acquire  examples/dump.rs:35`.
///
/// `print` is without colours. What is no tree, such as why there is none, stays what it is.
pub(crate) fn brief(print: &str) -> String {
    let lines: Vec<Line<'_>> = print.lines().filter_map(Line::of).collect();
    let Some(first) = (0..lines.len()).find(|&at| is_leaf(&lines, at)) else {
        let reason = print.lines().next().unwrap_or("").trim();
        let inner = reason.strip_prefix('(').and_then(|reason| reason.strip_suffix(')'));
        return inner.map_or(reason, |inner| inner.trim_start_matches("no trace: ")).to_owned();
    };
    let leaf = &lines[first];
    let outer = first.checked_sub(1).map(|at| &lines[at]).filter(|outer| outer.indent < leaf.indent);
    let mut text = String::new();
    if let Some(outer) = outer {
        text += &short_name(outer.function);
        text += " › ";
    }
    text += &short_name(leaf.function);
    let others = (first + 1..lines.len()).filter(|&at| is_leaf(&lines, at)).count();
    if others > 0 {
        text += &format!(" +{others}");
    }
    let location = outer.unwrap_or(leaf).location;
    if !location.is_empty() {
        // The column tells nobody anything here.
        let line = location.rsplit_once(':').filter(|(rest, _)| rest.contains(':'));
        text += "  ";
        text += short_path(line.map_or(location, |(line, _column)| line));
    }
    text
}

/// The last two parts of a path.
fn short_path(path: &str) -> &str {
    let cut = path.rmatch_indices(['/', '\\']).nth(1);
    cut.map_or(path, |(at, _)| &path[at + 1..])
}

/// A function of a printed tree.
struct Line<'a> {
    indent: usize,
    function: &'a str,
    location: &'a str,
}

impl<'a> Line<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let at = line.find(|c: char| !matches!(c, ' ' | '│' | '├' | '└' | '╼'))?;
        let rest = &line[at..];
        if !line[..at].contains('╼') {
            return None;
        }
        let indent = line[..at].chars().count();
        let (function, location) = rest.rsplit_once(" at ").unwrap_or((rest, ""));
        // Marks such as `(woke itself)` come last.
        let end = location.find(" (").unwrap_or(location.len());
        Some(Self { indent, function, location: &location[..end] })
    }
}

fn is_leaf(lines: &[Line<'_>], at: usize) -> bool {
    lines.get(at + 1).is_none_or(|next| next.indent <= lines[at].indent)
}

/// The last two parts of a function's path, without generic arguments: `Mutex::lock` of
/// `async fn tokio::sync::mutex::Mutex<T>::lock`.
fn short_name(name: &str) -> String {
    let mut rest = name;
    while let Some(inner) = ["async fn ", "async block in ", "async closure in ", "closure in "]
        .iter()
        .find_map(|kind| rest.strip_prefix(kind))
    {
        rest = inner;
    }
    let rest = rest.split_once(" (").map_or(rest, |(name, _count)| name);
    let parts = parts(rest);
    let last_two = &parts[parts.len().saturating_sub(2)..];
    if last_two.iter().all(String::is_empty) { name.to_owned() } else { last_two.join("::") }
}

/// The parts of a path, without generic arguments; of `<Type as Trait>::method`, those of the type and the method.
fn parts(path: &str) -> Vec<String> {
    if let Some(inner) = path.strip_prefix('<') {
        let mut depth = 0_usize;
        let mut of_type = inner.len();
        for (at, c) in inner.char_indices() {
            match c {
                '<' => depth += 1,
                '>' if depth == 0 => {
                    let mut found = parts(&inner[..of_type.min(at)]);
                    let method = parts(inner[at + 1..].trim_start_matches("::"));
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
            ("<tokio::time::sleep::Sleep as core::future::future::Future>::poll (×2)", "Sleep::poll"),
            ("alloc::vec::Vec::<T>::new", "Vec::new"),
            ("main", "main"),
            ("program+0x1f42", "program+0x1f42"),
            ("", ""),
            ("<", "<"),
            ("<<<<>", "<<<<>"),
            (">>::", ">>::"),
            ("<a as b", "<a as b"),
        ] {
            assert_eq!(short_name(name), short, "{name}");
        }
    }

    #[test]
    fn a_tree_is_its_first_path_and_how_many_others() {
        let one = "╼ async fn dump::work at examples/dump.rs:35:37\n \
                   └╼ async fn tokio::sync::semaphore::Semaphore::acquire at tokio/src/semaphore.rs:626:15 (woke itself)";
        assert_eq!(brief(one), "dump::work › Semaphore::acquire  examples/dump.rs:35");
        let two = "╼ async fn app::serve at src/main.rs:20:11\n ├╼ async fn app::read at src/main.rs:28:15\n \
                   │  └╼ async fn app::fill (×2) at src/main.rs:16:6\n └╼ async fn app::write at src/main.rs:32:11";
        assert_eq!(brief(two), "app::read › app::fill +1  src/main.rs:28");
        assert_eq!(brief("╼ program+0x10"), "program+0x10");
        assert_eq!(brief("╼ app::main at /home/me/app/src/main.rs:1:2"), "app::main  src/main.rs:1");
        assert_eq!(brief("(no trace: it is over)"), "it is over");
        assert_eq!(brief(""), "");
    }
}
