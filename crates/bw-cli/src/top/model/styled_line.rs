//! Lines of text with styles, which the view draws.

use bw_render::{SpanStyle, StyledLine, StyledText};
use ratatui::style::{Color, Modifier, Style};
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

/// The lines of a rendered text.
pub(crate) fn lines(text: &StyledText) -> Vec<Line<'static>> {
    text.lines().iter().map(line).collect()
}

/// A rendered line.
pub(crate) fn line(line: &StyledLine) -> Line<'static> {
    line.spans().map(|span| Span::styled(span.text.to_owned(), style(span.style))).collect()
}

/// How the view shows a style of the renderer.
fn style(style: SpanStyle) -> Style {
    match style {
        SpanStyle::TreeLine | SpanStyle::Location => Style::new().add_modifier(Modifier::DIM),
        SpanStyle::Function | SpanStyle::Heading => BOLD,
        SpanStyle::Note => Style::new().fg(Color::Yellow),
        _ => Style::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_of_the_renderer_show() {
        let mut text = StyledText::new();
        for (style, part) in [
            (SpanStyle::TreeLine, "└╼ "),
            (SpanStyle::Function, "f"),
            (SpanStyle::Location, " at a.rs"),
            (SpanStyle::Plain, " "),
            (SpanStyle::Note, "(note)\n"),
            (SpanStyle::Plain, "next"),
        ] {
            text.push(style, part);
        }
        let dim = Style::new().add_modifier(Modifier::DIM);
        let note = Style::new().fg(Color::Yellow);
        let first = [
            Span::styled("└╼ ", dim),
            Span::styled("f", BOLD),
            Span::styled(" at a.rs", dim),
            Span::raw(" "),
            Span::styled("(note)", note),
        ];
        let shown = lines(&text);
        assert_eq!(shown, [Line::from_iter(first), Line::from("next")]);
        assert_eq!(plain(&shown[0]), "└╼ f at a.rs (note)");
    }
}
