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
//! # What it is not for
//!
//! It is pure: data and settings in, text, JSON or a page of [`html`] out. It does not look up symbols, does no I/O and asks no
//! terminal whether it likes colours: the caller knows. Names and paths come from debug information and are not trusted:
//! whatever could do more than show a character is escaped.

#![forbid(unsafe_code)]

mod difference;
mod dump;
mod format;

mod text;
mod tree;

pub use difference::{Difference, Grown};
pub use dump::TaskTrees;
pub use dump::dump_text::DumpText;
pub use dump::groups::{Group, Groups};
pub use dump::merged_trees::MergedTrees;
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
pub use text::palette::Palette;
pub use text::paths::Paths;
pub use text::styled::{SpanStyle, StyledLine, StyledSpan, StyledText};
pub use text::{Glyphs, Text};
pub use tree::filter::{Detail, Hidden};
pub use tree::{Marks, Node, Place, Tree};
