//! Puts text on the screen: cut to its place, with what is searched for made visible.

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;

use crate::top::model::pattern::Pattern;
use crate::top::model::styled_line::{plain, width};

/// Puts text on the screen.
pub(crate) struct Painter<'a> {
    pub(crate) buffer: &'a mut Buffer,
    /// What is searched for.
    pub(crate) pattern: &'a Pattern,
    pub(crate) has_colours: bool,
}

/// Where a text goes: at most `width` columns, in one line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spot {
    pub(crate) x: u16,
    pub(crate) y: u16,
    pub(crate) width: u16,
}

impl Painter<'_> {
    /// Puts a line, from its column `left` on. What is searched for is made visible. Says how many columns it took.
    pub(crate) fn found(&mut self, spot: Spot, line: &Line<'_>, style: Style, left: usize) -> u16 {
        let ranges = match self.pattern.is_empty() {
            true => Vec::new(),
            false => self.pattern.all_in(&plain(line)),
        };
        self.print(spot, line, style, left, &ranges)
    }

    /// Puts a line. Says how many columns it took.
    pub(crate) fn put<'a>(&mut self, spot: Spot, line: impl Into<Line<'a>>, style: Style) -> u16 {
        self.print(spot, &line.into(), style, 0, &[])
    }

    /// A text without colours, at the right of its place if it fits.
    pub(crate) fn put_right(&mut self, spot: Spot, text: &str, style: Style) {
        let free = usize::from(spot.width).saturating_sub(width(text));
        let free = u16::try_from(free).unwrap_or(0);
        self.put(Spot { x: spot.x + free, width: spot.width - free, ..spot }, text, style);
    }

    fn print(
        &mut self,
        spot: Spot,
        line: &Line<'_>,
        base: Style,
        left: usize,
        found: &[std::ops::Range<usize>],
    ) -> u16 {
        let area = self.buffer.area;
        if spot.y < area.top() || spot.y >= area.bottom() || spot.x < area.left() || spot.x >= area.right() {
            return 0;
        }
        let room = usize::from(spot.width.min(area.right() - spot.x));
        // The column of the text, and the byte of it without colours.
        let (mut column, mut byte) = (0_usize, 0_usize);
        let mut used = 0_usize;
        // Where the last one stands.
        let mut last = 0_usize;
        let mut found = found.iter().peekable();
        for span in line {
            let style = self.style(base.patch(span.style));
            for grapheme in span.styled_graphemes(Style::new()) {
                let (symbol, at) = (grapheme.symbol, byte);
                byte += symbol.len();
                let takes = width(symbol);
                let begins = column;
                column += takes;
                // What takes no column has none of its own to be in.
                if takes == 0 || column <= left {
                    continue;
                }
                let x = begins.saturating_sub(left);
                let end = column - left;
                if end > room {
                    // There is more: said in the last column, or instead of the last one.
                    let at = if used < room { used } else { last };
                    self.set(spot, at, room - at, "…", style);
                    return u16::try_from(room).unwrap_or(u16::MAX);
                }
                while found.next_if(|range| range.end <= at).is_some() {}
                let is_found = found.peek().is_some_and(|range| range.contains(&at));
                let style = if is_found { style.patch(self.of_found()) } else { style };
                // Half of a wide one is at the left of the place.
                let symbol = if begins < left { " " } else { symbol };
                self.set(spot, x, end - x, symbol, style);
                (last, used) = (x, end);
            }
        }
        u16::try_from(used).unwrap_or(u16::MAX)
    }

    fn set(&mut self, spot: Spot, at: usize, takes: usize, symbol: &str, style: Style) {
        for n in 0..takes {
            let x = spot.x.saturating_add(u16::try_from(at + n).unwrap_or(u16::MAX));
            if let Some(cell) = self.buffer.cell_mut((x, spot.y)) {
                // The cells behind a wide one belong to it.
                cell.set_symbol(if n == 0 { symbol } else { " " }).set_style(style);
            }
        }
    }

    /// What a whole line looks like.
    pub(crate) fn fill(&mut self, spot: Spot, style: Style) {
        let style = self.style(style);
        for x in spot.x..spot.x.saturating_add(spot.width) {
            if let Some(cell) = self.buffer.cell_mut((x, spot.y)) {
                cell.set_style(style);
            }
        }
    }

    /// The style as this terminal is to show it: without colours if that was said; what they say is said in words as well.
    fn style(&self, style: Style) -> Style {
        if self.has_colours { style } else { Style { fg: None, bg: None, ..style } }
    }

    fn of_found(&self) -> Style {
        if self.has_colours {
            Style::new()
                .fg(Color::Black)
                .bg(Color::Yellow)
                .remove_modifier(Modifier::DIM | Modifier::REVERSED)
        } else {
            Style::new().add_modifier(Modifier::BOLD | Modifier::UNDERLINED)
        }
    }

    /// A loud line.
    pub(crate) fn loud(&self, colour: Color) -> Style {
        if self.has_colours {
            let on = if colour == Color::Yellow { Color::Black } else { Color::White };
            Style::new().fg(on).bg(colour).add_modifier(Modifier::BOLD)
        } else {
            Style::new().add_modifier(Modifier::BOLD | Modifier::REVERSED)
        }
    }
}
