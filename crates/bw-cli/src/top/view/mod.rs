//! Draws the state. Pure: what it draws depends on nothing else.

mod columns;
mod painter;

use std::borrow::Cow;

use bw_render::Count;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;

use crate::top::model::close_up::{CloseUp, Subject, titled};
use crate::top::model::dump_summary::DumpSummary;
use crate::top::model::header::Loudness;
use crate::top::model::keys::KEYS;
use crate::top::model::layout::Layout;
use crate::top::model::sorting::Order;
use crate::top::model::stuck::is_stuck;
use crate::top::model::styled_line::{BOLD, width};
use crate::top::model::{Model, View};
use columns::{Column, GAP};
use painter::{Painter, Spot};

const DIM: Style = Style::new().add_modifier(Modifier::DIM);
const CURSOR: Style = Style::new().add_modifier(Modifier::REVERSED);

/// Draws all of it. Takes as long as there is screen, however many tasks there are.
pub(crate) fn draw(model: &Model, buffer: &mut Buffer) {
    let layout = Layout::new(model);
    let painter = Painter { buffer, pattern: &model.pattern, has_colours: model.has_colours };
    Drawing { model, layout: &layout, painter }.all();
}

struct Drawing<'a> {
    model: &'a Model,
    layout: &'a Layout,
    painter: Painter<'a>,
}

impl Drawing<'_> {
    fn all(&mut self) {
        self.header();
        if let Some(y) = self.layout.tabs {
            self.tabs(y);
        }
        match (&self.model.help, &self.model.close_up, &self.model.summary) {
            (Some(top), _, _) => self.help(*top),
            (None, Some(close_up), _) => self.close_up(close_up),
            (None, None, Some(summary)) => {
                self.list(summary);
                if let Some(area) = self.layout.preview {
                    self.preview(summary, area);
                }
            }
            (None, None, None) => self.say("asking the process where its tasks wait …"),
        }
        if let Some(y) = self.layout.footer {
            self.footer(y);
        }
    }

    fn line(&self, y: u16) -> Spot {
        Spot { x: 0, y, width: self.model.size.0 }
    }

    fn header(&mut self) {
        for (line, y) in self.layout.header.iter().zip(0..) {
            let spot = self.line(y);
            let style = match line.loudness {
                Loudness::Plain => Style::new(),
                Loudness::Warning => self.painter.loud(Color::Yellow),
                Loudness::Alarm => self.painter.loud(Color::Red),
            };
            if line.loudness != Loudness::Plain {
                self.painter.fill(spot, style);
            }
            let used = self.painter.put(spot, line.left.clone(), style);
            self.at_right(y, used, line.right.clone());
        }
    }

    /// At the right of a line of which something is used, if it fits.
    fn at_right<'a>(&mut self, y: u16, used: u16, line: impl Into<Line<'a>>) {
        let line = line.into();
        let needs = line.width();
        let free = usize::from(self.model.size.0).saturating_sub(usize::from(used) + usize::from(GAP));
        if needs > 0 && needs <= free {
            let needs = u16::try_from(needs).unwrap_or(0);
            let x = self.model.size.0 - needs;
            self.painter.put(Spot { x, y, width: needs }, line, DIM);
        }
    }

    fn tabs(&mut self, y: u16) {
        let mut spot = self.line(y);
        let end = spot.width;
        let mut put = |painter: &mut Painter<'_>, text: &str, style: Style| {
            let used = painter.put(spot, text, style);
            spot.x += used;
            spot.width = end.saturating_sub(spot.x);
        };
        let model = self.model;
        let mut position = String::new();
        if model.help.is_some() {
            put(&mut self.painter, "keys", BOLD);
        } else if let Some(close_up) = &model.close_up {
            let what = match close_up.subject {
                Subject::Group(_) => Cow::Borrowed("group"),
                Subject::Task(id) => Cow::Owned(format!("task {id}")),
            };
            put(&mut self.painter, &what, BOLD);
            if close_up.is_gone {
                let gone = match close_up.subject {
                    Subject::Group(_) => " (there is no such group any more; this is what was there)",
                    Subject::Task(_) => " (it is over, or does not pass any more; this is what was there)",
                };
                put(&mut self.painter, gone, Style::new().fg(Color::Yellow));
            }
            let detail = match close_up.detail {
                bw_render::Detail::Library => "  with libraries",
                bw_render::Detail::Full => "  everything",
                _ => "",
            };
            put(&mut self.painter, detail, DIM);
            let (lines, rows) = (close_up.lines.len(), usize::from(self.layout.rows.height));
            if lines > rows {
                let last = (close_up.top + rows).min(lines);
                position = format!("{}-{} of {} lines", close_up.top + 1, Count(last), Count(lines));
            }
        } else {
            for view in View::ALL {
                let style = if view == model.view { CURSOR.patch(BOLD) } else { Style::new() };
                put(&mut self.painter, &format!(" {} ", view.title()), style);
                put(&mut self.painter, " ", Style::new());
            }
            put(&mut self.painter, &format!(" by {}", model.sorting().by().words(model.view)), DIM);
            let yellow = Style::new().fg(Color::Yellow);
            if let Some(state) = model.only_state {
                put(&mut self.painter, &format!("  only {}", state.words()), yellow);
            }
            if model.only_group.is_some() && model.view != View::Groups {
                put(&mut self.painter, "  only of one group", yellow);
            }
            if !model.pattern.is_empty() {
                put(&mut self.painter, &format!("  with \"{}\"", model.pattern.text()), yellow);
            }
            let (at, rows) = (model.list().at(), model.list().rows().len());
            if rows > 0 {
                position = format!("{} of {}", Count(at + 1), Count(rows));
            }
        }
        self.at_right(y, spot.x, position);
    }

    /// In the middle of nothing.
    fn say(&mut self, text: &str) {
        let rows = self.layout.rows;
        self.painter.put(Spot { x: rows.x, y: rows.y, width: rows.width }, text, DIM);
    }

    fn list(&mut self, summary: &DumpSummary) {
        let model = self.model;
        let columns = columns::columns(model, summary);
        if let Some(y) = self.layout.columns {
            self.titles(y, &columns);
        }
        let list = model.list();
        if list.rows().is_empty() {
            return self.say(match (summary.tasks.is_empty(), model.narrows()) {
                (true, _) => "no task is traced",
                (false, true) => "nothing passes; Esc shows everything",
                (false, false) => "nothing",
            });
        }
        let rows = self.layout.rows;
        let shown = list.rows().iter().enumerate().skip(list.offset()).take(rows.height.into());
        for ((at, row), y) in shown.zip(rows.y..) {
            let index = row.task as usize;
            let (state, time) = match model.view {
                View::Groups => (summary.groups[index].state, summary.groups[index].oldest),
                View::Tasks | View::Tree => (summary.tasks[index].state, summary.tasks[index].in_state),
            };
            let mut style = if is_stuck(state, time) { Style::new().fg(Color::Red) } else { state.style() };
            if at == list.at() {
                style = style.patch(CURSOR);
                self.painter.fill(Spot { x: rows.x, y, width: rows.width }, style);
            }
            let mut x = rows.x;
            for &(column, width) in &columns {
                let spot = Spot { x, y, width };
                x = x.saturating_add(width).saturating_add(GAP);
                let text = match model.view {
                    View::Groups => columns::of_group(column, &summary.groups[index]),
                    View::Tasks | View::Tree => columns::of_task(column, model, summary, *row),
                };
                if column.is_right() {
                    self.painter.put_right(spot, &text, style);
                } else {
                    self.painter.found(spot, &text.into(), style, 0);
                }
            }
        }
    }

    fn titles(&mut self, y: u16, columns: &[(Column, u16)]) {
        let style = DIM.patch(Style::new().add_modifier(Modifier::UNDERLINED));
        self.painter.fill(self.line(y), style);
        let (view, sorting) = (self.model.view, self.model.sorting());
        let mut x = 0_u16;
        for &(column, width) in columns {
            let mut title = column.title(view).to_owned();
            let mut style = style;
            if column.order(view) == Some(sorting.by()) {
                let is_rising = matches!(sorting.by(), Order::Name | Order::Id) != sorting.is_reversed;
                title.push(if is_rising { '↑' } else { '↓' });
                style = Style::new().add_modifier(Modifier::UNDERLINED | Modifier::BOLD);
            }
            let spot = Spot { x, y, width };
            x = x.saturating_add(width).saturating_add(GAP);
            if column.is_right() {
                self.painter.put_right(spot, &title, style);
            } else {
                self.painter.put(spot, title, style);
            }
        }
    }

    fn preview(&mut self, summary: &DumpSummary, area: Rect) {
        let Some(row) = self.model.list().row() else { return };
        let (group, mut title) = match self.model.view {
            View::Groups => (summary.groups.get(row.task as usize), "── tree of the group ".to_owned()),
            View::Tasks | View::Tree => {
                let task = &summary.tasks[row.task as usize];
                let place = &summary.places[task.place as usize];
                (summary.group_of(task), format!("── task {}, spawned at {place} ", titled(task)))
            }
        };
        let Some(group) = group else { return };
        let lines = &group.body[..group.body.len().min(area.height.into())];
        let used = width(&title);
        title.extend(std::iter::repeat_n('─', usize::from(area.width).saturating_sub(used)));
        self.painter.put(Spot { x: area.x, y: area.y, width: area.width }, title, DIM);
        let below = lines.len() >= usize::from(area.height);
        for (line, y) in lines.iter().zip(area.y + 1..area.bottom()) {
            self.painter.found(Spot { x: area.x, y, width: area.width }, line, Style::new(), 0);
        }
        if below && let Some(y) = area.bottom().checked_sub(1).filter(|y| *y > area.y) {
            self.painter.fill(Spot { x: area.x, y, width: area.width }, Style::new());
            let more = "(more: Enter) ";
            self.at_right(y, 0, more);
        }
    }

    fn close_up(&mut self, close_up: &CloseUp) {
        let rows = self.layout.rows;
        let lines = close_up.lines.iter().skip(close_up.top).take(rows.height.into());
        for (line, y) in lines.zip(rows.y..) {
            self.painter.found(Spot { x: rows.x, y, width: rows.width }, line, Style::new(), close_up.left);
        }
    }

    fn help(&mut self, top: usize) {
        let rows = self.layout.rows;
        let longest = KEYS.iter().map(|(keys, _)| width(keys)).max().unwrap_or(0);
        let longest = u16::try_from(longest).unwrap_or(0);
        for ((keys, what), y) in KEYS.iter().skip(top).zip(rows.y..rows.bottom()) {
            self.painter.put(Spot { x: 0, y, width: longest.min(rows.width) }, *keys, BOLD);
            let x = longest + GAP;
            self.painter.put(Spot { x, y, width: rows.width.saturating_sub(x) }, *what, Style::new());
        }
    }

    fn footer(&mut self, y: u16) {
        let (spot, model) = (self.line(y), self.model);
        if model.is_typing {
            let used = self.painter.put(spot, format!("/{}", model.pattern.text()), BOLD);
            self.painter.put(Spot { x: used, y, width: spot.width.saturating_sub(used) }, " ", CURSOR);
            self.at_right(y, used.saturating_add(1), "Enter keeps it, Esc drops it");
            return;
        }
        let hints = if model.help.is_some() {
            "any other key closes the help"
        } else if model.close_up.is_some() {
            "Esc back  ↑↓←→ scroll  d detail  / search  n next  ? help  ^C quit"
        } else {
            match model.view {
                View::Groups => {
                    "Enter tree  t its tasks  Tab view  / search  f state  s sort  p pause  r now  ? help  q quit"
                }
                View::Tasks => {
                    "Enter tree  Tab view  / search  f state  s sort  o turn round  p pause  r now  ? help  q quit"
                }
                View::Tree => {
                    "Enter tree  ←→ children  Tab view  / search  f state  s sort  p pause  r now  ? help  q quit"
                }
            }
        };
        self.painter.put(spot, hints, DIM);
    }
}
