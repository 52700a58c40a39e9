//! Builds and prints the tree of where an async task waits.
//!
//! Takes the [`SymbolizedTrace`](bw_symbolize::SymbolizedTrace) of one task, merges its stacks from the root into a
//! [`Tree`], leaves out what a person does not want to see (and counts it), and prints it as [`Text`].
//!
//! # What to do
//!
//! Symbolize a trace with `bw-symbolize`, make a tree of it, print it. `{}` is for people, `{:#}` is everything:
//!
//! ```
//! use bw_render::{Detail, Glyphs, Text, Tree};
//!
//! # let trace = bw_symbolize::SymbolizedTrace::default();
//! let tree = Tree::new(&trace);
//! println!("{tree}");
//! println!("{}", Text::new().detail(Detail::Library).glyphs(Glyphs::Ascii).render(&tree));
//! ```
//!
//! For a task that waits for two others it prints:
//!
//! ```text
//! ╼ async fn taskdump::foo at examples/taskdump.rs:23:11
//!  └╼ async fn taskdump::bar at examples/taskdump.rs:27:5
//!     ├╼ async fn taskdump::fiz at examples/taskdump.rs:31:15
//!     │  └╼ async fn taskdump::pending at examples/taskdump.rs:19:6
//!     └╼ async fn taskdump::buz at examples/taskdump.rs:35:11
//!        └╼ async fn taskdump::baz at examples/taskdump.rs:39:15
//!           └╼ async fn taskdump::pending at examples/taskdump.rs:19:6
//! ```
//!
//! # Folders
//!
//! Each builds on those before it: `tree` (frames, and which of them to show), `text` (how a tree, a name, a path and a time are
//! written), `dump` (the tasks of a dump in groups and as a tree, also those of many processes), `format` (JSON, HTML, pprof,
//! folded stacks), `difference` (what changed between two dumps).
//!
//! # Features
//!
//! None is on by default: text and folded stacks need none. `json` adds JSON,
//! `html` adds pages for browsers, `pprof` adds profiles.
//!
//! # What it is not for
//!
//! The crate is pure: data and settings in, text, JSON, a page or a profile out. It does not look up symbols, does no I/O and does
//! not ask the terminal about colors: the caller knows. Names and paths come from debug information and are not trusted:
//! whatever could do more than show a character is escaped.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod difference;
mod dump;
mod format;

mod text;
mod tree;

pub use difference::{Difference, Grown};
pub use dump::dump_text::DumpText;
pub use dump::groups::{Group, Groups};
pub use dump::merged_trees::MergedTrees;
pub use dump::task_trees::TaskTrees;
pub use format::folded::Folded;
#[cfg(feature = "html")]
pub use format::html::{self, Html};
#[cfg(feature = "json")]
pub use format::json::{self, Json};
#[cfg(feature = "pprof")]
pub use format::pprof::{self, Pprof};
pub use text::brief::Brief;
pub use text::count::Count;
pub use text::elapsed::Elapsed;
pub use text::escape::Escaped;
pub use text::late_polls::LatePolls;
pub use text::palette::Palette;
pub use text::paths::Paths;
pub use text::styled::{SpanStyle, StyledLine, StyledSpan, StyledText};
pub use text::{Glyphs, Text};
pub use tree::filter::{Detail, Hidden};
pub use tree::{Marks, Node, Place, Tree};
