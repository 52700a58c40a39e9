//! The state of the view: summaries and keys in, what to draw out. Pure: it asks nobody for anything.

pub(crate) mod close_up;
pub(crate) mod dump_summary;
pub(crate) mod header;
pub(crate) mod keys;
pub(crate) mod layout;
pub(crate) mod list;
pub(crate) mod pattern;
pub(crate) mod quantity;
pub(crate) mod sorting;
pub(crate) mod stuck;
pub(crate) mod styled_line;
pub(crate) mod task_state;
pub(crate) mod task_tree;

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use bw_render::Escaped;

use close_up::{CloseUp, Subject};
use dump_summary::{DumpSummary, Task};
use layout::Layout;
use list::{Go, List};
use pattern::Pattern;
use sorting::Sorting;
use task_state::State;
use task_tree::TreeRow;

/// What the list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    Groups,
    Tasks,
    Tree,
}

impl View {
    pub(crate) const ALL: [Self; 3] = [Self::Groups, Self::Tasks, Self::Tree];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Groups => "groups",
            Self::Tasks => "tasks",
            Self::Tree => "task tree",
        }
    }
}

/// What is to be done outside of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Action {
    Quit,
    /// Draw all of it anew: something else wrote on the screen.
    Redraw,
    /// Give the terminal back until somebody says to go on.
    Suspend,
    /// Ask the process now.
    Ask,
    Interval(Duration),
    Pause(bool),
}

/// The state of the view.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) size: (u16, u16),
    /// Since it began.
    pub(crate) now: Duration,
    pub(crate) summary: Option<DumpSummary>,
    pub(crate) summary_at: Duration,
    /// Since when it is being asked.
    pub(crate) asking: Option<Duration>,
    /// Why the last question was not answered.
    pub(crate) error: Option<String>,
    /// `None`: it is asked when somebody says so.
    pub(crate) interval: Option<Duration>,
    pub(crate) is_paused: bool,
    pub(crate) has_colours: bool,
    pub(crate) view: View,
    pub(crate) of_groups: Sorting,
    pub(crate) of_tasks: Sorting,
    pub(crate) only_state: Option<State>,
    /// Only tasks of the group of this key.
    pub(crate) only_group: Option<u64>,
    pub(crate) pattern: Pattern,
    /// Whether keys go to the pattern.
    pub(crate) is_typing: bool,
    pub(crate) close_up: Option<CloseUp>,
    /// How far the help is scrolled, while it shows.
    pub(crate) help: Option<usize>,
    lists: [List; 3],
    /// Tasks whose children do not show in the tree.
    closed: HashSet<u64>,
}

impl Model {
    pub(crate) fn new(interval: Option<Duration>, has_colours: bool) -> Self {
        Self {
            size: (0, 0),
            now: Duration::ZERO,
            summary: None,
            summary_at: Duration::ZERO,
            asking: None,
            error: None,
            interval,
            is_paused: false,
            has_colours,
            view: View::Groups,
            of_groups: Sorting::OF_GROUPS,
            of_tasks: Sorting::OF_TASKS,
            only_state: None,
            only_group: None,
            pattern: Pattern::default(),
            is_typing: false,
            close_up: None,
            help: None,
            lists: Default::default(),
            closed: HashSet::new(),
        }
    }

    /// A summary came. Sorts. Gives back the one before, to be dropped where nobody waits for that.
    pub(crate) fn take(&mut self, summary: DumpSummary) -> Option<DumpSummary> {
        (self.asking, self.error, self.summary_at) = (None, None, self.now);
        let before = self.summary.replace(summary);
        self.refill();
        before
    }

    /// The question was not answered. The last summary stays.
    pub(crate) fn fail(&mut self, error: &impl fmt::Display) {
        (self.asking, self.error) = (None, Some(Escaped(&error.to_string()).to_string()));
        self.fit();
    }

    pub(crate) fn resize(&mut self, width: u16, height: u16) {
        self.size = (width, height);
        self.fit();
    }

    pub(crate) fn list(&self) -> &List {
        &self.lists[self.view as usize]
    }

    pub(crate) fn sorting(&self) -> Sorting {
        if self.view == View::Groups { self.of_groups } else { self.of_tasks }
    }

    pub(crate) fn is_closed(&self, task: u64) -> bool {
        self.closed.contains(&task)
    }

    /// What the cursor is on.
    pub(crate) fn subject(&self) -> Option<Subject> {
        let (summary, row) = (self.summary.as_ref()?, self.list().row()?);
        Some(match self.view {
            View::Groups => Subject::Group(summary.groups[row.task as usize].key),
            View::Tasks | View::Tree => Subject::Task(summary.tasks[row.task as usize].id),
        })
    }

    pub(crate) fn go(&mut self, to: Go) {
        let height = Layout::new(self).rows.height.into();
        self.with_list(|list, key| list.go(to, height, key));
    }

    /// Stays with what the cursor is on, also if nobody moved it there.
    pub(crate) fn choose(&mut self) {
        self.with_list(|list, key| list.choose(key));
    }

    /// What a row is, in every summary, for what is done with the list.
    fn with_list(&mut self, work: impl FnOnce(&mut List, &dyn Fn(TreeRow) -> u64)) {
        let Some(summary) = &self.summary else { return };
        let view = self.view;
        let key = |row: TreeRow| match view {
            View::Groups => summary.groups[row.task as usize].key,
            View::Tasks | View::Tree => summary.tasks[row.task as usize].id,
        };
        work(&mut self.lists[view as usize], &key);
    }

    /// Makes the rows of the list that shows, anew. Linear, and sorts.
    pub(crate) fn refill(&mut self) {
        let Some(summary) = &self.summary else { return };
        let rows = match self.view {
            View::Groups => self.rows_of_groups(summary),
            View::Tasks => self.rows_of_tasks(summary),
            View::Tree => self.rows_of_tree(summary),
        };
        let height = Layout::new(self).rows.height.into();
        self.with_list(|list, key| list.refill(rows, height, key));
        if let (Some(summary), Some(close_up)) = (&self.summary, &mut self.close_up) {
            close_up.refill(summary);
        }
        self.fit();
    }

    /// After the size of anything changed.
    pub(crate) fn fit(&mut self) {
        let layout = Layout::new(self);
        self.lists[self.view as usize].fit(layout.rows.height.into());
        if let Some(close_up) = &mut self.close_up {
            close_up.fit(layout.rows.width.into(), layout.rows.height.into());
        }
    }

    fn rows_of_groups(&self, summary: &DumpSummary) -> Vec<TreeRow> {
        let number = self.pattern.number();
        let groups = summary.groups.iter().zip(0..);
        let passing = groups.filter(|(group, _)| {
            let is_in = |text: &str| self.pattern.is_in(text);
            let has = |&at: &u32| is_found(&self.pattern, number, &summary.tasks[at as usize]);
            self.only_state.is_none_or(|state| state == group.state)
                && (is_in(&group.body_text) || is_in(&group.waits_at) || group.tasks.iter().any(has))
        });
        let mut indices: Vec<u32> = passing.map(|(_, at)| at).collect();
        self.of_groups.groups(&summary.groups, &mut indices);
        flat(&indices)
    }

    fn rows_of_tasks(&self, summary: &DumpSummary) -> Vec<TreeRow> {
        let mut indices = self.passing_tasks(summary);
        self.of_tasks.tasks(&summary.tasks, &mut indices);
        flat(&indices)
    }

    fn rows_of_tree(&self, summary: &DumpSummary) -> Vec<TreeRow> {
        let all = summary.tasks.len();
        let mut indices: Vec<u32> = (0..).take(all).collect();
        if self.narrows() {
            // Those that pass, and the way to them.
            let mut shows = vec![false; all];
            for at in self.passing_tasks(summary) {
                let mut at = Some(at as usize);
                while let Some(task) = at
                    && !std::mem::replace(&mut shows[task], true)
                {
                    at = summary.tree.parent(task);
                }
            }
            indices.retain(|&at| shows[at as usize]);
        }
        self.of_tasks.tasks(&summary.tasks, &mut indices);
        let is_closed = |at: usize| !self.closed.is_empty() && self.closed.contains(&summary.tasks[at].id);
        summary.tree.lines(&indices, is_closed)
    }

    /// Whether something is not shown because somebody wants to see something else.
    pub(crate) fn narrows(&self) -> bool {
        !self.pattern.is_empty()
            || self.only_state.is_some()
            || (self.only_group.is_some() && self.view != View::Groups)
    }

    fn passing_tasks(&self, summary: &DumpSummary) -> Vec<u32> {
        // What many tasks have in common is looked at once.
        let number = self.pattern.number();
        let in_text = |text: &str| number.is_none() && self.pattern.is_in(text);
        let groups = summary.groups.iter();
        let groups: Vec<_> =
            groups.map(|group| in_text(&group.body_text) || in_text(&group.waits_at)).collect();
        let places: Vec<_> = summary.places.iter().map(|place| in_text(place)).collect();
        let group = self.only_group.map(|key| summary.group(key));
        let passing = summary.tasks.iter().zip(0..).filter(|(task, at)| {
            self.only_state.is_none_or(|state| state == task.state)
                && group.is_none_or(|group| group == Some(task.group as usize))
                && (self.pattern.is_empty()
                    || groups.get(task.group as usize).is_some_and(|&found| found)
                    || places.get(task.place as usize).is_some_and(|&found| found)
                    || is_found(&self.pattern, number, &summary.tasks[*at as usize]))
        });
        passing.map(|(_, at)| at).collect()
    }

    pub(crate) fn show(&mut self, view: View) {
        self.view = view;
        self.refill();
    }

    /// The tasks of the group at the cursor, or of that which the task at the cursor is of.
    pub(crate) fn show_tasks_of_group(&mut self) {
        let (Some(summary), Some(subject)) = (&self.summary, self.subject()) else { return };
        let key = match subject {
            Subject::Group(key) => Some(key),
            Subject::Task(id) => {
                let task = summary.task(id).map(|at| &summary.tasks[at]);
                task.and_then(|task| summary.group_of(task)).map(|group| group.key)
            }
        };
        self.choose();
        (self.only_group, self.close_up) = (key, None);
        if self.view == View::Groups {
            self.lists[View::Tasks as usize] = List::default();
        }
        self.show(View::Tasks);
    }

    /// The next state of which there are tasks, or all.
    pub(crate) fn next_state(&mut self) {
        let Some(summary) = &self.summary else { return };
        let after = self.only_state.and_then(|state| State::ALL.iter().position(|it| *it == state));
        let rest = after.map_or(0, |at| at + 1)..State::ALL.len();
        self.only_state = rest.filter(|&at| summary.states[at] > 0).map(|at| State::ALL[at]).next();
        self.refill();
    }

    /// Shows everything again. Says whether something was hidden.
    pub(crate) fn widen(&mut self) -> bool {
        let was_narrow = self.narrows();
        self.pattern.clear();
        (self.only_state, self.only_group) = (None, None);
        if was_narrow {
            self.refill();
        }
        was_narrow
    }

    /// What is at the cursor, with its whole tree.
    pub(crate) fn open(&mut self) {
        self.choose();
        if let (Some(subject), Some(summary)) = (self.subject(), &self.summary) {
            self.close_up = Some(CloseUp::new(subject, summary));
            self.fit();
        }
    }

    /// The task that blocks, with its tree; from there, the next that does.
    pub(crate) fn open_stuck(&mut self) {
        let Some(summary) = &self.summary else { return };
        let Some(stuck) = &summary.stuck else { return };
        let subject = |&at: &usize| Subject::Task(summary.tasks[at].id);
        let shown = self.close_up.as_ref().map(|close_up| close_up.subject);
        let mut after = stuck.tasks.iter().map(subject).skip_while(|it| Some(*it) != shown).skip(1);
        let next = after.next().or_else(|| stuck.tasks.first().map(subject));
        if let Some(subject) = next.filter(|_| next != shown) {
            self.close_up = Some(CloseUp::new(subject, summary));
        }
    }

    /// Hides or shows the children of the task at the cursor. Where there is nothing to hide, goes to the parent.
    pub(crate) fn close_branch(&mut self, close: bool) {
        let (Some(summary), View::Tree, Some(row)) = (&self.summary, self.view, self.list().row()) else {
            return;
        };
        let at = row.task as usize;
        let (id, has_children) = (summary.tasks[at].id, summary.tree.children(at) > 0);
        let is_closed = self.closed.contains(&id);
        if close && (is_closed || !has_children) {
            let parent = summary.tree.parent(at);
            let rows = &self.list().rows()[..self.list().at()];
            let above = rows.iter().rposition(|row| Some(row.task as usize) == parent);
            if let Some(above) = above {
                let by = above.cast_signed() - self.list().at().cast_signed();
                self.go(Go::By(by));
            }
            return;
        }
        if has_children && close != is_closed {
            self.choose();
            if close {
                self.closed.insert(id);
            } else {
                self.closed.remove(&id);
            }
            self.refill();
        }
    }
}

/// Whether a task's own name, or its id, or the thread that polls it is what is searched for.
fn is_found(pattern: &Pattern, number: Option<u64>, task: &Task) -> bool {
    let is_in = |text: &Option<Box<str>>| text.as_deref().is_some_and(|text| pattern.is_in(text));
    number == Some(task.id) || is_in(&task.name) || is_in(&task.thread)
}

fn flat(indices: &[u32]) -> Vec<TreeRow> {
    indices.iter().copied().map(TreeRow::flat).collect()
}
