//! Draws the state. Pure: what it draws depends on nothing else.

use std::borrow::Cow;

use bw_render::Count;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

use super::close_up::{CloseUp, Subject};
use super::columns::{self, Column, GAP};
use super::header::Loudness;
use super::ink::{Ink, Spot, of_state, width};
use super::keys::KEYS;
use super::layout::Layout;
use super::model::{Model, View};
use super::order::Order;
use super::picture::{Picture, is_stuck};

const DIM: Style = Style::new().add_modifier(Modifier::DIM);
const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
const CURSOR: Style = Style::new().add_modifier(Modifier::REVERSED);

/// Draws all of it. Takes as long as there is screen, however many tasks there are.
pub(super) fn draw(model: &Model, buffer: &mut Buffer) {
    let layout = Layout::new(model);
    let ink = Ink { buffer, pattern: &model.pattern, has_colours: model.has_colours };
    Drawing { model, layout: &layout, ink }.all();
}

struct Drawing<'a> {
    model: &'a Model,
    layout: &'a Layout,
    ink: Ink<'a>,
}

impl Drawing<'_> {
    fn all(&mut self) {
        self.header();
        if let Some(y) = self.layout.tabs {
            self.tabs(y);
        }
        match (&self.model.help, &self.model.close_up, &self.model.picture) {
            (Some(top), _, _) => self.help(*top),
            (None, Some(close_up), _) => self.close_up(close_up),
            (None, None, Some(picture)) => {
                self.list(picture);
                if let Some(area) = self.layout.preview {
                    self.preview(picture, area);
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
                Loudness::Warning => self.ink.loud(Color::Yellow),
                Loudness::Alarm => self.ink.loud(Color::Red),
            };
            if line.loudness != Loudness::Plain {
                self.ink.fill(spot, style);
            }
            let used = self.ink.put(spot, &line.left, style);
            self.at_right(y, used, &line.right);
        }
    }

    /// At the right of a line of which something is used, if it fits.
    fn at_right(&mut self, y: u16, used: u16, text: &str) {
        let needs = width(&super::styled::without_colours(text));
        let free = usize::from(self.model.size.0).saturating_sub(usize::from(used) + usize::from(GAP));
        if needs > 0 && needs <= free {
            let needs = u16::try_from(needs).unwrap_or(0);
            let x = self.model.size.0 - needs;
            self.ink.put(Spot { x, y, width: needs }, text, DIM);
        }
    }

    fn tabs(&mut self, y: u16) {
        let mut spot = self.line(y);
        let end = spot.width;
        let mut put = |ink: &mut Ink<'_>, text: &str, style: Style| {
            let used = ink.put(spot, text, style);
            spot.x += used;
            spot.width = end.saturating_sub(spot.x);
        };
        let model = self.model;
        let mut position = String::new();
        if model.help.is_some() {
            put(&mut self.ink, "keys", BOLD);
        } else if let Some(close_up) = &model.close_up {
            let what = match close_up.subject {
                Subject::Group(_) => Cow::Borrowed("group"),
                Subject::Task(id) => Cow::Owned(format!("task {id}")),
            };
            put(&mut self.ink, &what, BOLD);
            if close_up.is_gone {
                let gone = match close_up.subject {
                    Subject::Group(_) => " (there is no such group any more; this is what was there)",
                    Subject::Task(_) => " (it is over, or does not pass any more; this is what was there)",
                };
                put(&mut self.ink, gone, Style::new().fg(Color::Yellow));
            }
            let detail = match close_up.detail {
                bw_render::Detail::Library => "  with libraries",
                bw_render::Detail::Full => "  everything",
                _ => "",
            };
            put(&mut self.ink, detail, DIM);
            let (lines, rows) = (close_up.lines.len(), usize::from(self.layout.rows.height));
            if lines > rows {
                let last = (close_up.top + rows).min(lines);
                position = format!("{}-{} of {} lines", close_up.top + 1, Count(last), Count(lines));
            }
        } else {
            for view in View::ALL {
                let style = if view == model.view { CURSOR.patch(BOLD) } else { Style::new() };
                put(&mut self.ink, &format!(" {} ", view.title()), style);
                put(&mut self.ink, " ", Style::new());
            }
            put(&mut self.ink, &format!(" by {}", words(model)), DIM);
            let yellow = Style::new().fg(Color::Yellow);
            if let Some(state) = model.only_state {
                put(&mut self.ink, &format!("  only {}", state.words()), yellow);
            }
            if model.only_group.is_some() && model.view != View::Groups {
                put(&mut self.ink, "  only of one group", yellow);
            }
            if !model.pattern.is_empty() {
                put(&mut self.ink, &format!("  with \"{}\"", model.pattern.text()), yellow);
            }
            let (at, rows) = (model.list().at(), model.list().rows().len());
            if rows > 0 {
                position = format!("{} of {}", Count(at + 1), Count(rows));
            }
        }
        self.at_right(y, spot.x, &position);
    }

    /// In the middle of nothing.
    fn say(&mut self, text: &str) {
        let rows = self.layout.rows;
        self.ink.put(Spot { x: rows.x, y: rows.y, width: rows.width }, text, DIM);
    }

    fn list(&mut self, picture: &Picture) {
        let model = self.model;
        let columns = columns::columns(model, picture);
        if let Some(y) = self.layout.columns {
            self.titles(y, &columns);
        }
        let list = model.list();
        if list.rows().is_empty() {
            return self.say(match (picture.tasks.is_empty(), model.narrows()) {
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
                View::Groups => (picture.groups[index].state, picture.groups[index].oldest),
                View::Tasks | View::Tree => (picture.tasks[index].state, picture.tasks[index].in_state),
            };
            let mut style = if is_stuck(state, time) { Style::new().fg(Color::Red) } else { of_state(state) };
            if at == list.at() {
                style = style.patch(CURSOR);
                self.ink.fill(Spot { x: rows.x, y, width: rows.width }, style);
            }
            let mut x = rows.x;
            for &(column, width) in &columns {
                let spot = Spot { x, y, width };
                x = x.saturating_add(width).saturating_add(GAP);
                let text = match model.view {
                    View::Groups => columns::of_group(column, &picture.groups[index]),
                    View::Tasks | View::Tree => columns::of_task(column, model, picture, *row),
                };
                if column.is_right() {
                    self.ink.put_right(spot, &text, style);
                } else {
                    self.ink.found(spot, &text, style, 0);
                }
            }
        }
    }

    fn titles(&mut self, y: u16, columns: &[(Column, u16)]) {
        let style = DIM.patch(Style::new().add_modifier(Modifier::UNDERLINED));
        self.ink.fill(self.line(y), style);
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
                self.ink.put_right(spot, &title, style);
            } else {
                self.ink.put(spot, &title, style);
            }
        }
    }

    fn preview(&mut self, picture: &Picture, area: Rect) {
        let Some(row) = self.model.list().row() else { return };
        let (group, mut title) = match self.model.view {
            View::Groups => (picture.groups.get(row.task as usize), "── tree of the group ".to_owned()),
            View::Tasks | View::Tree => {
                let task = &picture.tasks[row.task as usize];
                let place = &picture.places[task.place as usize];
                (
                    picture.group_of(task),
                    format!("── task {}, spawned at {place} ", super::close_up::titled(task)),
                )
            }
        };
        let Some(group) = group else { return };
        let lines: Vec<&str> = group.body.lines().take(area.height.into()).collect();
        let used = width(&title);
        title.extend(std::iter::repeat_n('─', usize::from(area.width).saturating_sub(used)));
        self.ink.put(Spot { x: area.x, y: area.y, width: area.width }, &title, DIM);
        let below = lines.len() >= usize::from(area.height);
        for (line, y) in lines.iter().zip(area.y + 1..area.bottom()) {
            self.ink.found(Spot { x: area.x, y, width: area.width }, line, Style::new(), 0);
        }
        if below && let Some(y) = area.bottom().checked_sub(1).filter(|y| *y > area.y) {
            self.ink.fill(Spot { x: area.x, y, width: area.width }, Style::new());
            let more = "(more: Enter) ";
            self.at_right(y, 0, more);
        }
    }

    fn close_up(&mut self, close_up: &CloseUp) {
        let rows = self.layout.rows;
        let lines = close_up.lines.iter().skip(close_up.top).take(rows.height.into());
        for (line, y) in lines.zip(rows.y..) {
            self.ink.found(Spot { x: rows.x, y, width: rows.width }, line, Style::new(), close_up.left);
        }
    }

    fn help(&mut self, top: usize) {
        let rows = self.layout.rows;
        let longest = KEYS.iter().map(|(keys, _)| width(keys)).max().unwrap_or(0);
        let longest = u16::try_from(longest).unwrap_or(0);
        for ((keys, what), y) in KEYS.iter().skip(top).zip(rows.y..rows.bottom()) {
            self.ink.put(Spot { x: 0, y, width: longest.min(rows.width) }, keys, BOLD);
            let x = longest + GAP;
            self.ink.put(Spot { x, y, width: rows.width.saturating_sub(x) }, what, Style::new());
        }
    }

    fn footer(&mut self, y: u16) {
        let (spot, model) = (self.line(y), self.model);
        if model.is_typing {
            let used = self.ink.put(spot, &format!("/{}", model.pattern.text()), BOLD);
            self.ink.put(Spot { x: used, y, width: spot.width.saturating_sub(used) }, " ", CURSOR);
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
        self.ink.put(spot, hints, DIM);
    }
}

/// What the list is sorted by, in words.
fn words(model: &Model) -> &'static str {
    match (model.sorting().by(), model.view) {
        (Order::InState, _) => "time in state",
        (Order::Age, _) => "age",
        (Order::Rate, _) => "polls a second",
        (Order::Polls, _) => "polls",
        (Order::Name, View::Groups) => "where they wait",
        (Order::Name, _) => "name",
        (Order::Id, _) => "id",
        (Order::Count, _) => "tasks",
        (Order::Change, _) => "change",
    }
}
