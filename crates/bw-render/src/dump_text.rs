//! A task dump as text.

use std::fmt::{self, Write as _};
use std::time::Duration;

use bw_core::{NoTrace, RawTaskDump, SpawnedAt, TaskRecord, TaskState};

use crate::escape::Shortened;
use crate::groups::{Group, Groups, Looks};
use crate::moment::Moment;
use crate::prints::Prints;
use crate::span::{Count, Span};
use crate::task_trees::TaskTrees;
use crate::text::Text;

/// How to print a task dump. Data; the trees of its tasks are printed with its [`Text`].
///
/// Names of tasks come from the program and are not trusted: they are escaped and shortened like those of functions.
#[derive(Clone, Debug)]
pub struct DumpText {
    text: Text,
    samples: usize,
}

/// Names of tasks longer than this many bytes are cut in the middle.
pub(crate) const NAME_BYTES: usize = 200;

impl DumpText {
    /// Prints trees with these settings.
    #[must_use]
    pub fn new(text: Text) -> Self {
        Self { text: text.footer(false).of_dump(), samples: 5 }
    }

    /// How many tasks of each group are named; 5 unless told.
    #[must_use]
    pub fn samples(mut self, samples: usize) -> Self {
        self.samples = samples;
        self
    }

    /// Tasks that look alike once, with how many they are, for how long, and a few of them; in the order of [`Groups`], after a
    /// line that sums up. Groups when it is made, which allocates; printing does not. See [`Groups`].
    #[must_use]
    pub fn grouped<'a>(&'a self, trees: TaskTrees<'a>) -> impl fmt::Display + 'a {
        Grouped { settings: self, groups: trees.groups(&self.text) }
    }

    /// Every task with its own tree, by id, after a line that sums up. Each distinct tree is rendered once.
    #[must_use]
    pub fn full<'a>(&'a self, trees: TaskTrees<'a>) -> impl fmt::Display + 'a {
        Full { settings: self, prints: Prints::new(trees.all_trees(), &self.text), trees }
    }

    /// The lines that say how far the dump can be trusted: how many of the tasks are traced, and whether its deadline cut it
    /// short. Empty where there is nothing to say. For those who sum up in another way than [`grouped`](Self::grouped).
    #[must_use]
    pub fn warnings(&self, trees: TaskTrees<'_>) -> String {
        let mut lines = String::new();
        let _never_fails = self.warn(&mut lines, trees.dump());
        lines.strip_prefix('\n').map(str::to_owned).unwrap_or(lines)
    }

    /// What is printed of each task of a group below what is said of all: its tree, or why there is none. Allocates.
    #[must_use]
    pub fn body(&self, groups: &Groups<'_>, group: &Group) -> String {
        let mut body = String::new();
        let _never_fails = self.looks(&mut body, groups, group);
        body
    }

    /// One task: what it does, its tree, and below it what is not shown.
    #[must_use]
    pub fn task<'a>(&'a self, trees: TaskTrees<'a>, task: &'a TaskRecord) -> impl fmt::Display + 'a {
        One { settings: self, trees, task }
    }

    pub(crate) fn most_samples(&self) -> usize {
        self.samples
    }

    pub(crate) fn text(&self) -> &Text {
        &self.text
    }

    /// The line that sums up, and those that warn.
    pub(crate) fn summary(&self, f: &mut impl fmt::Write, dump: &RawTaskDump) -> fmt::Result {
        Self::counts(f, dump)?;
        let taken_at = Moment::new(dump.taken_at()).seconds();
        write!(f, "; taken at {taken_at} in {} ms", dump.took().as_millis())?;
        self.warn(f, dump)
    }

    /// How many tasks there are, and in which states.
    pub(crate) fn counts(f: &mut impl fmt::Write, dump: &RawTaskDump) -> fmt::Result {
        let tasks = dump.tasks();
        write!(f, "{}", Plural(tasks.len(), "task"))?;
        let mut counts: Vec<(&TaskState, usize)> = Vec::new();
        for task in tasks {
            let state = &task.status().state;
            match counts.iter_mut().find(|(known, _)| known.name() == state.name()) {
                Some((_, count)) => *count += 1,
                None => counts.push((state, 1)),
            }
        }
        counts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.name().cmp(b.0.name())));
        for (at, (state, count)) in counts.iter().enumerate() {
            write!(f, "{} {} {}", if at == 0 { ":" } else { "," }, Count(*count), words(state))?;
        }
        let others = dump.registered().saturating_sub(tasks.len());
        if others > 0 {
            write!(f, "; {} more do not pass the filter or came later", Count(others))?;
        }
        Ok(())
    }

    /// See [`warnings`](Self::warnings); each after a line feed.
    fn warn(&self, f: &mut impl fmt::Write, dump: &RawTaskDump) -> fmt::Result {
        self.coverage(f, dump)?;
        if dump.is_partial() {
            let note = self.text.colors().note;
            let silent =
                dump.tasks().iter().filter(|task| task.trace().is_err_and(NoTrace::is_for_want_of_time));
            write!(
                f,
                "\n{note}partial: the deadline passed before {} answered{note:#}",
                Plural(silent.count(), "task")
            )?;
        }
        Ok(())
    }

    /// How many of all tasks are traced, in a line of its own; loud if it is none.
    fn coverage(&self, f: &mut impl fmt::Write, dump: &RawTaskDump) -> fmt::Result {
        let note = self.text.colors().note;
        // A future that another task polls is no task that a runtime counts; one that was never polled may never be.
        let traced = dump.registered().saturating_sub(dump.nested() + dump.unpolled());
        match (traced, dump.alive()) {
            (0, alive) if dump.registered() == 0 || alive.is_some_and(|alive| alive > 0) => {
                let of =
                    alive.map(|alive| format!(" of {} alive", Plural(alive, "task"))).unwrap_or_default();
                let then = "wrap what you spawn in traced(…), or spawn it with .traced()";
                write!(f, "\n{note}NO TASK IS TRACED{of}: {then}{note:#}")?;
            }
            (_, None) => return Ok(()),
            (traced, Some(alive)) if traced > alive => {
                write!(f, "\ntraced {}; the runtime has {} alive", Plural(traced, "task"), Count(alive))?;
                f.write_str(", so some are not its own")?;
            }
            (traced, Some(alive)) => {
                write!(f, "\ntraced {} of {} alive", Count(traced), Plural(alive, "task"))?;
            }
        }
        let mut separator = "; not counted: ";
        for (count, what) in
            [(dump.nested(), "polled by other traced tasks"), (dump.unpolled(), "never polled")]
        {
            if count > 0 {
                write!(f, "{separator}{} {what}", Count(count))?;
                separator = ", ";
            }
        }
        Ok(())
    }

    /// `17 "connection", 18`.
    pub(crate) fn samples_of<'a>(
        &self,
        f: &mut impl fmt::Write,
        mut tasks: impl ExactSizeIterator<Item = &'a TaskRecord>,
    ) -> fmt::Result {
        let more = tasks.len().saturating_sub(self.samples);
        for (at, task) in tasks.by_ref().take(self.samples).enumerate() {
            f.write_str(if at == 0 { "" } else { ", " })?;
            self.name(f, task)?;
        }
        if more > 0 && self.samples > 0 {
            write!(f, ", {}", self.text.ellipsis())?;
        }
        Ok(())
    }

    pub(crate) fn name(&self, f: &mut impl fmt::Write, task: &TaskRecord) -> fmt::Result {
        write!(f, "{}", task.id())?;
        match task.name() {
            Some(text) => {
                let name = Shortened { text, most: NAME_BYTES, ellipsis: self.text.ellipsis() };
                write!(f, " \"{name}\"")
            }
            None => Ok(()),
        }
    }

    pub(crate) fn spawned_at(&self, f: &mut impl fmt::Write, task: &TaskRecord) -> fmt::Result {
        self.spawned_at_place(f, task.spawned_at())
    }

    pub(crate) fn spawned_at_place(&self, f: &mut impl fmt::Write, at: &SpawnedAt) -> fmt::Result {
        let text = self.text.path_of_task(at.file());
        let file = Shortened { text, most: NAME_BYTES, ellipsis: self.text.ellipsis() };
        write!(f, "spawned at {file}:{}:{}", at.line(), at.column())
    }

    /// The state of so many tasks, and for how long: `suspended for 0.3 s to 2 h 5 min`. Of those that are being polled, on which
    /// thread, or if there are several, that each is on one of its own.
    pub(crate) fn state(
        &self,
        f: &mut impl fmt::Write,
        state: &TaskState,
        tasks: usize,
        youngest: Option<Duration>,
        oldest: Option<Duration>,
    ) -> fmt::Result {
        self.time_in_state(f, words(state), youngest, oldest)?;
        match state {
            TaskState::Polling(_) if tasks > 1 => write!(f, " on {} threads", Count(tasks)),
            TaskState::Polling(thread) => {
                let thread = thread.to_string();
                let thread = Shortened { text: &thread, most: NAME_BYTES, ellipsis: self.text.ellipsis() };
                write!(f, " on {thread}")
            }
            _ => Ok(()),
        }
    }

    /// `suspended for 0.3 s to 2 h 5 min`.
    pub(crate) fn time_in_state(
        &self,
        f: &mut impl fmt::Write,
        state: &str,
        youngest: Option<Duration>,
        oldest: Option<Duration>,
    ) -> fmt::Result {
        f.write_str(state)?;
        if let (Some(youngest), Some(oldest)) = (youngest, oldest) {
            let (youngest, oldest) = (Span(youngest).to_string(), Span(oldest).to_string());
            if youngest == oldest {
                write!(f, " for {oldest}")?;
            } else {
                write!(f, " for {youngest} to {oldest}")?;
            }
        }
        Ok(())
    }

    /// All about one task but its tree.
    pub(crate) fn heading(&self, f: &mut impl fmt::Write, task: &TaskRecord) -> fmt::Result {
        let function = self.text.colors().function;
        let status = task.status();
        write!(f, "{function}task ")?;
        self.name(f, task)?;
        write!(f, "{function:#}: ")?;
        self.state(f, &status.state, 1, status.in_state, status.in_state)?;
        write!(f, ", {}", Polls(status.polls))?;
        if let Some(age) = status.age {
            write!(f, ", {} old", Span(age))?;
        }
        f.write_str(", ")?;
        self.spawned_at(f, task)?;
        match task.parent() {
            Some(parent) => write!(f, ", child of {parent}"),
            None => Ok(()),
        }
    }

    /// Why a task has no trace, which may depend on what it is doing.
    pub(crate) fn no_trace(
        &self,
        f: &mut impl fmt::Write,
        reason: NoTrace,
        state: &TaskState,
    ) -> fmt::Result {
        let note = self.text.colors().note;
        match (reason, state) {
            (NoTrace::NotPolled, TaskState::Polling(_)) => write!(
                f,
                "{note}(no trace: this poll has not returned, so the task blocks or computes on that thread; a debugger shows \
                 where){note:#}"
            ),
            (NoTrace::NotPolled, TaskState::Woken) => write!(
                f,
                "{note}(no trace: a dump woke it, and its executor has not polled it since; is every thread of it blocked, or does it \
                 not run?){note:#}"
            ),
            _ => write!(f, "{note}(no trace: {reason}){note:#}"),
        }
    }
}

/// What a state is called in front of the tasks that are in it.
pub(crate) fn words(state: &TaskState) -> &'static str {
    match state {
        TaskState::NeverPolled => "never polled",
        TaskState::Suspended => "suspended",
        TaskState::Woken => "woken but not polled",
        TaskState::Polling(_) => "being polled",
        TaskState::Finished => "finished",
        TaskState::Dropped => "dropped",
        TaskState::Panicked => "panicked",
        _ => "in another state",
    }
}

pub(crate) struct Plural(pub(crate) usize, pub(crate) &'static str);

impl fmt::Display for Plural {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", Count(self.0), self.1, if self.0 == 1 { "" } else { "s" })
    }
}

struct Polls(u64);

impl fmt::Display for Polls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("no poll has returned"),
            1 => f.write_str("polled once"),
            polls => write!(f, "polled {} times", Count(usize::try_from(polls).unwrap_or(usize::MAX))),
        }
    }
}

struct Grouped<'a> {
    settings: &'a DumpText,
    groups: Groups<'a>,
}

impl fmt::Display for Grouped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.summary(f, self.groups.trees.dump())?;
        for group in self.groups.iter() {
            f.write_str("\n\n")?;
            self.settings.group(f, &self.groups, group)?;
        }
        self.groups.prints.footer(f, &self.settings.text)
    }
}

impl DumpText {
    pub(crate) fn group(&self, f: &mut impl fmt::Write, groups: &Groups<'_>, group: &Group) -> fmt::Result {
        let function = self.text.colors().function;
        let first = groups.first(group);
        write!(f, "{function}{}{function:#} ", Plural(group.len(), "task"))?;
        self.state(f, &first.status().state, group.len(), group.youngest(), group.oldest())?;
        f.write_str(": ")?;
        self.samples_of(f, groups.tasks(group))?;
        f.write_str("\n")?;
        self.spawned_at(f, first)?;
        let others = groups.tasks(group).filter(|task| task.spawned_at() != first.spawned_at()).count();
        if others > 0 {
            write!(f, ", and {} elsewhere", Count(others))?;
        }
        f.write_str("\n")?;
        self.looks(f, groups, group)
    }

    /// See [`body`](Self::body).
    fn looks(&self, f: &mut impl fmt::Write, groups: &Groups<'_>, group: &Group) -> fmt::Result {
        match group.looks {
            Looks::Print(print) => f.write_str(&groups.prints.texts[print]),
            Looks::NoTrace(reason) => self.no_trace(f, reason, &groups.first(group).status().state),
        }
    }
}

struct Full<'a> {
    settings: &'a DumpText,
    trees: TaskTrees<'a>,
    prints: Prints,
}

impl fmt::Display for Full<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dump = self.trees.dump();
        self.settings.summary(f, dump)?;
        for task in dump.tasks() {
            f.write_str("\n\n")?;
            self.settings.heading(f, task)?;
            f.write_char('\n')?;
            match task.trace().map(|trace| self.prints.of.get(trace)) {
                Ok(Some(&print)) => f.write_str(&self.prints.texts[print])?,
                Ok(None) => self.settings.no_trace(f, NoTrace::NotAsked, &task.status().state)?,
                Err(reason) => self.settings.no_trace(f, reason, &task.status().state)?,
            }
        }
        self.prints.footer(f, &self.settings.text)
    }
}

struct One<'a> {
    settings: &'a DumpText,
    trees: TaskTrees<'a>,
    task: &'a TaskRecord,
}

impl fmt::Display for One<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (settings, task) = (self.settings, self.task);
        settings.heading(f, task)?;
        f.write_char('\n')?;
        let state = &task.status().state;
        match (self.trees.tree_of(task), task.trace()) {
            (Some(tree), _) => {
                let prints = Prints::new(std::slice::from_ref(tree), &settings.text);
                prints.texts.iter().try_for_each(|print| f.write_str(print))?;
                prints.footer(f, &settings.text)
            }
            (None, Ok(_)) => settings.no_trace(f, NoTrace::NotAsked, state),
            (None, Err(reason)) => settings.no_trace(f, reason, state),
        }
    }
}
