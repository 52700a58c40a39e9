//! One group or task, with all that is known of it.

use std::fmt::Write as _;
use std::time::Duration;

use bw_render::{Count, Detail, Elapsed, LatePolls};
use ratatui::style::{Color, Style};
use ratatui::text::{Line, Span};

use super::dump_summary::{DumpSummary, Group, Task};
use super::list::Go;
use super::pattern::Pattern;
use super::quantity::rate;
use super::styled_line::{BOLD, plain, width};
use super::task_state::State;

/// What something is, in every summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// By its key.
    Group(u64),
    /// By its id.
    Task(u64),
}

/// One group or task, with its tree, to be scrolled.
#[derive(Debug)]
pub(crate) struct CloseUp {
    pub(crate) subject: Subject,
    pub(crate) detail: Detail,
    pub(crate) lines: Vec<Line<'static>>,
    /// It was in an earlier summary, which is what shows.
    pub(crate) is_gone: bool,
    pub(crate) top: usize,
    pub(crate) left: usize,
    width: usize,
}

/// Tasks and places that are named.
const MOST_NAMED: usize = 20;

impl CloseUp {
    pub(crate) fn new(subject: Subject, summary: &DumpSummary) -> Self {
        let detail = Detail::User;
        let mut close_up =
            Self { subject, detail, lines: Vec::new(), is_gone: false, top: 0, left: 0, width: 0 };
        close_up.refill(summary);
        close_up
    }

    /// Takes what another summary has of it; if that has nothing, the last stays.
    pub(crate) fn refill(&mut self, summary: &DumpSummary) {
        let lines = match self.subject {
            Subject::Group(key) => {
                summary.group(key).map(|at| of_group(summary, &summary.groups[at], self.detail))
            }
            Subject::Task(id) => summary.task(id).map(|at| of_task(summary, at, self.detail)),
        };
        self.is_gone = lines.is_none();
        if let Some(lines) = lines {
            self.width = lines.iter().map(Line::width).max().unwrap_or(0);
            self.lines = lines;
        }
    }

    /// More or less detail.
    pub(crate) fn next_detail(&mut self, summary: &DumpSummary) {
        self.detail = match self.detail {
            Detail::User => Detail::Library,
            Detail::Library => Detail::Full,
            _ => Detail::User,
        };
        self.refill(summary);
    }

    pub(crate) fn fit(&mut self, width: usize, height: usize) {
        self.top = self.top.min(self.lines.len().saturating_sub(height));
        self.left = self.left.min(self.width.saturating_sub(width));
    }

    pub(crate) fn go(&mut self, to: Go, height: usize) {
        let page = isize::try_from(height.saturating_sub(1).max(1)).unwrap_or(isize::MAX);
        self.top = match to {
            Go::By(by) => self.top.saturating_add_signed(by),
            Go::Pages(pages) => self.top.saturating_add_signed(pages.saturating_mul(page)),
            Go::First => 0,
            Go::Last => usize::MAX,
        };
    }

    /// Goes to the side until what is found in a line shows.
    pub(crate) fn show_column(&mut self, pattern: &Pattern, line: usize, columns: usize) {
        let line = plain(&self.lines[line]);
        let Some(found) = pattern.all_in(&line).into_iter().next() else { return };
        let (begin, end) = (width(&line[..found.start]), width(&line[..found.end]));
        if begin < self.left || end > self.left + columns {
            self.left = begin.saturating_sub(columns / 3);
        }
    }

    /// To the side; where there is nothing more, [`fit`](Self::fit) stops it.
    pub(crate) fn aside(&mut self, columns: isize) {
        self.left = self.left.saturating_add_signed(columns);
    }
}

fn of_group(summary: &DumpSummary, group: &Group, detail: Detail) -> Vec<Line<'static>> {
    let count = group.tasks.len();
    let mut title = format!(" {}", group.state.words());
    let late_polls = group.tasks.iter().map(|&at| summary.tasks[at as usize].late_polls);
    let late_polls = late_polls.fold(LatePolls::default(), LatePolls::and);
    title += &time_in_state(group.state, group.youngest, group.oldest, late_polls);
    match group.change {
        Some(change @ 1..) => _ = write!(title, ", {change} more than before"),
        Some(change @ ..=-1) => _ = write!(title, ", {} fewer than before", change.unsigned_abs()),
        _ => {}
    }
    let mut lines = vec![Line::from(vec![Span::styled(tasks(count), BOLD), title.into()])];
    let mut places: Vec<(u32, usize)> = Vec::new();
    for &at in &group.tasks {
        let place = summary.tasks[at as usize].place;
        if let Some((_, count)) = places.iter_mut().find(|(known, _)| *known == place) {
            *count += 1;
        } else if places.len() < MOST_NAMED {
            places.push((place, 1));
        }
    }
    for (place, of_it) in &places {
        let mut line = format!("spawned at {}", summary.places[*place as usize]);
        if *of_it < count {
            let _ = write!(line, " ({})", tasks(*of_it));
        }
        lines.push(line.into());
    }
    let named: usize = places.iter().map(|(_, count)| count).sum();
    if named < count {
        lines.push(format!("and {} elsewhere", tasks(count - named)).into());
    }
    lines.push(some_names(summary, &group.tasks).into());
    lines.push(Line::default());
    lines.extend(body(summary, group, detail));
    lines
}

/// For how long tasks have been in their state, and what requests have to do with it.
fn time_in_state(
    state: State,
    youngest: Option<Duration>,
    oldest: Option<Duration>,
    late_polls: LatePolls,
) -> String {
    let (Some(youngest), Some(oldest)) = (youngest, oldest) else { return String::new() };
    let (youngest, oldest) = (Elapsed(youngest).to_string(), Elapsed(oldest).to_string());
    let times = if youngest == oldest { oldest } else { format!("{youngest} to {oldest}") };
    match state {
        State::Finished | State::Dropped | State::Panicked => late_polls.ended(times),
        _ => format!(" {}", late_polls.suspended(times)),
    }
}

fn of_task(summary: &DumpSummary, at: usize, detail: Detail) -> Vec<Line<'static>> {
    let task = &summary.tasks[at];
    let mut title = format!(": {}", task.state.words());
    title += &time_in_state(task.state, task.in_state, task.in_state, task.late_polls);
    if let Some(thread) = &task.thread {
        let _ = write!(title, " on {thread}");
    }
    let name = Span::styled(format!("task {}", titled(task)), BOLD);
    let mut lines = vec![Line::from(vec![name, title.into()])];
    let polls = usize::try_from(task.polls).unwrap_or(usize::MAX);
    // Memory has neither of tasks that nobody wrapped.
    let mut line = match (task.age, polls) {
        (None, 0) => "polls: not known".to_owned(),
        _ => format!("polls: {}", Count(polls)),
    };
    if task.rate.is_some() {
        let _ = write!(line, ", {} in a second", rate(task.rate));
    }
    if let Some(age) = task.age {
        let _ = write!(line, ", {} old", Elapsed(age));
    }
    let _ = write!(line, ", spawned at {}", summary.places[task.place as usize]);
    lines.push(line.into());
    if let Some(parent) = summary.tree.parent(at) {
        let how = if task.is_nested { "polled by" } else { "child of" };
        lines.push(format!("{how} task {}", titled(&summary.tasks[parent])).into());
    }
    let children = summary.tree.children_of(at);
    if !children.is_empty() {
        let what = if children.len() == 1 { "child" } else { "children" };
        lines.push(format!("{} {what}: {}", Count(children.len()), some_names(summary, &children)).into());
    }
    lines.push(Line::default());
    if let Some(group) = summary.group_of(task) {
        lines.extend(body(summary, group, detail));
        if group.tasks.len() > 1 {
            let others = format!("({} more wait alike)", Count(group.tasks.len() - 1));
            lines.extend([Line::default(), Span::styled(others, Style::new().fg(Color::Yellow)).into()]);
        }
    }
    lines
}

/// Their tree, or why they have none.
fn body(summary: &DumpSummary, group: &Group, detail: Detail) -> Vec<Line<'static>> {
    let more = if detail == Detail::User { None } else { summary.tree_lines(group, detail) };
    more.unwrap_or_else(|| group.body.clone())
}

fn tasks(count: usize) -> String {
    if count == 1 { "1 task".into() } else { format!("{} tasks", Count(count)) }
}

/// `17 "connection"`.
pub(crate) fn titled(task: &Task) -> String {
    match &task.name {
        Some(name) => format!("{} \"{name}\"", task.id),
        None => task.id.to_string(),
    }
}

fn some_names(summary: &DumpSummary, tasks: &[u32]) -> String {
    let mut text = String::new();
    for (n, &at) in tasks.iter().take(MOST_NAMED).enumerate() {
        let task = &summary.tasks[at as usize];
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
    text
}
