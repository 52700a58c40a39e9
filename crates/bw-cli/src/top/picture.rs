//! What one dump shows: made once, where the dump was taken, so that nothing is computed when it is drawn.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bw_render::{Count, Detail, DumpText, Elapsed, Escaped, Palette, Paths, Text};

use super::family::Family;
use super::ink;
use super::state::State;
use crate::snapshot::Snapshot;

/// A task that is polled, or was woken and is not polled, for so long is said loudly: its thread blocks, or its executor does.
const STUCK: Duration = Duration::from_secs(1);

/// What one dump shows. Everything in it is escaped.
#[derive(Debug)]
pub(super) struct Picture {
    /// The program's file, without its folder.
    pub(super) program: String,
    pub(super) pid: u32,
    pub(super) uptime: Option<Duration>,
    pub(super) taken_at: SystemTime,
    /// In the process.
    pub(super) took: Duration,
    /// Until the picture was there: the dump, its way here, and finding names.
    pub(super) asked_for: Duration,
    /// How far it can be trusted, with colours: see [`DumpText::warnings`].
    pub(super) warnings: Vec<String>,
    pub(super) stuck: Option<Stuck>,
    /// Why names or lines are missing.
    pub(super) problems: Vec<String>,
    pub(super) states: [usize; State::ALL.len()],
    pub(super) tasks: Vec<Task>,
    pub(super) groups: Vec<Group>,
    pub(super) places: Vec<String>,
    pub(super) family: Family,
    /// Columns of the longest name of a task; 0 if none has a name.
    pub(super) name_width: u16,
    /// Of those of a group.
    pub(super) names_width: u16,
    pub(super) snapshot: Snapshot,
    started_at: Option<SystemTime>,
}

#[derive(Debug)]
pub(super) struct Task {
    pub(super) id: u64,
    pub(super) name: Option<Box<str>>,
    /// Who polls it.
    pub(super) thread: Option<Box<str>>,
    pub(super) in_state: Option<Duration>,
    pub(super) age: Option<Duration>,
    pub(super) polls: u64,
    /// Polls in a second, since the picture before this.
    pub(super) rate: Option<f32>,
    pub(super) group: u32,
    /// Where it was spawned.
    pub(super) place: u32,
    pub(super) state: State,
    pub(super) is_nested: bool,
}

/// Who blocks, or is not polled.
#[derive(Debug)]
pub(super) struct Stuck {
    /// What to say of the first.
    pub(super) text: String,
    /// By index: of each thread that is blocked the task, or all that were woken; at least one, the longest first.
    pub(super) tasks: Vec<usize>,
}

/// Tasks that look alike.
#[derive(Debug)]
pub(super) struct Group {
    /// The same in each picture of a process.
    pub(super) key: u64,
    pub(super) state: State,
    /// Ascending.
    pub(super) tasks: Vec<u32>,
    pub(super) oldest: Option<Duration>,
    pub(super) youngest: Option<Duration>,
    pub(super) rate: Option<f32>,
    /// By how many tasks it grew since the picture before this.
    pub(super) change: Option<i64>,
    /// Names of its tasks, the first few distinct ones.
    pub(super) names: String,
    /// Where they wait, in a line.
    pub(super) waits_at: String,
    /// What their tree prints, with colours, or why there is none.
    pub(super) body: Arc<str>,
    /// Whether they have one.
    pub(super) has_tree: bool,
}

/// What has to be kept of a picture to tell what changed since.
#[derive(Debug)]
pub(super) struct Before {
    pid: u32,
    started_at: Option<SystemTime>,
    taken_at: SystemTime,
    /// By id.
    polls: Vec<(u64, u64)>,
    counts: HashMap<u64, usize>,
}

/// How trees are printed here.
pub(super) fn text() -> Text {
    Text::new().palette(Palette::colored()).paths(paths())
}

/// Short paths, relative to where this runs.
fn paths() -> Paths {
    let paths = Paths::short();
    match std::env::current_dir() {
        Ok(folder) => match folder.to_str() {
            Some(folder) => paths.relative_to(folder),
            None => paths,
        },
        Err(_) => paths,
    }
}

/// Columns of a name, as far as they are ever shown.
fn width(name: &str) -> u16 {
    let columns = if name.is_ascii() { name.len() } else { ink::width(name) };
    u16::try_from(columns).unwrap_or(u16::MAX)
}

/// Text of the other side, of a length that somebody reads.
fn shown(text: &str) -> String {
    const MOST_CHARS: usize = 200;
    match text.char_indices().nth(MOST_CHARS) {
        Some((end, _)) => format!("{}…", Escaped(&text[..end])),
        None => Escaped(text).to_string(),
    }
}

impl Picture {
    /// Allocates; linear in the number of tasks.
    pub(super) fn new(snapshot: Snapshot, asked_at: Instant, before: Option<&Before>) -> Self {
        let file = snapshot.file();
        let (process, dump) = (file.process(), file.dump());
        let program = process.executable.as_deref().and_then(Path::file_name);
        let program = program.map_or_else(|| "a process".to_owned(), |name| shown(&name.to_string_lossy()));
        let age = |at: SystemTime| dump.taken_at().duration_since(at).ok();
        // Another process may have come in its place, and has other tasks of the same ids.
        let before = before.filter(|it| it.is_of(process.pid, process.started_at));
        let (text, paths) = (text(), paths());
        let settings = DumpText::new(text.clone());
        let with_trees = snapshot.trees();
        let warnings = Palette::colored()
            .paint(&settings.warnings(with_trees))
            .to_string()
            .lines()
            .map(str::to_owned)
            .collect();

        let mut places = Vec::new();
        let mut place_of = HashMap::new();
        let mut tasks: Vec<Task> = Vec::with_capacity(dump.tasks().len());
        let mut states = [0; State::ALL.len()];
        for task in dump.tasks() {
            let (status, at) = (task.status(), task.spawned_at());
            let place = *place_of.entry(at).or_insert_with(|| {
                let file = paths.shorten(at.file());
                places.push(format!("{}:{}:{}", shown(file), at.line(), at.column()));
                u32::try_from(places.len() - 1).unwrap_or(0)
            });
            let state = State::named(status.state.name());
            if let Some(at) = State::ALL.iter().position(|it| *it == state) {
                states[at] += 1;
            }
            let thread = (state == State::Polling)
                .then(|| shown(status.state.to_string().trim_start_matches("is being polled on ")));
            tasks.push(Task {
                id: task.id().get(),
                name: task.name().map(|name| shown(name).into()),
                thread: thread.map(Into::into),
                in_state: status.in_state,
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
            let (first, body) =
                (&tasks[*first], Palette::colored().paint(&settings.body(&found, group)).to_string());
            let key = key_of(first, &body, group.no_trace().is_some(), &places);
            let waits_at = match (&first.thread, group.no_trace()) {
                (Some(thread), Some(_)) if is_stuck(first.state, first.in_state) => {
                    format!("blocks or computes on {thread}")
                }
                (Some(thread), Some(_)) => format!("on {thread}"),
                _ => settings.brief(&found, group).to_string(),
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
                body: body.into(),
                has_tree: group.no_trace().is_none(),
            });
        }
        drop(found);
        #[allow(
            clippy::redundant_closure_for_method_calls,
            reason = "the type is of a crate that this one does not know"
        )]
        let family = Family::new(
            dump.tasks().iter().map(|task| (task.id().get(), task.parent().map(|parent| parent.get()))),
        );
        Self {
            program,
            pid: process.pid,
            uptime: process.started_at.and_then(age),
            taken_at: dump.taken_at(),
            took: dump.took(),
            asked_for: asked_at.elapsed(),
            warnings,
            stuck: stuck(&tasks, &groups),
            problems: snapshot.problems().iter().map(|problem| shown(&problem.to_string())).collect(),
            states,
            family,
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
    pub(super) fn at_once(mut self) -> Self {
        self.asked_for = Duration::ZERO;
        self
    }

    /// What the next one needs.
    pub(super) fn before(&self) -> Before {
        Before {
            pid: self.pid,
            started_at: self.started_at,
            taken_at: self.taken_at,
            polls: self.tasks.iter().map(|task| (task.id, task.polls)).collect(),
            counts: self.groups.iter().map(|group| (group.key, group.tasks.len())).collect(),
        }
    }

    /// The task of an id. Tasks are in order of their ids.
    pub(super) fn task(&self, id: u64) -> Option<usize> {
        self.tasks.binary_search_by_key(&id, |task| task.id).ok()
    }

    pub(super) fn group(&self, key: u64) -> Option<usize> {
        self.groups.iter().position(|group| group.key == key)
    }

    /// What the tree of a group's tasks prints with more detail; nothing if they have none.
    pub(super) fn print(&self, group: &Group, detail: Detail) -> Option<String> {
        let first = *group.tasks.first().filter(|_| group.has_tree)? as usize;
        let trees = self.snapshot.trees();
        let tree = trees.tree_of(trees.dump().tasks().get(first)?)?;
        Some(text().detail(detail).render(tree).to_string())
    }

    pub(super) fn group_of(&self, task: &Task) -> Option<&Group> {
        self.groups.get(task.group as usize)
    }
}

impl Before {
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

/// What is the same of a group in each picture.
fn key_of(first: &Task, body: &str, has_no_trace: bool, places: &[String]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (first.state, body).hash(&mut hasher);
    if has_no_trace {
        // As groups are made: by where they were spawned, and each alone that is polled.
        (places.get(first.place as usize), (first.state == State::Polling).then_some(first.id))
            .hash(&mut hasher);
    }
    hasher.finish()
}

/// Whether a task blocks its thread, or its executor does not run, after so long in that state.
pub(super) fn is_stuck(state: State, time: Option<Duration>) -> bool {
    matches!(state, State::Polling | State::Woken) && time.is_some_and(|time| time >= STUCK)
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

/// Says who blocks, or whose executor does not run.
fn stuck(tasks: &[Task], groups: &[Group]) -> Option<Stuck> {
    let those = |state| {
        let is_it = move |(_, task): &(usize, &Task)| task.state == state && is_stuck(state, task.in_state);
        let mut those: Vec<_> = tasks.iter().enumerate().filter(is_it).collect();
        those.sort_by_key(|(_, task)| Reverse(task.in_state));
        those
    };
    let group = |task: &Task| groups.get(task.group as usize);
    let mut threads = HashMap::new();
    let mut blocking: Vec<(usize, &Task)> = Vec::new();
    for (at, task) in those(State::Polling) {
        let n = *threads.entry(&task.thread).or_insert(blocking.len());
        // A task that polls another is polled as long: the inner one is meant, which is where the thread is.
        let rank = |task: &Task| (group(task).is_some_and(|group| group.has_tree), task.is_nested);
        match blocking.get_mut(n) {
            None => blocking.push((at, task)),
            Some(known) if rank(task) >= rank(known.1) => *known = (at, task),
            Some(_) => {}
        }
    }
    if let Some((_, task)) = blocking.first() {
        let others = match blocking.len() {
            1 => String::new(),
            2 => "; one more thread is blocked".to_owned(),
            more => format!("; {} more threads are blocked", Count(more - 1)),
        };
        let name = task.name.as_deref().map(|name| format!(" \"{name}\"")).unwrap_or_default();
        let (time, thread) = (Elapsed(task.in_state?), task.thread.as_deref().unwrap_or("its thread"));
        let what = match group(task) {
            Some(group) if group.has_tree => format!(" on {thread}, at {}", group.waits_at),
            _ => format!(": it blocks or computes on {thread}"),
        };
        let text = format!("BLOCKED: task {}{name} has been in one poll for {time}{what}{others}", task.id);
        return Some(Stuck { text, tasks: blocking.iter().map(|(at, _)| *at).collect() });
    }
    let woken = those(State::Woken);
    let (_, task) = woken.first()?;
    let tasks = match woken.len() {
        1 => "1 task was".to_owned(),
        count => format!("{} tasks were", Count(count)),
    };
    let text = format!(
        "NOT POLLED: {tasks} woken up to {} ago; is every thread of their executor blocked, or does it not run?",
        Elapsed(task.in_state?)
    );
    Some(Stuck { text, tasks: woken.iter().map(|(at, _)| *at).collect() })
}
