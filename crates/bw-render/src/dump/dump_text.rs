//! A task dump as text.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::{self, Write as _};
use std::time::Duration;

use bw_core::{DumpSource, NoTrace, RawTaskDump, SpawnedAt, TaskRecord, TaskState};

use crate::dump::groups::{Group, Grouping, Groups};
use crate::dump::shown_trees::ShownTrees;
use crate::dump::task_trees::TaskTrees;
use crate::dump::times_in_state::TimesInState;
use crate::text::Text;
use crate::text::brief::Brief;
use crate::text::count::{Count, Plural};
use crate::text::elapsed::Elapsed;
use crate::text::escape::Shortened;
use crate::text::styled::{SpanStyle, StyledText, StyledWrite};
use crate::tree::Tree;
use bw_dump::rfc3339;

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
        Self { text: text.of_dump(), samples: 5 }
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
        Full { settings: self, shown: ShownTrees::new(trees.all_trees(), &self.text), trees }
    }

    /// Returns the first line of a dump for which no task was asked: what was read.
    #[must_use]
    pub fn origin(dump: &RawTaskDump) -> Option<Cow<'static, str>> {
        origin(dump)
    }

    /// Returns the lines that say how far the dump can be trusted: how many of the tasks are traced, and whether its deadline
    /// cut it short. Empty where there is nothing to say. For those who sum up in another way than
    /// [`grouped`](Self::grouped).
    #[must_use]
    pub fn warnings(&self, trees: TaskTrees<'_>) -> StyledText {
        let mut lines = StyledText::new();
        let _never_fails = warn(&mut lines, trees.dump());
        lines.remove_empty_first_line();
        lines
    }

    /// Returns what is printed of each task of a group below what is said of all: its tree, or why there is none. Allocates.
    #[must_use]
    pub fn body(&self, groups: &Groups<'_>, group: &Group) -> StyledText {
        let mut body = StyledText::new();
        let state = &groups.first(group).status().state;
        let _never_fails = self.write_body(&mut body, &groups.grouping, group, state);
        body
    }

    /// Returns where the tasks of a group wait, or why that is not known, for one line. Allocates.
    #[must_use]
    pub fn brief(&self, groups: &Groups<'_>, group: &Group) -> Brief {
        match groups.tree_of(group) {
            Ok(tree) => self.text.brief_of_filtered(tree),
            Err(reason) => {
                let state = &groups.first(group).status().state;
                Brief::reason(no_trace_reason(reason, state, group.times.late_polls.any()))
            }
        }
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
    pub(crate) fn summary(out: &mut impl StyledWrite, dump: &RawTaskDump) -> fmt::Result {
        if let Some(origin) = origin(dump) {
            writeln!(out, "{origin}")?;
        }
        Self::counts(out, dump)?;
        let taken_at = rfc3339::seconds(dump.taken_at());
        write!(out, "; taken at {taken_at} in {} ms", dump.took().as_millis())?;
        warn(out, dump)
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

    /// A name from the program, escaped and cut.
    pub(crate) fn short<'a>(&self, text: &'a str) -> Shortened<'a> {
        Shortened { text, most: NAME_BYTES, ellipsis: self.text.ellipsis() }
    }

    /// `spawned at src/main.rs:12:9` after `before`, or nothing where the place is not known.
    pub(crate) fn spawned_at(&self, f: &mut impl fmt::Write, before: &str, at: &SpawnedAt) -> fmt::Result {
        if !at.is_known() {
            return Ok(());
        }
        f.write_str(before)?;
        let file = self.short(self.text.path_of_task(at.file()));
        write!(f, "spawned at {file}:{}:{}", at.line(), at.column())
    }

    /// The state of so many tasks, and for how long: `suspended for 0.3 s to 2 h 5 min`. Of those that are being polled, on which
    /// thread, or if there are several, that each is on one of its own.
    pub(crate) fn state(
        &self,
        f: &mut impl fmt::Write,
        state: &TaskState,
        tasks: usize,
        times: TimesInState,
    ) -> fmt::Result {
        if state.is_over() {
            f.write_str(words(state))?;
            let Some(before) = times.span() else { return Ok(()) };
            return f.write_str(&times.late_polls.ended(before));
        }
        self.time_in_state(f, words(state), times)?;
        match state {
            TaskState::Polling(_) if tasks > 1 => write!(f, " on {} threads", Count(tasks)),
            TaskState::Polling(thread) => {
                write!(f, " on {}", self.short(&thread.to_string()))
            }
            _ => Ok(()),
        }
    }

    /// `suspended for 0.3 s to 2 h 5 min`.
    pub(crate) fn time_in_state(
        &self,
        f: &mut impl fmt::Write,
        state: &str,
        times: TimesInState,
    ) -> fmt::Result {
        f.write_str(state)?;
        match times.span() {
            Some(span) => write!(f, " {}", times.late_polls.suspended(span)),
            None => Ok(()),
        }
    }

    /// All about one task of a dump that took so long, but its tree.
    pub(crate) fn heading(&self, f: &mut impl StyledWrite, task: &TaskRecord, took: Duration) -> fmt::Result {
        let status = task.status();
        f.styled(SpanStyle::Heading, format_args!("task {}", self.title(task.id(), task.name())))?;
        f.write_str(": ")?;
        self.state(f, &status.state, 1, TimesInState::of(status, took))?;
        // Nothing outside of a process counts the polls of a task that nothing was wrapped around.
        if status.polls > 0 || task.spawned_at().is_known() {
            write!(f, ", {}", Polls(status.polls))?;
        }
        if let Some(age) = status.age {
            write!(f, ", {} old", Elapsed(age))?;
        }
        self.spawned_at(f, ", ", task.spawned_at())?;
        match task.parent() {
            Some(parent) => write!(f, ", child of {parent}"),
            None => Ok(()),
        }
    }
}

/// Writes why a task has no trace.
pub(crate) fn no_trace(
    out: &mut impl StyledWrite,
    reason: NoTrace,
    state: &TaskState,
    polled_late: bool,
) -> fmt::Result {
    let before = if reason == NoTrace::Over { "" } else { "no trace: " };
    out.styled(SpanStyle::Note, format_args!("({before}{})", no_trace_reason(reason, state, polled_late)))
}

/// Writes why the traces of tasks may lack something, each reason once.
fn incomplete<'a>(
    out: &mut impl StyledWrite,
    tasks: impl IntoIterator<Item = &'a TaskRecord>,
) -> fmt::Result {
    let mut known = HashSet::new();
    for reason in tasks.into_iter().filter_map(TaskRecord::incomplete).filter(|reason| known.insert(*reason))
    {
        out.write_char('\n')?;
        let reason = Shortened { text: reason, most: NAME_BYTES, ellipsis: "…" };
        out.styled(SpanStyle::Note, format_args!("(incomplete: {reason})"))?;
    }
    Ok(())
}

/// Why a task has no trace, which may depend on what it is doing, and on whether a request polled it late.
fn no_trace_reason(reason: NoTrace, state: &TaskState, polled_late: bool) -> String {
    match (reason, state) {
        (NoTrace::Over, _) if polled_late => "woken at that moment, or its wake had been lost".to_owned(),
        (NoTrace::NotPolled, TaskState::Polling(_)) => {
            "this poll has not returned, so the task blocks or computes on that \
            thread; a debugger shows where"
                .to_owned()
        }
        (NoTrace::NotPolled, TaskState::Woken) => {
            "a dump woke it, and its executor has not polled it since; is every thread \
            of it blocked, or does it not run?"
                .to_owned()
        }
        // Such a task is not stuck, and nothing is missing.
        (NoTrace::Over, TaskState::Finished) => {
            "finished while the dump was taken, so it waits for nothing any more".to_owned()
        }
        (NoTrace::Over, TaskState::Panicked) => "panicked while the dump was taken".to_owned(),
        (NoTrace::Over, TaskState::Dropped) => "dropped while the dump was taken".to_owned(),
        _ => reason.to_string(),
    }
}

/// See [`DumpText::warnings`]; each after a line feed.
fn warn(out: &mut impl StyledWrite, dump: &RawTaskDump) -> fmt::Result {
    if dump.source().is_memory() {
        for note in dump.notes() {
            out.write_char('\n')?;
            out.styled(
                SpanStyle::Note,
                format_args!("{}", Shortened { text: note, most: 2 * NAME_BYTES, ellipsis: "…" }),
            )?;
        }
        return Ok(());
    }
    coverage(out, dump)?;
    if dump.is_partial() {
        let silent = dump.tasks().iter().filter(|task| task.trace().is_err_and(NoTrace::is_for_want_of_time));
        let silent = Plural(silent.count(), "task");
        out.write_str("\n")?;
        out.styled(SpanStyle::Note, format_args!("partial: the deadline passed before {silent} answered"))?;
    }
    Ok(())
}

/// How many of all tasks are traced, in a line of its own; loud if it is none.
fn coverage(out: &mut impl StyledWrite, dump: &RawTaskDump) -> fmt::Result {
    // A future that another task polls is no task that a runtime counts; one that was never polled may never be.
    let traced = dump.registered().saturating_sub(dump.nested() + dump.unpolled());
    match (traced, dump.alive()) {
        (0, alive) if dump.registered() == 0 || alive.is_some_and(|alive| alive > 0) => {
            let of = alive.map(|alive| format!(" of {} alive", Plural(alive, "task"))).unwrap_or_default();
            out.write_str("\n")?;
            out.styled(SpanStyle::Note, format_args!("NO TASK IS TRACED{of}: {WRAP_TASKS}"))?;
        }
        (_, None) => return Ok(()),
        (traced, Some(alive)) if traced > alive => {
            write!(out, "\ntraced {}; the runtime has {} alive", Plural(traced, "task"), Count(alive))?;
            out.write_str(", so some are not its own")?;
        }
        (traced, Some(alive)) => {
            write!(out, "\ntraced {} of {} alive", Count(traced), Plural(alive, "task"))?;
        }
    }
    let mut separator = "; not counted: ";
    for (count, what) in [(dump.nested(), "polled by other traced tasks"), (dump.unpolled(), "never polled")]
    {
        if count > 0 {
            write!(out, "{separator}{} {what}", Count(count))?;
            separator = ", ";
        }
    }
    Ok(())
}

/// Returns the first line of a dump for which no task was asked: what was read.
pub(crate) fn origin(dump: &RawTaskDump) -> Option<Cow<'static, str>> {
    match (dump.source(), dump.pause()) {
        (DumpSource::Memory, None) => Some("read from memory; no thread was stopped".into()),
        (DumpSource::Memory, Some(pause)) => {
            let pause = pause.as_secs_f64() * 1e3;
            Some(format!("read from memory; its threads were stopped for {pause:.1} ms").into())
        }
        (DumpSource::CoreFile, _) => Some("read from a core file".into()),
        _ => None,
    }
}

/// What to do where no task is traced.
pub(crate) const WRAP_TASKS: &str = "wrap what you spawn in traced(…), or spawn it with .traced()";

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
        let (settings, groups) = (self.settings, &self.groups);
        let out = &mut settings.text.painter(f);
        DumpText::summary(out, groups.trees.dump())?;
        settings.paragraphs(
            out,
            &groups.grouping,
            |out, group| {
                let first = groups.first(group);
                out.write_char(' ')?;
                settings.state(out, &first.status().state, group.len(), group.times)?;
                out.write_str(": ")?;
                settings.samples_of(out, groups.tasks(group))?;
                settings.spawned_at(out, "\n", first.spawned_at())?;
                let others =
                    groups.tasks(group).filter(|task| task.spawned_at() != first.spawned_at()).count();
                if others > 0 {
                    write!(out, ", and {} elsewhere", Count(others))?;
                }
                Ok(&first.status().state)
            },
            |out, group| incomplete(out, groups.tasks(group)),
        )
    }
}

impl DumpText {
    /// A paragraph for each group: how many tasks it has, what `heading` says of them, and where they wait. `heading` returns
    /// what they do. Below all of them, what is not shown.
    pub(crate) fn paragraphs<'a, W: StyledWrite>(
        &self,
        out: &mut W,
        grouping: &Grouping,
        mut heading: impl FnMut(&mut W, &Group) -> Result<&'a TaskState, fmt::Error>,
        mut below: impl FnMut(&mut W, &Group) -> fmt::Result,
    ) -> fmt::Result {
        for group in &grouping.groups {
            out.write_str("\n\n")?;
            out.styled(SpanStyle::Heading, format_args!("{}", Plural(group.len(), "task")))?;
            let state = heading(out, group)?;
            out.write_char('\n')?;
            self.write_body(out, grouping, group, state)?;
            below(out, group)?;
        }
        grouping.shown.footer(out)
    }

    /// See [`body`](Self::body).
    pub(crate) fn write_body(
        &self,
        out: &mut impl StyledWrite,
        grouping: &Grouping,
        group: &Group,
        state: &TaskState,
    ) -> fmt::Result {
        match grouping.tree_of(group) {
            Ok(tree) if group.has_traced_children => {
                self.text.with_traced_children(true).write_filtered(out, tree)
            }
            Ok(tree) => self.text.write_filtered(out, tree),
            Err(reason) => no_trace(out, reason, state, group.times.late_polls.any()),
        }
    }
}

struct Full<'a> {
    settings: &'a DumpText,
    trees: TaskTrees<'a>,
    shown: ShownTrees,
}

impl fmt::Display for Full<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (settings, dump) = (self.settings, self.trees.dump());
        let parents = self.trees.parents();
        let numbers = dump.tasks().iter().filter(|task| parents.contains(&task.id()));
        let of_parents: HashSet<_> =
            numbers.filter_map(|task| self.shown.number(task.trace()).ok()).collect();
        // Each distinct tree is rendered once.
        let distinct = self.shown.distinct.iter().enumerate();
        let texts: Vec<_> =
            distinct.map(|(number, tree)| settings.painted(tree, of_parents.contains(&number))).collect();
        let out = &mut settings.text.painter(f);
        DumpText::summary(out, dump)?;
        for task in dump.tasks() {
            out.write_str("\n\n")?;
            settings.heading(out, task, dump.took())?;
            out.write_char('\n')?;
            match self.shown.number(task.trace()) {
                Ok(number) => out.write_str(&texts[number])?,
                Err(reason) => {
                    let status = task.status();
                    no_trace(out, reason, &status.state, status.polled_late().is_some())?;
                }
            }
            incomplete(out, [task])?;
        }
        self.shown.footer(out)
    }
}

impl DumpText {
    /// What is printed of a tree that is filtered, with colors.
    fn painted(&self, tree: &Tree, has_traced_children: bool) -> String {
        let mut text = String::new();
        let settings = self.text.with_traced_children(has_traced_children);
        let _never_fails = settings.write_filtered(&mut self.text.painter(&mut text), tree);
        text
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
        let out = &mut settings.text.painter(f);
        settings.heading(out, task, self.trees.dump().took())?;
        out.write_char('\n')?;
        match (self.trees.tree_of(task), task.trace()) {
            (Some(tree), _) => {
                let shown = ShownTrees::new(std::slice::from_ref(tree), &settings.text);
                let is_parent = self.trees.parents().contains(&task.id());
                let text = settings.text.with_traced_children(is_parent);
                shown.distinct.iter().try_for_each(|tree| text.write_filtered(out, tree))?;
                incomplete(out, [task])?;
                shown.footer(out)
            }
            (None, trace) => {
                let (reason, status) = (trace.err().unwrap_or(NoTrace::NotAsked), task.status());
                no_trace(out, reason, &status.state, status.polled_late().is_some())
            }
        }
    }
}
