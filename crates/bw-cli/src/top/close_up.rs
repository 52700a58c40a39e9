//! One group or task, with all that is known of it.

use std::fmt::Write as _;

use bw_render::{Count, Detail, Elapsed};

use super::columns::rate;
use super::ink;
use super::list::Go;
use super::pattern::Pattern;
use super::picture::{Group, Picture, Task};
use super::state::State;
use super::styled::without_colours;

/// What something is, in every picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// By its key.
    Group(u64),
    /// By its id.
    Task(u64),
}

/// One group or task, with its tree, to be scrolled.
#[derive(Debug)]
pub(super) struct CloseUp {
    pub(super) subject: Subject,
    pub(super) detail: Detail,
    /// With colours.
    pub(super) lines: Vec<String>,
    /// It was in an earlier picture, which is what shows.
    pub(super) is_gone: bool,
    pub(super) top: usize,
    pub(super) left: usize,
    width: usize,
}

/// Tasks and places that are named.
const MOST_NAMED: usize = 20;

impl CloseUp {
    pub(super) fn new(subject: Subject, picture: &Picture) -> Self {
        let detail = Detail::User;
        let mut close_up =
            Self { subject, detail, lines: Vec::new(), is_gone: false, top: 0, left: 0, width: 0 };
        close_up.refill(picture);
        close_up
    }

    /// Takes what another picture has of it; if that has nothing, the last stays.
    pub(super) fn refill(&mut self, picture: &Picture) {
        let text = match self.subject {
            Subject::Group(key) => {
                picture.group(key).map(|at| of_group(picture, &picture.groups[at], self.detail))
            }
            Subject::Task(id) => picture.task(id).map(|at| of_task(picture, at, self.detail)),
        };
        self.is_gone = text.is_none();
        if let Some(text) = text {
            self.lines = text.lines().map(str::to_owned).collect();
            let widths = self.lines.iter().map(|line| ink::width(&without_colours(line)));
            self.width = widths.max().unwrap_or(0);
        }
    }

    /// More or less detail.
    pub(super) fn next_detail(&mut self, picture: &Picture) {
        self.detail = match self.detail {
            Detail::User => Detail::Library,
            Detail::Library => Detail::Full,
            _ => Detail::User,
        };
        self.refill(picture);
    }

    pub(super) fn fit(&mut self, width: usize, height: usize) {
        self.top = self.top.min(self.lines.len().saturating_sub(height));
        self.left = self.left.min(self.width.saturating_sub(width));
    }

    pub(super) fn go(&mut self, to: Go, height: usize) {
        let page = isize::try_from(height.saturating_sub(1).max(1)).unwrap_or(isize::MAX);
        self.top = match to {
            Go::By(by) => self.top.saturating_add_signed(by),
            Go::Pages(pages) => self.top.saturating_add_signed(pages.saturating_mul(page)),
            Go::First => 0,
            Go::Last => usize::MAX,
        };
    }

    /// Goes to the side until what is found in a line shows.
    pub(super) fn show_column(&mut self, pattern: &Pattern, line: usize, width: usize) {
        let line = without_colours(&self.lines[line]);
        let Some(found) = pattern.all_in(&line).into_iter().next() else { return };
        let (begin, end) = (ink::width(&line[..found.start]), ink::width(&line[..found.end]));
        if begin < self.left || end > self.left + width {
            self.left = begin.saturating_sub(width / 3);
        }
    }

    /// To the side; where there is nothing more, [`fit`](Self::fit) stops it.
    pub(super) fn aside(&mut self, columns: isize) {
        self.left = self.left.saturating_add_signed(columns);
    }
}

fn of_group(picture: &Picture, group: &Group, detail: Detail) -> String {
    let mut text = String::new();
    let count = group.tasks.len();
    let _ = write!(text, "\u{1b}[1m{}\u{1b}[0m ", tasks(count));
    text += group.state.words();
    if let (Some(youngest), Some(oldest)) = (group.youngest, group.oldest) {
        let (youngest, oldest) = (Elapsed(youngest).to_string(), Elapsed(oldest).to_string());
        let from = if youngest == oldest { String::new() } else { format!("{youngest} to ") };
        let _ = write!(text, " for {from}{oldest}");
    }
    match group.change {
        Some(change @ 1..) => _ = write!(text, ", {change} more than before"),
        Some(change @ ..=-1) => _ = write!(text, ", {} fewer than before", change.unsigned_abs()),
        _ => {}
    }
    let mut places: Vec<(u32, usize)> = Vec::new();
    for &at in &group.tasks {
        let place = picture.tasks[at as usize].place;
        if let Some((_, count)) = places.iter_mut().find(|(known, _)| *known == place) {
            *count += 1;
        } else if places.len() < MOST_NAMED {
            places.push((place, 1));
        }
    }
    for (place, of_it) in &places {
        let _ = write!(text, "\nspawned at {}", picture.places[*place as usize]);
        if *of_it < count {
            let _ = write!(text, " ({})", tasks(*of_it));
        }
    }
    let named: usize = places.iter().map(|(_, count)| count).sum();
    if named < count {
        let _ = write!(text, "\nand {} elsewhere", tasks(count - named));
    }
    text.push('\n');
    name_some(&mut text, picture, &group.tasks);
    text.push_str("\n\n");
    body(&mut text, picture, group, detail);
    text
}

fn of_task(picture: &Picture, at: usize, detail: Detail) -> String {
    let mut text = String::new();
    let task = &picture.tasks[at];
    let _ = write!(text, "\u{1b}[1mtask {}\u{1b}[0m: {}", titled(task), task.state.words());
    if let Some(time) = task.in_state {
        let _ = write!(text, " for {}", Elapsed(time));
    }
    if let Some(thread) = &task.thread {
        let _ = write!(text, " on {thread}");
    }
    let polls = usize::try_from(task.polls).unwrap_or(usize::MAX);
    let _ = write!(text, "\npolls: {}", Count(polls));
    if task.rate.is_some() {
        let _ = write!(text, ", {} in a second", rate(task.rate));
    }
    if let Some(age) = task.age {
        let _ = write!(text, ", {} old", Elapsed(age));
    }
    let _ = write!(text, ", spawned at {}", picture.places[task.place as usize]);
    if let Some(parent) = picture.family.parent(at) {
        let how = if task.is_nested { "polled by" } else { "child of" };
        let _ = write!(text, "\n{how} task {}", titled(&picture.tasks[parent]));
    }
    let children = picture.family.children_of(at);
    if !children.is_empty() {
        let what = if children.len() == 1 { "child" } else { "children" };
        let _ = write!(text, "\n{} {what}: ", Count(children.len()));
        name_some(&mut text, picture, &children);
    }
    text.push_str("\n\n");
    if let Some(group) = picture.group_of(task) {
        body(&mut text, picture, group, detail);
        if group.tasks.len() > 1 {
            let others = Count(group.tasks.len() - 1);
            let _ = write!(text, "\n\n\u{1b}[33m({others} more wait alike)\u{1b}[0m");
        }
    }
    text
}

/// What their tree prints.
fn body(text: &mut String, picture: &Picture, group: &Group, detail: Detail) {
    match detail {
        Detail::User => text.push_str(&group.body),
        detail => text.push_str(picture.print(group, detail).as_deref().unwrap_or(&group.body)),
    }
}

fn tasks(count: usize) -> String {
    if count == 1 { "1 task".into() } else { format!("{} tasks", Count(count)) }
}

/// `17 "connection"`.
pub(super) fn titled(task: &Task) -> String {
    match &task.name {
        Some(name) => format!("{} \"{name}\"", task.id),
        None => task.id.to_string(),
    }
}

fn name_some(text: &mut String, picture: &Picture, tasks: &[u32]) {
    for (n, &at) in tasks.iter().take(MOST_NAMED).enumerate() {
        let task = &picture.tasks[at as usize];
        let _ = write!(text, "{}{}", if n == 0 { "" } else { ", " }, titled(task));
        if task.state == State::Polling
            && let Some(time) = task.in_state
        {
            let _ = write!(text, " (for {})", Elapsed(time));
        }
    }
    if tasks.len() > MOST_NAMED {
        let _ = write!(text, " and {} more", Count(tasks.len() - MOST_NAMED));
    }
}
