//! What is where on the screen.

use ratatui::layout::Rect;

use super::Model;
use super::header::{self, HeaderLine, Loudness};
use super::styled_line::{plain, width as width_of};

/// What is where on the screen. What there is no room for is absent; the rows come first, then what is loud.
#[derive(Debug)]
pub(crate) struct Layout {
    /// One below the other from the first line of the screen.
    pub(crate) header: Vec<HeaderLine>,
    /// The line that names the views, or what is shown close up.
    pub(crate) tabs: Option<u16>,
    /// The titles of the columns.
    pub(crate) columns: Option<u16>,
    /// The rows of the list, of the tree, or of the help.
    pub(crate) rows: Rect,
    /// The tree of what the cursor is on, with a line above it.
    pub(crate) preview: Option<Rect>,
    pub(crate) footer: Option<u16>,
}

/// Screens of so many lines show the tree of what the cursor is on as well.
const PREVIEW_FROM: u16 = 24;
/// Rows for which everything but what is loud makes room.
const FEW_ROWS: u16 = 4;
/// Lines that a loud text may take.
const MOST_LOUD_LINES: usize = 3;

impl Layout {
    pub(crate) fn new(model: &Model) -> Self {
        let (width, height) = model.size;
        let is_list = model.help.is_none() && model.close_up.is_none();
        let mut lines = header::lines(model).into_iter();
        let process = lines.next();
        let (loud, quiet): (Vec<_>, Vec<_>) = lines.partition(|line| line.loudness != Loudness::Plain);
        let loud: Vec<_> = loud.into_iter().flat_map(|line| wrapped(&line, width.into())).collect();

        let mut left = height.saturating_sub(1);
        let mut take = |keep: u16| {
            let has_room = left > keep;
            left -= u16::from(has_room);
            has_room
        };
        let first_loud = usize::from(!loud.is_empty() && take(0));
        let has_process = take(0);
        let has_columns = is_list && take(0);
        let has_tabs = take(0);
        let has_footer = take(0);
        let more_loud = loud.iter().skip(first_loud).take_while(|_| take(FEW_ROWS)).count();
        let more_quiet = if is_list { quiet.iter().take_while(|_| take(FEW_ROWS)).count() } else { 0 };

        let mut header: Vec<HeaderLine> = process.into_iter().take(usize::from(has_process)).collect();
        header.extend(loud.into_iter().take(first_loud + more_loud));
        header.extend(quiet.into_iter().take(more_quiet));
        let mut y = u16::try_from(header.len()).unwrap_or(u16::MAX);
        let mut line = |there: bool| {
            let at = there.then_some(y);
            y += u16::from(there);
            at
        };
        let (tabs, columns) = (line(has_tabs), line(has_columns));
        let end = height - u16::from(has_footer);
        let footer = has_footer.then_some(end);
        let mut rows = Rect::new(0, y.min(end), width, end.saturating_sub(y));
        let mut preview = None;
        if is_list && height >= PREVIEW_FROM && rows.height > FEW_ROWS * 2 {
            // What the list does not need, in steps, so that it does not jump with each row that comes and goes.
            let needs = u16::try_from(model.list().rows().len()).unwrap_or(u16::MAX).max(1);
            let of_list = needs.div_ceil(FEW_ROWS).saturating_mul(FEW_ROWS).min(rows.height * 3 / 5);
            let of_it = rows.height - of_list;
            rows.height = of_list;
            preview = Some(Rect::new(0, rows.bottom(), width, of_it));
        }
        Self { header, tabs, columns, rows, preview, footer }
    }
}

/// The lines that a loud text takes.
fn wrapped(line: &HeaderLine, width: usize) -> Vec<HeaderLine> {
    let mut lines: Vec<String> = vec![String::new()];
    let mut used = 0;
    for word in plain(&line.left).split(' ') {
        let needs = width_of(word);
        // What does not fit in the last line is cut there.
        let is_full = used + 1 + needs > width && lines.len() < MOST_LOUD_LINES;
        match lines.last_mut() {
            Some(last) if last.is_empty() => {
                last.push_str(word);
                used = needs;
            }
            Some(last) if !is_full => {
                last.push(' ');
                last.push_str(word);
                used += 1 + needs;
            }
            _ => {
                lines.push(format!("  {word}"));
                used = 2 + needs;
            }
        }
    }
    lines.into_iter().map(|left| HeaderLine { left: left.into(), ..line.clone() }).collect()
}
