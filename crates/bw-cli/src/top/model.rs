//! The state of the view: pictures and keys in, what to draw out. Pure: it asks nobody for anything.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use bw_render::Escaped;

use super::close_up::{CloseUp, Subject};
use super::family::TreeLine;
use super::layout::Layout;
use super::list::{Go, List};
use super::order::Sorting;
use super::pattern::Pattern;
use super::picture::{Picture, Task};
use super::state::State;

/// What the list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    Groups,
    Tasks,
    Tree,
}

impl View {
    pub(super) const ALL: [Self; 3] = [Self::Groups, Self::Tasks, Self::Tree];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Groups => "groups",
            Self::Tasks => "tasks",
            Self::Tree => "task tree",
        }
    }
}

/// What is to be done outside of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Action {
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
pub(super) struct Model {
    pub(super) size: (u16, u16),
    /// Since it began.
    pub(super) now: Duration,
    pub(super) picture: Option<Picture>,
    pub(super) picture_at: Duration,
    /// Since when it is being asked.
    pub(super) asking: Option<Duration>,
    /// Why the last question was not answered.
    pub(super) error: Option<String>,
    /// `None`: it is asked when somebody says so.
    pub(super) interval: Option<Duration>,
    pub(super) is_paused: bool,
    pub(super) has_colours: bool,
    pub(super) view: View,
    pub(super) of_groups: Sorting,
    pub(super) of_tasks: Sorting,
    pub(super) only_state: Option<State>,
    /// Only tasks of the group of this key.
    pub(super) only_group: Option<u64>,
    pub(super) pattern: Pattern,
    /// Whether keys go to the pattern.
    pub(super) is_typing: bool,
    pub(super) close_up: Option<CloseUp>,
    /// How far the help is scrolled, while it shows.
    pub(super) help: Option<usize>,
    lists: [List; 3],
    /// Tasks whose children do not show in the tree.
    closed: HashSet<u64>,
}

impl Model {
    pub(super) fn new(interval: Option<Duration>, has_colours: bool) -> Self {
        Self {
            size: (0, 0),
            now: Duration::ZERO,
            picture: None,
            picture_at: Duration::ZERO,
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

    /// A picture came. Sorts. Gives back the one before, to be dropped where nobody waits for that.
    pub(super) fn take(&mut self, picture: Picture) -> Option<Picture> {
        (self.asking, self.error, self.picture_at) = (None, None, self.now);
        let before = self.picture.replace(picture);
        self.refill();
        before
    }

    /// The question was not answered. The last picture stays.
    pub(super) fn fail(&mut self, error: &impl fmt::Display) {
        (self.asking, self.error) = (None, Some(Escaped(&error.to_string()).to_string()));
        self.fit();
    }

    pub(super) fn resize(&mut self, width: u16, height: u16) {
        self.size = (width, height);
        self.fit();
    }

    pub(super) fn list(&self) -> &List {
        &self.lists[self.view as usize]
    }

    pub(super) fn sorting(&self) -> Sorting {
        if self.view == View::Groups { self.of_groups } else { self.of_tasks }
    }

    pub(super) fn is_closed(&self, task: u64) -> bool {
        self.closed.contains(&task)
    }

    /// What the cursor is on.
    pub(super) fn subject(&self) -> Option<Subject> {
        let (picture, row) = (self.picture.as_ref()?, self.list().row()?);
        Some(match self.view {
            View::Groups => Subject::Group(picture.groups[row.task as usize].key),
            View::Tasks | View::Tree => Subject::Task(picture.tasks[row.task as usize].id),
        })
    }

    pub(super) fn go(&mut self, to: Go) {
        let height = Layout::new(self).rows.height.into();
        self.with_list(|list, key| list.go(to, height, key));
    }

    /// Stays with what the cursor is on, also if nobody moved it there.
    pub(super) fn choose(&mut self) {
        self.with_list(|list, key| list.choose(key));
    }

    /// What a row is, in every picture, for what is done with the list.
    fn with_list(&mut self, work: impl FnOnce(&mut List, &dyn Fn(TreeLine) -> u64)) {
        let Some(picture) = &self.picture else { return };
        let view = self.view;
        let key = |row: TreeLine| match view {
            View::Groups => picture.groups[row.task as usize].key,
            View::Tasks | View::Tree => picture.tasks[row.task as usize].id,
        };
        work(&mut self.lists[view as usize], &key);
    }

    /// Makes the rows of the list that shows, anew. Linear, and sorts.
    pub(super) fn refill(&mut self) {
        let Some(picture) = &self.picture else { return };
        let rows = match self.view {
            View::Groups => self.rows_of_groups(picture),
            View::Tasks => self.rows_of_tasks(picture),
            View::Tree => self.rows_of_tree(picture),
        };
        let height = Layout::new(self).rows.height.into();
        self.with_list(|list, key| list.refill(rows, height, key));
        if let (Some(picture), Some(close_up)) = (&self.picture, &mut self.close_up) {
            close_up.refill(picture);
        }
        self.fit();
    }

    /// After the size of anything changed.
    pub(super) fn fit(&mut self) {
        let layout = Layout::new(self);
        self.lists[self.view as usize].fit(layout.rows.height.into());
        if let Some(close_up) = &mut self.close_up {
            close_up.fit(layout.rows.width.into(), layout.rows.height.into());
        }
    }

    fn rows_of_groups(&self, picture: &Picture) -> Vec<TreeLine> {
        let number = self.pattern.number();
        let groups = picture.groups.iter().zip(0..);
        let passing = groups.filter(|(group, _)| {
            let is_in = |text: &str| self.pattern.is_in(text);
            let has = |&at: &u32| is_found(&self.pattern, number, &picture.tasks[at as usize]);
            self.only_state.is_none_or(|state| state == group.state)
                && (is_in(&group.body) || is_in(&group.waits_at) || group.tasks.iter().any(has))
        });
        let mut indices: Vec<u32> = passing.map(|(_, at)| at).collect();
        self.of_groups.groups(&picture.groups, &mut indices);
        flat(&indices)
    }

    fn rows_of_tasks(&self, picture: &Picture) -> Vec<TreeLine> {
        let mut indices = self.passing_tasks(picture);
        self.of_tasks.tasks(&picture.tasks, &mut indices);
        flat(&indices)
    }

    fn rows_of_tree(&self, picture: &Picture) -> Vec<TreeLine> {
        let all = picture.tasks.len();
        let mut indices: Vec<u32> = (0..).take(all).collect();
        if self.narrows() {
            // Those that pass, and the way to them.
            let mut shows = vec![false; all];
            for at in self.passing_tasks(picture) {
                let mut at = Some(at as usize);
                while let Some(task) = at
                    && !std::mem::replace(&mut shows[task], true)
                {
                    at = picture.family.parent(task);
                }
            }
            indices.retain(|&at| shows[at as usize]);
        }
        self.of_tasks.tasks(&picture.tasks, &mut indices);
        let is_closed = |at: usize| !self.closed.is_empty() && self.closed.contains(&picture.tasks[at].id);
        picture.family.lines(&indices, is_closed)
    }

    /// Whether something is not shown because somebody wants to see something else.
    pub(super) fn narrows(&self) -> bool {
        !self.pattern.is_empty()
            || self.only_state.is_some()
            || (self.only_group.is_some() && self.view != View::Groups)
    }

    fn passing_tasks(&self, picture: &Picture) -> Vec<u32> {
        // What many tasks have in common is looked at once.
        let number = self.pattern.number();
        let in_text = |text: &str| number.is_none() && self.pattern.is_in(text);
        let groups = picture.groups.iter();
        let groups: Vec<_> = groups.map(|group| in_text(&group.body) || in_text(&group.waits_at)).collect();
        let places: Vec<_> = picture.places.iter().map(|place| in_text(place)).collect();
        let group = self.only_group.map(|key| picture.group(key));
        let passing = picture.tasks.iter().zip(0..).filter(|(task, at)| {
            self.only_state.is_none_or(|state| state == task.state)
                && group.is_none_or(|group| group == Some(task.group as usize))
                && (self.pattern.is_empty()
                    || groups.get(task.group as usize).is_some_and(|&found| found)
                    || places.get(task.place as usize).is_some_and(|&found| found)
                    || is_found(&self.pattern, number, &picture.tasks[*at as usize]))
        });
        passing.map(|(_, at)| at).collect()
    }

    pub(super) fn show(&mut self, view: View) {
        self.view = view;
        self.refill();
    }

    /// The tasks of the group at the cursor, or of that which the task at the cursor is of.
    pub(super) fn show_tasks_of_group(&mut self) {
        let (Some(picture), Some(subject)) = (&self.picture, self.subject()) else { return };
        let key = match subject {
            Subject::Group(key) => Some(key),
            Subject::Task(id) => {
                let task = picture.task(id).map(|at| &picture.tasks[at]);
                task.and_then(|task| picture.group_of(task)).map(|group| group.key)
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
    pub(super) fn next_state(&mut self) {
        let Some(picture) = &self.picture else { return };
        let after = self.only_state.and_then(|state| State::ALL.iter().position(|it| *it == state));
        let rest = after.map_or(0, |at| at + 1)..State::ALL.len();
        self.only_state = rest.filter(|&at| picture.states[at] > 0).map(|at| State::ALL[at]).next();
        self.refill();
    }

    /// Shows everything again. Says whether something was hidden.
    pub(super) fn widen(&mut self) -> bool {
        let was_narrow = self.narrows();
        self.pattern.clear();
        (self.only_state, self.only_group) = (None, None);
        if was_narrow {
            self.refill();
        }
        was_narrow
    }

    /// What is at the cursor, with its whole tree.
    pub(super) fn open(&mut self) {
        self.choose();
        if let (Some(subject), Some(picture)) = (self.subject(), &self.picture) {
            self.close_up = Some(CloseUp::new(subject, picture));
            self.fit();
        }
    }

    /// The task that blocks, with its tree; from there, the next that does.
    pub(super) fn open_stuck(&mut self) {
        let Some(picture) = &self.picture else { return };
        let Some(stuck) = &picture.stuck else { return };
        let subject = |&at: &usize| Subject::Task(picture.tasks[at].id);
        let shown = self.close_up.as_ref().map(|close_up| close_up.subject);
        let mut after = stuck.tasks.iter().map(subject).skip_while(|it| Some(*it) != shown).skip(1);
        let next = after.next().or_else(|| stuck.tasks.first().map(subject));
        if let Some(subject) = next.filter(|_| next != shown) {
            self.close_up = Some(CloseUp::new(subject, picture));
        }
    }

    /// Hides or shows the children of the task at the cursor. Where there is nothing to hide, goes to the parent.
    pub(super) fn close_branch(&mut self, close: bool) {
        let (Some(picture), View::Tree, Some(row)) = (&self.picture, self.view, self.list().row()) else {
            return;
        };
        let at = row.task as usize;
        let (id, has_children) = (picture.tasks[at].id, picture.family.children(at) > 0);
        let is_closed = self.closed.contains(&id);
        if close && (is_closed || !has_children) {
            let parent = picture.family.parent(at);
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

fn flat(indices: &[u32]) -> Vec<TreeLine> {
    indices.iter().copied().map(TreeLine::flat).collect()
}
