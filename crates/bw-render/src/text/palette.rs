//! Colors of a terminal.

use std::fmt;

use crate::text::styled::{SpanStyle, StyledText, StyledWrite};

/// Colors, chosen by the caller, who knows the terminal. The default has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Palette {
    is_colored: bool,
}

impl Palette {
    /// Returns colors that can be read on dark and on light: bold names, dimmed positions.
    #[must_use]
    pub const fn colored() -> Self {
        Self { is_colored: true }
    }

    /// Prints a text with these colors, as ANSI escape sequences.
    #[must_use]
    pub fn paint(self, text: &StyledText) -> impl fmt::Display {
        Painted { palette: self, text }
    }

    /// The escape sequence that begins a style; empty where it has no color.
    fn begin(self, style: SpanStyle) -> &'static str {
        match style {
            _ if !self.is_colored => "",
            SpanStyle::Plain => "",
            SpanStyle::TreeLine | SpanStyle::Location => "\u{1b}[2m",
            SpanStyle::Function | SpanStyle::Heading => "\u{1b}[1m",
            SpanStyle::Note => "\u{1b}[33m",
        }
    }
}

/// Ends every style.
const RESET: &str = "\u{1b}[0m";

struct Painted<'a> {
    palette: Palette,
    text: &'a StyledText,
}

impl fmt::Display for Painted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Painter::new(f, self.palette).text(self.text)
    }
}

/// Writes styled text with ANSI escape sequences.
pub(crate) struct Painter<'a, W> {
    out: &'a mut W,
    palette: Palette,
}

impl<'a, W: fmt::Write> Painter<'a, W> {
    pub(crate) fn new(out: &'a mut W, palette: Palette) -> Self {
        Self { out, palette }
    }
}

impl<W: fmt::Write> fmt::Write for Painter<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.out.write_str(text)
    }
}

impl<W: fmt::Write> StyledWrite for Painter<'_, W> {
    fn styled(&mut self, style: SpanStyle, text: fmt::Arguments<'_>) -> fmt::Result {
        match self.palette.begin(style) {
            "" => self.out.write_fmt(text),
            begin => write!(self.out, "{begin}{text}{RESET}"),
        }
    }
}
