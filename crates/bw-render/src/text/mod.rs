//! Trees as text: settings, styled spans, and how names, paths and times are written.

pub(crate) mod brief;
pub(crate) mod count;
pub(crate) mod debug_info;
pub(crate) mod elapsed;
pub(crate) mod escape;
pub(crate) mod late_polls;
pub(crate) mod palette;
pub(crate) mod paths;
pub(crate) mod short_name;
pub(crate) mod shown_node;
pub(crate) mod styled;
pub(crate) mod tree_lines;

use std::fmt;

use self::brief::Brief;
use self::palette::{Painter, Palette};
use self::paths::Paths;
use self::styled::StyledText;
use crate::tree::Tree;
use crate::tree::filter::{Detail, Hidden};

/// How to print a tree. Data; [`render`](Self::render) prints, [`styled`](Self::styled) gives the spans of each line.
///
/// Whatever comes from debug information is escaped where it could do more than show a character: control characters,
/// invisible ones and those that change the direction of text are printed as `\u{1b}`. At every level of detail, names and
/// paths longer than 16 KiB are cut in the middle and tell how many characters are missing, and only the first 100 levels
/// are indented: deeper ones stand below each other and tell their level, as `(level 100)`. So a text is linear in the
/// number of nodes. At all but full detail, the middle of a long recursion is one line, `… 480 more of async fn app::level`, and names longer than 100 characters go without their innermost generic arguments:
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
    paths: Paths,
    footer: bool,
    /// For trees of tasks that were all asked. A `FuturesUnordered` whose children were asked wakes itself: that it did says
    /// nothing then, and depends on who was asked first. So it is not told, and only counted as hidden.
    is_of_dump: bool,
    /// For trees of tasks whose children are traced, if they are polled with other wakers.
    children_are_traced: bool,
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

/// Names longer than this many bytes are cut in the middle, at every level of detail. Real ones with very long generics
/// have a few thousand.
pub(crate) const NAME_BYTES: usize = 16 * 1024;

impl Default for Text {
    fn default() -> Self {
        Self {
            detail: Detail::default(),
            glyphs: Glyphs::default(),
            palette: Palette::default(),
            paths: Paths::default(),
            footer: true,
            is_of_dump: false,
            children_are_traced: false,
        }
    }
}

impl Text {
    /// What `{}` prints of a tree: [`Detail::User`], Unicode, no colors, short paths.
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

    /// The colors.
    #[must_use]
    pub fn palette(mut self, palette: Palette) -> Self {
        self.palette = palette;
        self
    }

    /// How source paths are printed: unless told, full with [`Detail::Full`] and short otherwise.
    #[must_use]
    pub fn paths(mut self, paths: Paths) -> Self {
        self.paths = paths;
        self
    }

    /// Whether lines below the tree say what is not shown: hidden frames, dropped stacks. On unless told. Where there is no
    /// tree, they are printed anyway: the text is never empty.
    #[must_use]
    pub fn footer(mut self, footer: bool) -> Self {
        self.footer = footer;
        self
    }

    /// Returns the tree with these settings, to be printed. Filtering allocates, once for each printing; printing itself does
    /// not.
    ///
    /// The text does not end with a line feed. A tree without stacks prints why.
    #[must_use]
    pub fn render<'a>(&'a self, tree: &'a Tree) -> impl fmt::Display + 'a {
        Rendered { text: self, tree }
    }

    /// Returns what [`render`](Self::render) prints, as styled spans instead of colors. Allocates.
    #[must_use]
    pub fn styled(&self, tree: &Tree) -> StyledText {
        let mut styled = StyledText::new();
        let _never_fails = self.write(&mut styled, tree);
        styled
    }

    /// Returns where the tree waits, for one line: see [`Brief`]. Filters the tree as [`render`](Self::render) does; allocates.
    #[must_use]
    pub fn brief(&self, tree: &Tree) -> Brief {
        self.brief_of_filtered(&tree.filtered(self.detail))
    }

    pub(crate) fn of_dump(mut self) -> Self {
        (self.is_of_dump, self.footer) = (true, false);
        self
    }

    /// Returns the same for trees of tasks that have traced children: nobody is told to wrap them.
    pub(crate) fn with_traced_children(&self, has_them: bool) -> Self {
        Self { children_are_traced: has_them, ..self.clone() }
    }

    /// Returns a source path as trees are printed with it.
    pub(crate) fn path<'a>(&self, path: &'a str) -> &'a str {
        self.paths.show(path, self.detail == Detail::Full)
    }

    /// Returns a path as the place is printed with it where a task was wrapped: short even where all is shown of a tree, unless
    /// full paths are asked for.
    pub(crate) fn path_of_task<'a>(&self, path: &'a str) -> &'a str {
        self.paths.show(path, false)
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

    /// How much is shown.
    pub(crate) fn shown_detail(&self) -> Detail {
        self.detail
    }

    /// Returns a writer that paints what it is given with the colors of this text.
    pub(crate) fn painter<'a, W: fmt::Write>(&self, out: &'a mut W) -> Painter<'a, W> {
        Painter::new(out, self.palette)
    }
}

struct Rendered<'a> {
    text: &'a Text,
    tree: &'a Tree,
}

impl fmt::Display for Rendered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.write(&mut self.text.painter(f), self.tree)
    }
}

impl fmt::Display for Tree {
    /// For people; `{:#}` prints everything. See [`Text`] for more. Does not symbolize; filtering allocates.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detail = if f.alternate() { Detail::Full } else { Detail::User };
        fmt::Display::fmt(&Text::new().detail(detail).render(self), f)
    }
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
