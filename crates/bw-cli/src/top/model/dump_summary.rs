//! What one dump shows: made once, where the dump was taken, so that nothing is computed when it is drawn.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use bw_core::{TaskId, TaskState};
use bw_render::{Brief, Detail, DumpText, LatePolls, Paths, SpanStyle, StyledLine, StyledText, Text};
use ratatui::text::Line;

use super::stuck::{Stuck, is_stuck, stuck};
use super::styled_line::{self, line, lines};
use super::task_state::State;
use super::task_tree::TaskTree;
use crate::output::print::relative_to_here;
use crate::output::snapshot::Snapshot;
use crate::output::truncated::truncated;

/// What one dump shows. Everything in it is escaped.
#[derive(Debug)]
pub(crate) struct DumpSummary {
    /// The program's file, without its folder.
    pub(crate) program: String,
    pub(crate) pid: u32,
    pub(crate) uptime: Option<Duration>,
    pub(crate) taken_at: SystemTime,
    /// In the process.
    pub(crate) took: Duration,
    /// Until the summary was there: the dump, its way here, and finding names.
    pub(crate) asked_for: Duration,
    /// How far it can be trusted: see [`DumpText::warnings`].
    pub(crate) warnings: Vec<Warning>,
    pub(crate) stuck: Option<Stuck>,
    /// Why names or lines are missing.
    pub(crate) problems: Vec<String>,
    pub(crate) states: [usize; State::ALL.len()],
    pub(crate) tasks: Vec<Task>,
    pub(crate) groups: Vec<Group>,
    pub(crate) places: Vec<String>,
    pub(crate) tree: TaskTree,
    /// Columns of the longest name of a task; 0 if none has a name.
    pub(crate) name_width: u16,
    /// Of those of a group.
    pub(crate) names_width: u16,
    pub(crate) snapshot: Snapshot,
    started_at: Option<SystemTime>,
}

#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) id: u64,
    pub(crate) name: Option<Box<str>>,
    /// Who polls it.
    pub(crate) thread: Option<Box<str>>,
    pub(crate) in_state: Option<Duration>,
    /// Whether only a request polled it, since that long.
    pub(crate) late_polls: LatePolls,
    pub(crate) age: Option<Duration>,
    pub(crate) polls: u64,
    /// Polls in a second, since the summary before this.
    pub(crate) rate: Option<f32>,
    pub(crate) group: u32,
    /// Where it was spawned.
    pub(crate) place: u32,
    pub(crate) state: State,
    pub(crate) is_nested: bool,
}

/// Something to know of a dump as a whole.
#[derive(Debug)]
pub(crate) struct Warning {
    pub(crate) line: Line<'static>,
    /// Whether what is shown is not all.
    pub(crate) is_loud: bool,
}

/// Tasks that look alike.
#[derive(Debug)]
pub(crate) struct Group {
    /// The same in each picture of a process.
    pub(crate) key: u64,
    pub(crate) state: State,
    /// Ascending.
    pub(crate) tasks: Vec<u32>,
    pub(crate) oldest: Option<Duration>,
    pub(crate) youngest: Option<Duration>,
    pub(crate) rate: Option<f32>,
    /// By how many tasks it grew since the summary before this.
    pub(crate) change: Option<i64>,
    /// Names of its tasks, the first few distinct ones.
    pub(crate) names: String,
    /// Where they wait, in a line.
    pub(crate) waits_at: String,
    /// Their tree, or why they have none.
    pub(crate) body: Vec<Line<'static>>,
    /// Its text, to be searched in.
    pub(crate) body_text: String,
    /// Whether they have one.
    pub(crate) has_tree: bool,
}

/// What has to be kept of a summary to tell what changed since.
#[derive(Debug)]
pub(crate) struct Previous {
    pid: u32,
    started_at: Option<SystemTime>,
    taken_at: SystemTime,
    /// By id.
    polls: Vec<(u64, u64)>,
    counts: HashMap<u64, usize>,
}

/// Short paths, relative to where this runs.
fn paths() -> Paths {
    relative_to_here(Paths::short())
}

/// Columns of a name, as far as they are ever shown.
fn width(name: &str) -> u16 {
    let columns = if name.is_ascii() { name.len() } else { styled_line::width(name) };
    u16::try_from(columns).unwrap_or(u16::MAX)
}

/// Text of the other side, of a length that somebody reads.
fn shown(text: &str) -> String {
    const MOST_CHARS: usize = 200;
    truncated(text, MOST_CHARS)
}

impl DumpSummary {
    /// Allocates; linear in the number of tasks.
    pub(crate) fn new(snapshot: Snapshot, asked_at: Instant, before: Option<&Previous>) -> Self {
        let file = snapshot.file();
        let (process, dump) = (file.process(), file.dump());
        let program = process.executable.as_deref().and_then(Path::file_name);
        let program = program.map_or_else(|| "a process".to_owned(), |name| shown(&name.to_string_lossy()));
        let age = |at: SystemTime| dump.taken_at().duration_since(at).ok();
        // Another process may have come in its place, and has other tasks of the same ids.
        let before = before.filter(|it| it.is_of(process.pid, process.started_at));
        let paths = paths();
        let text = Text::new().paths(paths.clone());
        let settings = DumpText::new(text.clone());
        let with_trees = snapshot.trees();
        let warnings = settings.warnings(with_trees);
        let warning = |warning: &StyledLine| Warning {
            line: line(warning),
            is_loud: warning.spans().any(|span| span.style != SpanStyle::Plain),
        };
        let warnings = warnings.lines().iter().map(warning).collect();

        let mut places = Vec::new();
        let mut place_of = HashMap::new();
        let mut tasks: Vec<Task> = Vec::with_capacity(dump.tasks().len());
        let mut states = [0; State::ALL.len()];
        for task in dump.tasks() {
            let (status, at) = (task.status(), task.spawned_at());
            let place = *place_of.entry(at).or_insert_with(|| {
                places.push(if at.is_known() {
                    let file = paths.shorten(at.file());
                    format!("{}:{}:{}", shown(file), at.line(), at.column())
                } else {
                    "an unknown place".to_owned()
                });
                u32::try_from(places.len() - 1).unwrap_or(0)
            });
            let state = State::of(&status.state);
            if let Some(at) = State::ALL.iter().position(|it| *it == state) {
                states[at] += 1;
            }
            let thread = match &status.state {
                TaskState::Polling(thread) => Some(shown(&thread.to_string())),
                _ => None,
            };
            tasks.push(Task {
                id: task.id().get(),
                name: task.name().map(|name| shown(name).into()),
                thread: thread.map(Into::into),
                in_state: status.in_state,
                late_polls: LatePolls::of(status, dump.took()),
                age: status.age,
                polls: status.polls,
                rate: None,
                group: 0,
                place,
                state,
                is_nested: task.is_nested(),
            });
        }
        if let Some(before) = before {
            before.give_rates(&mut tasks, dump.taken_at());
        }

        let found = with_trees.groups(&text);
        let mut groups = Vec::with_capacity(found.iter().len());
        for (number, group) in found.iter().enumerate() {
            let members: Vec<u32> = group.indices().iter().filter_map(|&at| u32::try_from(at).ok()).collect();
            for &at in &members {
                tasks[at as usize].group = u32::try_from(number).unwrap_or(0);
            }
            let Some(first) = group.indices().first() else { continue };
            let (first, body) = (&tasks[*first], settings.body(&found, group));
            let key = key_of(first, &body, group.no_trace().is_some(), &places);
            let waits_at = match (&first.thread, group.no_trace()) {
                (Some(thread), Some(_)) if is_stuck(first.state, first.in_state) => {
                    format!("{}blocks or computes on {thread}", spawned(&members, &tasks, &places))
                }
                (Some(thread), Some(_)) => {
                    format!("{}on {thread}", spawned(&members, &tasks, &places))
                }
                _ => match settings.brief(&found, group) {
                    path @ Brief::Path { .. } => path.to_string(),
                    reason => format!("{}{reason}", spawned(&members, &tasks, &places)),
                },
            };
            groups.push(Group {
                key,
                state: first.state,
                oldest: group.oldest(),
                youngest: group.youngest(),
                rate: before
                    .is_some()
                    .then(|| members.iter().filter_map(|&at| tasks[at as usize].rate).sum()),
                change: before.map(|before| before.change(key, members.len())),
                names: names(members.iter().map(|&at| &tasks[at as usize])),
                tasks: members,
                waits_at,
                body_text: body.to_string(),
                body: lines(&body),
                has_tree: group.no_trace().is_none(),
            });
        }
        drop(found);
        let tree =
            TaskTree::new(dump.tasks().iter().map(|task| (task.id().get(), task.parent().map(TaskId::get))));
        Self {
            program,
            pid: process.pid,
            uptime: process.started_at.and_then(age),
            taken_at: dump.taken_at(),
            took: dump.took(),
            asked_for: asked_at.elapsed(),
            warnings,
            stuck: stuck(&tasks, &groups, &places),
            problems: snapshot.problems().iter().map(|problem| shown(&problem.to_string())).collect(),
            states,
            tree,
            names_width: groups.iter().map(|group| width(&group.names)).max().unwrap_or(0),
            name_width: tasks.iter().filter_map(|task| task.name.as_deref()).map(width).max().unwrap_or(0),
            tasks,
            groups,
            places,
            started_at: process.started_at,
            snapshot,
        }
    }

    /// As if it had taken no time, for goldens.
    #[cfg(test)]
    pub(crate) fn at_once(mut self) -> Self {
        self.asked_for = Duration::ZERO;
        self
    }

    /// What the next one needs.
    pub(crate) fn before(&self) -> Previous {
        Previous {
            pid: self.pid,
            started_at: self.started_at,
            taken_at: self.taken_at,
            polls: self.tasks.iter().map(|task| (task.id, task.polls)).collect(),
            counts: self.groups.iter().map(|group| (group.key, group.tasks.len())).collect(),
        }
    }

    /// The task of an id. Tasks are in order of their ids.
    pub(crate) fn task(&self, id: u64) -> Option<usize> {
        self.tasks.binary_search_by_key(&id, |task| task.id).ok()
    }

    pub(crate) fn group(&self, key: u64) -> Option<usize> {
        self.groups.iter().position(|group| group.key == key)
    }

    /// The tree of a group's tasks with more detail; nothing if they have none.
    pub(crate) fn tree_lines(&self, group: &Group, detail: Detail) -> Option<Vec<Line<'static>>> {
        let first = *group.tasks.first().filter(|_| group.has_tree)? as usize;
        let trees = self.snapshot.trees();
        let tree = trees.tree_of(trees.dump().tasks().get(first)?)?;
        Some(lines(&Text::new().paths(paths()).detail(detail).styled(tree)))
    }

    pub(crate) fn group_of(&self, task: &Task) -> Option<&Group> {
        self.groups.get(task.group as usize)
    }
}

impl Previous {
    fn is_of(&self, pid: u32, started_at: Option<SystemTime>) -> bool {
        /// When a process started is known to some ten milliseconds, and read anew for each dump.
        const ABOUT: Duration = Duration::from_secs(1);
        let apart = self
            .started_at
            .zip(started_at)
            .map(|(a, b)| a.duration_since(b).unwrap_or_else(|e| e.duration()));
        self.pid == pid && apart.is_none_or(|apart| apart < ABOUT)
    }

    fn give_rates(&self, tasks: &mut [Task], now: SystemTime) {
        let Some(between) = now.duration_since(self.taken_at).ok().filter(|time| !time.is_zero()) else {
            return;
        };
        let mut before = self.polls.iter().peekable();
        for task in tasks {
            while before.next_if(|(id, _)| *id < task.id).is_some() {}
            if let Some((_, polls)) = before.next_if(|(id, _)| *id == task.id) {
                #[allow(clippy::cast_precision_loss, reason = "a number to look at")]
                let polls = task.polls.saturating_sub(*polls) as f32;
                task.rate = Some(polls / between.as_secs_f32());
            }
        }
    }

    fn change(&self, key: u64, now: usize) -> i64 {
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        count(now) - count(self.counts.get(&key).copied().unwrap_or(0))
    }
}

/// Where tasks were spawned, for a group of which no stack says more. Nothing if they were spawned at several places.
fn spawned(members: &[u32], tasks: &[Task], places: &[String]) -> String {
    let mut of_members = members.iter().map(|&at| tasks[at as usize].place);
    let place = of_members.next().filter(|first| of_members.all(|place| place == *first));
    let place = place.and_then(|place| places.get(place as usize));
    place.map(|place| format!("spawned at {place}, ")).unwrap_or_default()
}

/// What is the same of a group in each summary.
fn key_of(first: &Task, body: &StyledText, has_no_trace: bool, places: &[String]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (first.state, body).hash(&mut hasher);
    if has_no_trace {
        // As groups are made: by where they were spawned, and each alone that is polled.
        (places.get(first.place as usize), (first.state == State::Polling).then_some(first.id))
            .hash(&mut hasher);
    }
    hasher.finish()
}

/// Names of tasks, the first few distinct ones.
fn names<'a>(tasks: impl Iterator<Item = &'a Task>) -> String {
    /// More are not shown.
    const MOST_NAMES: usize = 3;
    /// Of a hundred thousand with a name each, or none, nobody wants to wait for the last.
    const MOST_TASKS: usize = 1_000;
    let mut found: Vec<&str> = Vec::new();
    for name in tasks.take(MOST_TASKS).filter_map(|task| task.name.as_deref()) {
        if !found.contains(&name) {
            if found.len() == MOST_NAMES {
                found.push("…");
                break;
            }
            found.push(name);
        }
    }
    found.join(", ")
}
