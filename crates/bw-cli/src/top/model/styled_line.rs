//! Lines of text with styles, which the view draws.

use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

pub(crate) const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);

/// The columns that a text takes on the screen.
pub(crate) fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// The text of a line, without its styles.
pub(crate) fn plain(line: &Line<'_>) -> String {
    line.iter().map(|span| &*span.content).collect()
}
