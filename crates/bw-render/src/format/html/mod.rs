//! A task dump as a page of HTML: groups, tasks as a tree, a list of all, with search and filters.
//!
//! One file with all it needs, which opens from a disk and asks nobody for anything. Names, paths and all other text of the
//! program are data in it, escaped so that they cannot end it, and shown by `textContent` only; its content security policy
//! allows its own script and style, by their hashes, and nothing else. Whatever could do more than show a character is shown
//! as `\u{202e}`, as in text. Lists draw only the rows that can be seen, so that 100,000 tasks stay usable.
//!
//! [`live_page`] is the same page without a dump. It asks for `dump?format=html` relative to its own address, again when told,
//! and says in words what went wrong. It is to be served with [`CSP`].

use std::sync::LazyLock;

use crate::dump::task_trees::TaskTrees;
use crate::format::json::Dump;
use crate::format::json::escaped;
use crate::text::paths::Paths;

mod columns;

/// How to write a dump as a page. Data; [`render`](Self::render) writes.
#[derive(Clone, Debug, Default)]
pub struct Html {
    subject: Option<String>,
    paths: Paths,
}

/// The page, with a mark for each part that is put into it, in this order.
const PAGE: &str = include_str!("page.html");
const POLICY_MARK: &str = "<!--policy-->";
const STYLE_MARK: &str = "/*style*/";
const SCRIPT_MARK: &str = "/*script*/";
const DUMP_MARK: &str = "/*dump*/";

const STYLE: &str = include_str!("page.css");

/// One script: a file may use what stands in those before it, and, when it runs, what stands in those after it.
const SCRIPT: &str = concat!(
    include_str!("text.js"),
    include_str!("dump.js"),
    include_str!("filter.js"),
    include_str!("rows.js"),
    include_str!("draw.js"),
    include_str!("list.js"),
    include_str!("live.js"),
    include_str!("page.js"),
);

/// The policy of the page: its own script and style, by the hashes of their text, and whatever else is told.
macro_rules! policy {
    ($more:literal) => {
        concat!(
            "default-src 'none'; ",
            "script-src 'sha256-hpShwV04Blo6u96hGhtudjWGK6K4wWcJKS+fzddPICg='; ",
            "style-src 'sha256-AMF2/NHshLg5bpDH/zB7O9GLdnALCGY4UAXbgzAvMSo='; ",
            "img-src data:; base-uri 'none'; form-action 'none'; ",
            "require-trusted-types-for 'script'; trusted-types 'none'",
            $more
        )
    };
}

/// The content security policy with which [`live_page`] is to be sent, and any page of [`Html`] may be: its own script and style,
/// requests to where it came from, no frame around it.
pub const CSP: &str = policy!("; connect-src 'self'; frame-ancestors 'none'");

/// What a page says of itself, as nobody sends one with a file. A page cannot forbid to be framed.
const META: &str = concat!("<meta http-equiv=\"Content-Security-Policy\" content=\"", policy!(""), "\">");

impl Html {
    /// A page that does not say what program it is of.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What the dump is of, such as `shop, pid 4711 on web-3`: stands at the top. Not trusted.
    #[must_use]
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// How source paths are shown: short unless told.
    #[must_use]
    pub fn paths(mut self, paths: Paths) -> Self {
        self.paths = paths;
        self
    }

    /// Writes a dump. Allocates all of it: about 50 bytes for each task and its name, 15 for each node of a distinct trace, and
    /// some 80 kB. Filters each distinct tree twice.
    #[must_use]
    pub fn render(&self, trees: TaskTrees<'_>) -> String {
        let dump = Dump::new(trees, &self.paths.or_short());
        let columns = columns::Columns::new(&dump, self.subject.as_deref());
        // Nothing in it can fail to be written: keys are strings, and numbers are finite.
        page(META, &inert(&serde_json::to_string(&columns).unwrap_or_default()))
    }
}

impl TaskTrees<'_> {
    /// Returns the dump as a page of HTML, one file with all it needs, for a browser. See [`html`](crate::html), and [`Html`] for
    /// more to say on it and what it costs.
    #[must_use]
    pub fn to_html(&self) -> String {
        Html::new().render(*self)
    }
}

/// The page without a dump, for a server to send with [`CSP`] as the index of the folder in which `dump` and `process` are. It
/// fetches `dump?format=html`, and `process` for what to call the program. The first call allocates some 80 kB, which stay.
#[must_use]
pub fn live_page() -> &'static str {
    // The server's policy is the one that counts: one more, without requests, would forbid them.
    static LIVE: LazyLock<String> = LazyLock::new(|| page("", "null"));
    &LIVE
}

fn page(policy: &str, dump: &str) -> String {
    let mut page = String::with_capacity(PAGE.len() + STYLE.len() + SCRIPT.len() + dump.len() + policy.len());
    let mut rest = PAGE;
    for (mark, part) in [(POLICY_MARK, policy), (STYLE_MARK, STYLE), (SCRIPT_MARK, SCRIPT), (DUMP_MARK, dump)]
    {
        if let Some((before, after)) = rest.split_once(mark) {
            page.push_str(before);
            page.push_str(part);
            rest = after;
        }
    }
    page.push_str(rest);
    page
}

/// JSON that HTML cannot take for anything else, whatever its strings are: no character of it begins or ends something.
fn inert(json: &str) -> String {
    let mut inert = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find(['<', '>', '&']) {
        inert.push_str(&rest[..at]);
        // All three stand in strings only.
        inert.push_str(match rest.as_bytes()[at] {
            b'<' => "\\u003c",
            b'>' => "\\u003e",
            _ => "\\u0026",
        });
        rest = &rest[at + 1..];
    }
    inert.push_str(rest);
    escaped(inert)
}

#[cfg(test)]
mod tests;
