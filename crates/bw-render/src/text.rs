//! The tree as text.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use anstyle::Style;

use crate::class::{Class, Homes};
use crate::escape::Shortened;
use crate::filter::{Detail, Hidden};
use crate::generics;
use crate::path::shorten;
use crate::tree::{Node, Place, Tree};

/// How to print a tree. Data; printing it is [`render`](Self::render)'s.
///
/// Whatever comes from debug information is escaped where it could do more than show a character: control characters,
/// invisible ones and those that change the direction of text are printed as `\u{1b}`. At every level of detail, names and
/// paths longer than 16 KiB are cut in the middle and tell how many characters are missing, and only the first 100 levels
/// are indented: deeper ones stand below each other and tell their level, as `(level 100)`. So a text is linear in the
/// number of nodes. At all but full detail, names longer than 100 characters go without their innermost generic arguments:
/// `app::Service<…>`.
///
/// ```text
/// ╼ async fn app::serve at src/main.rs:20:11
///  ├╼ async fn app::read at src/main.rs:28:15
///  │  └╼ async fn app::fill (×2) at src/main.rs:16:6
///  └╼ async fn app::write at src/main.rs:32:11
/// ```
#[derive(Clone, Debug)]
pub struct Text {
    detail: Detail,
    glyphs: Glyphs,
    palette: Palette,
    whole_paths: Option<bool>,
    roots: Vec<String>,
    footer: bool,
    of_dump: bool,
}

/// What the branches are drawn with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Glyphs {
    /// `╼`, `├╼`, `└╼`, `│`.
    #[default]
    Unicode,
    /// The same in ASCII, also `(x2)` and `...`. Names are printed as they are.
    Ascii,
}

/// Colours, chosen by the caller, who knows the terminal. The default has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Palette {
    /// The branches.
    pub branch: Style,
    /// Function names.
    pub function: Style,
    /// `at file:line:column`.
    pub location: Style,
    /// Counts, marks, and the lines below the tree.
    pub note: Style,
}

impl Palette {
    /// Colours that can be read on dark and on light: bold names, dimmed positions.
    #[must_use]
    pub const fn colored() -> Self {
        Self {
            branch: Style::new().dimmed(),
            function: Style::new().bold(),
            location: Style::new().dimmed(),
            note: anstyle::AnsiColor::Yellow.on_default(),
        }
    }
}

/// Names longer than this many bytes are cut in the middle, at every level of detail. Real ones with very long generics
/// have a few thousand.
pub(crate) const NAME_BYTES: usize = 16 * 1024;

/// Levels that are indented. Deeper ones stand at the same column and tell their depth, so that a runaway recursion prints
/// in linear space.
const INDENTED_LEVELS: usize = 100;

impl Default for Text {
    fn default() -> Self {
        Self {
            detail: Detail::default(),
            glyphs: Glyphs::default(),
            palette: Palette::default(),
            whole_paths: None,
            roots: Vec::new(),
            footer: true,
            of_dump: false,
        }
    }
}

impl Text {
    /// What `{}` prints of a tree: [`Detail::User`], Unicode, no colours, short paths.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How much to show.
    #[must_use]
    pub fn detail(mut self, detail: Detail) -> Self {
        self.detail = detail;
        self
    }

    /// What the branches are drawn with.
    #[must_use]
    pub fn glyphs(mut self, glyphs: Glyphs) -> Self {
        self.glyphs = glyphs;
        self
    }

    /// The colours.
    #[must_use]
    pub fn palette(mut self, palette: Palette) -> Self {
        self.palette = palette;
        self
    }

    /// Whether source paths are printed as the debug information has them, or without the folders that the build machine
    /// kept them in. Unless told, whole with [`Detail::Full`] and short otherwise.
    #[must_use]
    pub fn whole_paths(mut self, whole: bool) -> Self {
        self.whole_paths = Some(whole);
        self
    }

    /// Short paths below this folder are printed relative to it. May be called for several.
    #[must_use]
    pub fn relative_to(mut self, folder: impl Into<String>) -> Self {
        self.roots.push(folder.into());
        self
    }

    /// A source path as it is printed short: without the folders of the build machine. See [`relative_to`](Self::relative_to).
    #[must_use]
    pub fn short_path<'a>(&self, path: &'a str) -> &'a str {
        shorten(path, &self.roots)
    }

    /// Whether lines below the tree say what is not shown: hidden frames, dropped stacks. On unless told. Where there is no
    /// tree, they are printed anyway: the text is never empty.
    #[must_use]
    pub fn footer(mut self, footer: bool) -> Self {
        self.footer = footer;
        self
    }

    /// For trees of tasks that were all asked. A `FuturesUnordered` whose children were asked wakes itself: that it did says
    /// nothing then, and depends on who was asked first. So it is not told, and only counted as hidden.
    pub(crate) fn of_dump(mut self) -> Self {
        self.of_dump = true;
        self
    }

    /// A source path as trees are printed with it; see [`whole_paths`](Self::whole_paths).
    #[must_use]
    pub fn path<'a>(&self, path: &'a str) -> &'a str {
        if self.whole_paths.unwrap_or(self.detail == Detail::Full) {
            path
        } else {
            shorten(path, &self.roots)
        }
    }

    /// The place where a task was wrapped is short even where all is shown of a tree, unless somebody wants it whole.
    pub(crate) fn path_of_task<'a>(&self, path: &'a str) -> &'a str {
        if self.whole_paths == Some(true) { path } else { shorten(path, &self.roots) }
    }

    /// What it leaves out of a tree.
    pub(crate) fn hides(&self, tree: &Tree) -> Hidden {
        tree.filtered(self.detail).hidden()
    }

    /// How a level of a tree is drawn: at a root, at an inner and the last sibling, and what stands below those two.
    pub(crate) fn branches(&self) -> [&'static str; 5] {
        match self.glyphs {
            Glyphs::Unicode => ["╼ ", "├╼ ", "└╼ ", "│  ", "   "],
            Glyphs::Ascii => ["- ", "|- ", "`- ", "|  ", "   "],
        }
    }

    /// What stands for what was left out.
    pub(crate) fn ellipsis(&self) -> &'static str {
        match self.glyphs {
            Glyphs::Unicode => "…",
            Glyphs::Ascii => "...",
        }
    }

    pub(crate) fn how_detailed(&self) -> Detail {
        self.detail
    }

    pub(crate) fn colors(&self) -> &Palette {
        &self.palette
    }

    /// The tree with these settings, to be printed. Filtering allocates, once for each printing; printing itself does not.
    ///
    /// The text does not end with a line feed. A tree without stacks prints why.
    #[must_use]
    pub fn render<'a>(&'a self, tree: &'a Tree) -> impl fmt::Display + 'a {
        Rendered { text: self, tree }
    }
}

/// Some lines of a tree.
pub(crate) struct Piece {
    pub(crate) lines: String,
    /// The node below which more is to be drawn after them, and what stands before the lines of that.
    pub(crate) room: Option<(usize, String)>,
}

impl Text {
    /// A tree that was filtered before, cut where more is to be drawn below some of its nodes, after their callees. Without
    /// the nodes that are `replaced`, and what is below them.
    pub(crate) fn pieces(
        &self,
        tree: &Tree,
        rooms: &HashSet<usize>,
        replaced: &HashSet<usize>,
    ) -> Vec<Piece> {
        let (mut pieces, mut lines) = (Vec::new(), String::new());
        let rendered = Rendered { text: self, tree };
        let _never_fails = rendered.nodes(&mut lines, tree, rooms, replaced, |lines, at, prefix| {
            let lines = std::mem::take(lines);
            pieces.push(Piece { lines, room: Some((at, prefix.to_owned())) });
        });
        if !lines.is_empty() {
            pieces.push(Piece { lines, room: None });
        }
        for piece in &mut pieces {
            if piece.lines.starts_with('\n') {
                piece.lines.remove(0);
            }
        }
        pieces
    }
}

struct Rendered<'a> {
    text: &'a Text,
    tree: &'a Tree,
}

impl fmt::Display for Rendered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Text { palette, footer, .. } = self.text;
        let note = palette.note;
        let tree = self.tree.filtered(self.text.detail);
        if tree.roots.is_empty() && tree.dropped == 0 && tree.blank == 0 {
            return write!(
                f,
                "{note}(no stack: the future returned Pending without cloning its waker, so nothing it was handed can \
                 wake it){note:#}"
            );
        }
        let none = HashSet::new();
        self.nodes(f, &tree, &none, &none, |_, _, _| {})?;
        // Where there is no tree, the lines below it are all there is to say.
        if *footer || tree.roots.is_empty() {
            let mut separator = if tree.roots.is_empty() { "" } else { "\n" };
            let mut line = |f: &mut fmt::Formatter<'_>, text: &dyn fmt::Display| {
                write!(f, "{separator}  {note}({text}){note:#}")?;
                separator = "\n";
                Ok(())
            };
            if tree.dropped > 0 {
                let stacks = if tree.dropped == 1 { "stack" } else { "stacks" };
                line(
                    f,
                    &format_args!(
                        "{} {stacks} did not fit; ask again: the next trace gets more room",
                        tree.dropped
                    ),
                )?;
            }
            if tree.blank > 0 {
                let stacks = if tree.blank == 1 { "stack has" } else { "stacks have" };
                line(
                    f,
                    &format_args!(
                        "{} {stacks} no frames: the walk could not even leave its leaf",
                        tree.blank
                    ),
                )?;
            }
            if lacks_debug_info(self.tree) {
                line(f, &LACKS_DEBUG_INFO)?;
            }
            if lacks_paths(self.tree) {
                line(f, &LACKS_PATHS)?;
            }
            if tree.hidden.total() > 0 {
                line(f, &tree.hidden)?;
            }
        }
        Ok(())
    }
}

impl Rendered<'_> {
    /// Depth first, with a stack of our own. Where more is to be drawn, says below which node, and after what.
    fn nodes<W: fmt::Write>(
        &self,
        f: &mut W,
        tree: &Tree,
        rooms: &HashSet<usize>,
        replaced: &HashSet<usize>,
        mut at_room: impl FnMut(&mut W, usize, &str),
    ) -> fmt::Result {
        /// What is still to be drawn, and how deep.
        enum Ahead {
            Node {
                at: usize,
                depth: usize,
                is_last: bool,
            },
            /// Below a node of the level above.
            Room {
                at: usize,
                depth: usize,
            },
        }
        let branch = self.text.palette.branch;
        let [root, inner, last, through, nothing] = self.text.branches();
        let mut first = true;
        // What is drawn before a node's children, and how long it is for each level above.
        let mut prefix = String::new();
        let mut lengths = Vec::new();
        let is_shown = |at: &&usize| !replaced.contains(at);
        let roots = tree.roots.iter().rev().filter(is_shown);
        let mut ahead: Vec<_> = roots.map(|&at| Ahead::Node { at, depth: 0, is_last: true }).collect();
        while let Some(next) = ahead.pop() {
            let (at, depth, is_last) = match next {
                Ahead::Node { at, depth, is_last } => (at, depth, is_last),
                Ahead::Room { at, depth } => {
                    lengths.truncate(depth.min(INDENTED_LEVELS));
                    prefix.truncate(lengths.last().copied().unwrap_or(0));
                    at_room(f, at, &prefix);
                    continue;
                }
            };
            if !std::mem::take(&mut first) {
                f.write_char('\n')?;
            }
            let node = &tree.nodes[at];
            lengths.truncate(depth.min(INDENTED_LEVELS));
            prefix.truncate(lengths.last().copied().unwrap_or(0));
            let edge = match (depth, is_last) {
                (0, _) => root,
                (_, true) => last,
                (_, false) => inner,
            };
            write!(f, "{branch}{prefix}{edge}{branch:#}")?;
            if depth >= INDENTED_LEVELS {
                let note = self.text.palette.note;
                write!(f, "{note}(level {depth}){note:#} ")?;
            } else {
                prefix.push_str(match (depth, is_last) {
                    (0, _) => " ",
                    (_, true) => nothing,
                    (_, false) => through,
                });
                lengths.push(prefix.len());
            }
            self.node(f, node)?;
            let depth = depth + 1;
            let mut is_last = true;
            if rooms.contains(&at) {
                ahead.push(Ahead::Room { at, depth });
                is_last = false;
            }
            for &at in node.children.iter().rev().filter(is_shown) {
                ahead.push(Ahead::Node { at, depth, is_last });
                is_last = false;
            }
        }
        Ok(())
    }

    fn node(&self, f: &mut impl fmt::Write, node: &Node) -> fmt::Result {
        let Palette { function, location, note, .. } = self.text.palette;
        let ellipsis = self.text.ellipsis();
        fn short<'a>(text: &'a str, ellipsis: &'static str) -> Shortened<'a> {
            Shortened { text, most: NAME_BYTES, ellipsis }
        }
        match &node.frame.function {
            Some(named) => {
                let name = match self.text.detail {
                    Detail::Full => Cow::Borrowed(&*named.name),
                    _ => generics::shorten(&named.name, ellipsis),
                };
                write!(f, "{function}{}{function:#}", short(&name, ellipsis))?;
            }
            None => {
                let nameless = Nameless { place: &node.place, ellipsis };
                write!(f, "{function}{nameless}{function:#}")?;
            }
        }
        if node.count > 1 {
            let times = if self.text.glyphs == Glyphs::Unicode { '×' } else { 'x' };
            write!(f, " {note}({times}{}){note:#}", node.count)?;
        }
        if let Some(at) = &node.frame.location {
            let file = self.text.path(&at.file);
            write!(f, "{location} at {}", short(file, ellipsis))?;
            if let Some(line) = at.line {
                write!(f, ":{line}")?;
                if let Some(column) = at.column {
                    write!(f, ":{column}")?;
                }
            }
            write!(f, "{location:#}")?;
        }
        for (mark, text) in [
            (node.marks.is_yield, "woke itself"),
            (node.marks.also_yields && !self.text.of_dump, "and woke itself"),
            (node.marks.blocked, "blocks its thread"),
            (node.marks.foreign, "on another thread"),
            (node.marks.truncated, "callers missing: the walk ended before the root"),
        ] {
            if mark {
                write!(f, " {note}({text}){note:#}")?;
            }
        }
        Ok(())
    }
}

/// What is printed of a place that has no name: `program+0x1f42`, or the address.
pub(crate) struct Nameless<'a> {
    pub(crate) place: &'a Place,
    pub(crate) ellipsis: &'static str,
}

impl fmt::Display for Nameless<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place.module {
            Some(module) => {
                let file = module.path.rsplit('/').next().unwrap_or(&module.path);
                let file = Shortened { text: file, most: NAME_BYTES, ellipsis: self.ellipsis };
                // Inside the call, which is what `addr2line -e FILE` wants to be asked.
                write!(f, "{file}+{:#x}", module.offset.saturating_sub(1))
            }
            None => write!(f, "{:#x}", self.place.address.saturating_sub(1)),
        }
    }
}

/// Said where [`lacks_debug_info`] holds.
pub(crate) const LACKS_DEBUG_INFO: &str = "debug information is missing: no lines, and functions that were inlined do not \
                                           show; build with debug = 1, do not strip";

/// Whether a frame is of Rust code, or of nobody knows what, and has no position. C code often has none, and neither does
/// what the compiler makes up.
pub(crate) fn lacks_debug_info(tree: &Tree) -> bool {
    tree.nodes.iter().any(|Node { frame, .. }| {
        // Without a file nothing depends on where its crate is at home.
        let is_rust = frame.function.as_ref().is_none_or(|function| function.path.contains("::"));
        is_rust
            && frame.location.is_none()
            && !matches!(Class::of(frame, &Homes::default()), Class::Std | Class::Glue)
    })
}

/// Said where [`lacks_paths`] holds.
pub(crate) const LACKS_PATHS: &str =
    "inlined functions lack their paths: the debug information has only lines; build with debug = 1";

/// Whether a body stands in a function that nothing names, as with `debug = "line-tables-only"`.
pub(crate) fn lacks_paths(tree: &Tree) -> bool {
    let names = tree.nodes.iter().filter_map(|node| node.frame.function.as_ref());
    names.into_iter().any(|function| function.name.ends_with(" {unknown}"))
}

impl fmt::Display for Hidden {
    /// `14 frames hidden: 4 hook, 6 poll glue, 2 std, 2 library`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let frames = if self.total() == 1 { "frame" } else { "frames" };
        write!(f, "{} {frames} hidden", self.total())?;
        let classes =
            [(self.hook, "hook"), (self.glue, "poll glue"), (self.std, "std"), (self.library, "library")];
        let mut separator = ": ";
        for (count, class) in classes {
            if count > 0 {
                write!(f, "{separator}{count} {class}")?;
                separator = ", ";
            }
        }
        Ok(())
    }
}

impl fmt::Display for Tree {
    /// For people; `{:#}` prints everything. See [`Text`] for more. Does not symbolize; filtering allocates.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detail = if f.alternate() { Detail::Full } else { Detail::User };
        fmt::Display::fmt(&Text::new().detail(detail).render(self), f)
    }
}
