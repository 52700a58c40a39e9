//! Text with the colours that `bw-render` prints, as pieces of one style each.

use ratatui::style::{Color, Modifier, Style};

/// Pieces of a line. Escape sequences that are not of a style do not occur: what comes from the other side is escaped.
pub(crate) struct Pieces<'a> {
    rest: &'a str,
    style: Style,
}

/// The pieces of a line and their styles.
pub(crate) fn pieces(line: &str) -> Pieces<'_> {
    Pieces { rest: line, style: Style::new() }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = (&'a str, Style);

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(sequence) = self.rest.strip_prefix("\u{1b}[") {
            let end = sequence.find('m')?;
            for code in sequence[..end].split(';') {
                self.style = match code {
                    "1" => self.style.add_modifier(Modifier::BOLD),
                    "2" => self.style.add_modifier(Modifier::DIM),
                    "31" => self.style.fg(Color::Red),
                    "32" => self.style.fg(Color::Green),
                    "33" => self.style.fg(Color::Yellow),
                    "34" => self.style.fg(Color::Blue),
                    "35" => self.style.fg(Color::Magenta),
                    _ => Style::new(),
                };
            }
            self.rest = &sequence[end + 1..];
        }
        if self.rest.is_empty() {
            return None;
        }
        let end = self.rest.find('\u{1b}').unwrap_or(self.rest.len());
        if end == 0 {
            // No escape of a style: nothing of ours.
            self.rest = "";
            return None;
        }
        let (piece, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some((piece, self.style))
    }
}

/// The lines of a rendered text.
pub(crate) fn lines(text: &str) -> Vec<ratatui::text::Line<'static>> {
    text.lines()
        .map(|line| {
            pieces(line).map(|(piece, style)| ratatui::text::Span::styled(piece.to_owned(), style)).collect()
        })
        .collect()
}

/// The same text without its colours.
#[cfg(test)]
fn without_colours(text: &str) -> String {
    pieces(text).map(|(piece, _)| piece).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_become_styles() {
        let line =
            "\u{1b}[2m└╼ \u{1b}[0m\u{1b}[1mf\u{1b}[0m\u{1b}[2m at a.rs\u{1b}[0m \u{1b}[33m(note)\u{1b}[0m";
        let found: Vec<_> = pieces(line).collect();
        let (dim, bold) =
            (Style::new().add_modifier(Modifier::DIM), Style::new().add_modifier(Modifier::BOLD));
        let note = Style::new().fg(Color::Yellow);
        assert_eq!(
            found,
            [("└╼ ", dim), ("f", bold), (" at a.rs", dim), (" ", Style::new()), ("(note)", note)]
        );
        assert_eq!(without_colours(line), "└╼ f at a.rs (note)");
        for odd in ["", "\u{1b}", "\u{1b}[", "\u{1b}[1", "a\u{1b}]0;title"] {
            let _ = without_colours(odd);
        }
    }
}
