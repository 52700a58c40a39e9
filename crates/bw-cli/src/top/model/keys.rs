//! What keys do.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::text::Line;

use super::layout::Layout;
use super::list::Go;
use super::styled_line::plain;
use super::{Action, Model, View};

/// The keys, and what they do: for the help in the view, and on the command line.
pub(crate) const KEYS: &[(&str, &str)] = &[
    ("Tab Shift-Tab 1 2 3", "the next view, the one before; groups, tasks, task tree"),
    ("Up Down j k", "one row down or up"),
    ("PageDown PageUp ^F ^B Space", "a page; ^D ^U half of one"),
    ("Home End g G", "the first row, the last; at the first, the cursor stays there"),
    ("Enter", "the tree of the group or task; there again, or Esc: back"),
    ("t", "the tasks of the group; of a task: those that wait alike"),
    ("b", "the task that blocks its thread, or is not polled; again: the next"),
    ("Left Right h l", "in the task tree: hide or show children; in a tree: to the side"),
    ("d", "in a tree: more detail (libraries, everything)"),
    ("/", "search: names, ids, functions, places; Enter keeps what was typed, Esc drops it"),
    ("n N", "in a tree: the next line with it, the one before"),
    ("f F", "only tasks in one state, the next; all of them"),
    ("s S o", "sort by the next column, the one before; the other way round"),
    ("r", "ask the process now"),
    ("p", "pause, go on"),
    ("+ -", "ask less often, more often"),
    ("?", "this help"),
    ("q Esc", "back; from the list: quit (Esc first shows everything again)"),
    ("^C ^Z", "quit; suspend"),
];

/// Between two questions.
const INTERVALS: [u64; 10] = [200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 30_000, 60_000, 300_000];

/// Columns that a tree goes to the side at once.
const ASIDE: isize = 8;

impl Model {
    /// A key was pressed. Says what is to be done outside.
    pub(crate) fn key(&mut self, key: KeyEvent) -> Option<Action> {
        let action = self.press(key);
        // What there is room for may have changed.
        self.fit();
        action
    }

    fn press(&mut self, key: KeyEvent) -> Option<Action> {
        // Esc and another key at once come as that key with Alt: it is not known which of the two was meant.
        let is_odd = matches!(key.code, KeyCode::Char(_)) && key.modifiers.contains(KeyModifiers::ALT);
        if key.kind == KeyEventKind::Release || is_odd {
            return None;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if control => return Some(Action::Quit),
            KeyCode::Char('z') if control => return Some(Action::Suspend),
            KeyCode::Char('l') if control => return Some(Action::Redraw),
            _ => {}
        }
        if self.help.is_some() {
            self.key_in_help(key.code);
            return None;
        }
        if self.is_typing {
            self.key_in_pattern(key.code, control);
            return None;
        }
        let go = going(key.code, control, Layout::new(self).rows.height);
        // Of what is left, nothing goes with ^.
        if control && go.is_none() {
            return None;
        }
        if go.is_none()
            && let Some(action) = self.key_everywhere(key.code)
        {
            return action;
        }
        if self.close_up.is_some() {
            self.key_in_close_up(key.code, go);
            return None;
        }
        match go {
            Some(go) => {
                self.go(go);
                None
            }
            None => self.key_in_list(key.code),
        }
    }

    fn key_everywhere(&mut self, code: KeyCode) -> Option<Option<Action>> {
        Some(match code {
            KeyCode::Char('?') | KeyCode::F(1) => {
                self.help = Some(0);
                None
            }
            KeyCode::Char('/') => {
                self.is_typing = true;
                None
            }
            KeyCode::Char('r') | KeyCode::F(5) => Some(Action::Ask),
            KeyCode::Char('p') => {
                self.is_paused = !self.is_paused;
                Some(Action::Pause(self.is_paused))
            }
            KeyCode::Char('b') => {
                self.open_stuck();
                None
            }
            KeyCode::Char('+' | '=') => self.change_interval(true),
            KeyCode::Char('-') => self.change_interval(false),
            KeyCode::Tab => {
                self.turn(1);
                None
            }
            KeyCode::BackTab => {
                self.turn(View::ALL.len() - 1);
                None
            }
            KeyCode::Char(digit @ '1'..='3') => {
                let views = View::ALL.iter().zip('1'..);
                if let Some((&view, _)) = views.into_iter().find(|(_, of)| *of == digit) {
                    self.close_up = None;
                    self.show(view);
                }
                None
            }
            _ => return None,
        })
    }

    fn turn(&mut self, by: usize) {
        self.close_up = None;
        self.show(View::ALL[(self.view as usize + by) % View::ALL.len()]);
    }

    fn change_interval(&mut self, longer: bool) -> Option<Action> {
        let now = self.interval?;
        let mut steps = INTERVALS.iter().map(|&millis| Duration::from_millis(millis));
        let next = if longer { steps.find(|step| *step > now) } else { steps.rfind(|step| *step < now) }?;
        self.interval = Some(next);
        Some(Action::Interval(next))
    }

    fn key_in_help(&mut self, code: KeyCode) {
        let page = Layout::new(self).rows.height;
        let Some(top) = &mut self.help else { return };
        match going(code, false, page) {
            Some(Go::By(by)) => *top = top.saturating_add_signed(by),
            Some(Go::Pages(by)) => {
                *top = top.saturating_add_signed(by.saturating_mul(page.cast_signed().into()));
            }
            Some(Go::First) => *top = 0,
            Some(Go::Last) => *top = KEYS.len(),
            None => self.help = None,
        }
        if let Some(top) = &mut self.help {
            *top = (*top).min(KEYS.len().saturating_sub(page.into()));
        }
    }

    fn key_in_pattern(&mut self, code: KeyCode, control: bool) {
        let before = self.pattern.text().to_owned();
        match code {
            KeyCode::Enter => self.is_typing = false,
            KeyCode::Esc => {
                self.pattern.clear();
                self.is_typing = false;
            }
            KeyCode::Backspace if before.is_empty() => self.is_typing = false,
            KeyCode::Backspace => self.pattern.pop(),
            KeyCode::Char('u' | 'w') if control => self.pattern.clear(),
            KeyCode::Char(c) if !control => self.pattern.push(c),
            // One goes through what is found while typing.
            KeyCode::Up | KeyCode::Down | KeyCode::PageUp | KeyCode::PageDown => {
                if let (Some(go), None) = (going(code, false, 0), &self.close_up) {
                    self.go(go);
                }
            }
            _ => {}
        }
        if self.pattern.text() != before {
            self.refill();
            self.find_line(true, true);
        }
    }

    fn key_in_close_up(&mut self, code: KeyCode, go: Option<Go>) {
        let height = Layout::new(self).rows.height;
        let Some(close_up) = &mut self.close_up else { return };
        match (go, code) {
            (Some(go), _) => close_up.go(go, height.into()),
            (_, KeyCode::Left | KeyCode::Char('h')) => close_up.aside(-ASIDE),
            (_, KeyCode::Right | KeyCode::Char('l')) => close_up.aside(ASIDE),
            (_, KeyCode::Char('d')) => {
                if let Some(summary) = &self.summary {
                    close_up.next_detail(summary);
                }
            }
            (_, KeyCode::Char('n')) => self.find_line(true, false),
            (_, KeyCode::Char('N')) => self.find_line(false, false),
            (_, KeyCode::Char('t')) => self.show_tasks_of_group(),
            (_, KeyCode::Enter | KeyCode::Esc | KeyCode::Char('q') | KeyCode::Backspace) => {
                self.close_up = None;
            }
            _ => {}
        }
    }

    /// Scrolls the tree to the next line with what is searched for, or the one before; perhaps to the first that shows.
    fn find_line(&mut self, forward: bool, from_here: bool) {
        let width = Layout::new(self).rows.width.into();
        let pattern = &self.pattern;
        let Some(close_up) = self.close_up.as_mut().filter(|_| !pattern.is_empty()) else { return };
        let has_it = |line: &Line<'_>| !pattern.all_in(&plain(line)).is_empty();
        let found: Vec<usize> = (0..close_up.lines.len()).filter(|&at| has_it(&close_up.lines[at])).collect();
        let top = close_up.top;
        let next = if forward {
            let later = |at: &&usize| **at > top || (from_here && **at == top);
            found.iter().find(later).or(found.first())
        } else {
            found.iter().rfind(|at| **at < top).or(found.last())
        };
        if let Some(&line) = next {
            close_up.top = line;
            close_up.show_column(pattern, line, width);
        }
    }

    fn key_in_list(&mut self, code: KeyCode) -> Option<Action> {
        match code {
            KeyCode::Enter => self.open(),
            KeyCode::Char('t') => self.show_tasks_of_group(),
            KeyCode::Char('f') => self.next_state(),
            KeyCode::Char('F') => {
                (self.only_state, self.only_group) = (None, None);
                self.refill();
            }
            KeyCode::Char(c @ ('s' | 'S' | 'o' | '>' | '<')) => {
                let sorting =
                    if self.view == View::Groups { &mut self.of_groups } else { &mut self.of_tasks };
                match c {
                    's' | '>' => sorting.next(),
                    'S' | '<' => sorting.previous(),
                    _ => sorting.is_reversed = !sorting.is_reversed,
                }
                self.refill();
            }
            KeyCode::Left | KeyCode::Char('h') => self.close_branch(true),
            KeyCode::Right | KeyCode::Char('l') => self.close_branch(false),
            KeyCode::Char('q') => return Some(Action::Quit),
            // Shows everything again first.
            KeyCode::Esc => return (!self.widen()).then_some(Action::Quit),
            _ => {}
        }
        None
    }
}

/// Where a key goes in anything that is scrolled.
fn going(code: KeyCode, control: bool, page: u16) -> Option<Go> {
    let half = isize::try_from(page / 2).unwrap_or(1).max(1);
    Some(match code {
        KeyCode::Char('f') if control => Go::Pages(1),
        KeyCode::Char('b') if control => Go::Pages(-1),
        KeyCode::Char('d') if control => Go::By(half),
        KeyCode::Char('u') if control => Go::By(-half),
        KeyCode::Char('n') if control => Go::By(1),
        KeyCode::Char('p') if control => Go::By(-1),
        KeyCode::Char(_) if control => return None,
        KeyCode::Up | KeyCode::Char('k') => Go::By(-1),
        KeyCode::Down | KeyCode::Char('j') => Go::By(1),
        KeyCode::PageUp => Go::Pages(-1),
        KeyCode::PageDown | KeyCode::Char(' ') => Go::Pages(1),
        KeyCode::Home | KeyCode::Char('g') => Go::First,
        KeyCode::End | KeyCode::Char('G') => Go::Last,
        _ => return None,
    })
}
