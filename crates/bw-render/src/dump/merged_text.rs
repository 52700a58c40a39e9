//! Dumps of many processes as text.

use std::collections::BTreeMap;
use std::fmt;

use bw_dump::MergedProgram;

use crate::dump::dump_text::{DumpText, WRAP_TASKS, words};
use crate::dump::groups::{Group, Grouping};
use crate::dump::merged_trees::MergedTrees;
use crate::text::count::{Count, Plural};
use crate::text::styled::{SpanStyle, StyledWrite};
use bw_dump::rfc3339;

impl DumpText {
    /// Tasks of many processes that look alike once, with how many they are, in how many processes, for how long, and a few
    /// of them; after lines that sum up. Groups when it is made, which allocates; printing does not. Groups are those of
    /// [`Groups`](crate::Groups), but tasks of different builds are told apart unless [told otherwise](MergedTrees::across_builds),
    /// and the oldest group comes first, then the largest.
    #[must_use]
    pub fn merged<'a>(&'a self, trees: MergedTrees<'a>) -> impl fmt::Display + 'a {
        Merged { settings: self, trees, grouping: trees.groups(self.text()) }
    }

    /// `shop, build c1d0ffee`.
    fn program(&self, f: &mut impl fmt::Write, program: &MergedProgram) -> fmt::Result {
        let name = program.path().file_name().unwrap_or_default().to_string_lossy();
        let name = if name.is_empty() { "a program of unknown name".into() } else { name };
        write!(f, "{}", self.short(&name))?;
        match program.build_id() {
            Some(build_id) => write!(f, ", build {build_id}"),
            None => f.write_str(", no build id"),
        }
    }
}

struct Merged<'a> {
    settings: &'a DumpText,
    trees: MergedTrees<'a>,
    grouping: Grouping,
}

impl fmt::Display for Merged<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let out = &mut self.settings.text().painter(f);
        self.summary(out)?;
        self.settings.paragraphs(
            out,
            &self.grouping,
            |out, group| {
                self.heading(out, group)?;
                Ok(self.trees.state(group))
            },
            |_, _| Ok(()),
        )
    }
}

impl Merged<'_> {
    fn summary(&self, f: &mut impl StyledWrite) -> fmt::Result {
        let dump = self.trees.dump();
        write!(f, "{}, {}", Plural(dump.dumps(), "dump"), Plural(dump.tasks(), "task"))?;
        // By what a state is called; most tasks first.
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for group in dump.groups() {
            *counts.entry(words(group.state())).or_default() += group.tasks();
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        for (at, (state, count)) in counts.iter().enumerate() {
            write!(f, "{} {} {state}", if at == 0 { ":" } else { "," }, Count(*count))?;
        }
        if let Some((first, last)) = dump.taken() {
            let (first, last) = (rfc3339::seconds(first), rfc3339::seconds(last));
            write!(f, "; taken at {first}")?;
            if first != last {
                write!(f, " to {last}")?;
            }
        }
        if let Some((traced, alive, dumps)) = dump.coverage() {
            write!(f, "\ntraced {} of {} alive", Count(traced), Plural(alive, "task"))?;
            if dumps < dump.dumps() {
                write!(f, ", in the {} of {} that tell", Count(dumps), Plural(dump.dumps(), "dump"))?;
            }
        }
        for program in dump.programs() {
            write!(f, "\n{} of ", Plural(program.dumps(), "dump"))?;
            self.settings.program(f, program)?;
        }
        if dump.tasks() == 0 && dump.dumps() > 0 {
            f.write_str("\n")?;
            f.styled(SpanStyle::Note, format_args!("NO TASK IS TRACED: {WRAP_TASKS}"))?;
        }
        if dump.partial() > 0 {
            let partial = Plural(dump.partial(), "dump");
            f.write_str("\n")?;
            f.styled(
                SpanStyle::Note,
                format_args!("partial: in {partial} the deadline passed before all tasks answered"),
            )?;
        }
        if dump.guessed() > 0 {
            let guessed = Plural(dump.guessed(), "dump");
            f.write_str("\n")?;
            f.styled(
                SpanStyle::Note,
                format_args!(
                    "{guessed} of programs without a build id: those of one path and size are taken for one build"
                ),
            )?;
        }
        Ok(())
    }

    /// All about a group but how many tasks it has, and where they wait.
    fn heading(&self, out: &mut impl StyledWrite, group: &Group) -> fmt::Result {
        let (settings, trees) = (self.settings, self.trees);
        let processes = trees.processes(group);
        let noun = if processes == 1 { "process" } else { "processes" };
        write!(out, " in {} {noun} ", Count(processes))?;
        let (state, late) = (trees.state(group), trees.polled_late(group));
        if state.is_over() {
            out.write_str(words(state))?;
            if let Some(times) = group.times.span().filter(|_| late > 0) {
                write!(out, " when requests polled them, {times} after their last polls")?;
            }
        } else {
            settings.time_in_state(out, words(state), group.times)?;
            if late > 0 {
                let them = if late == 1 { "it" } else { "them" };
                write!(out, ", {} of them until a request polled {them}", Count(late))?;
            }
        }
        let samples = trees.samples(group, settings.most_samples());
        for (at, of_dump) in samples.chunk_by(|task, next| task.dump() == next.dump()).enumerate() {
            out.write_str(if at == 0 { ": " } else { ", " })?;
            settings.named_ids(out, of_dump.iter().map(|task| (task.id(), task.name())))?;
            if let Some(first) = of_dump.first() {
                write!(out, " of {} (process {})", settings.short(first.dump()), first.pid())?;
            }
        }
        if group.len() > samples.len() && !samples.is_empty() {
            write!(out, ", {}", settings.text().ellipsis())?;
        }
        let programs = trees.dump().programs();
        if programs.len() > 1 {
            for (at, program) in trees.programs(group).into_iter().enumerate() {
                out.write_str(if at == 0 { "\nin " } else { "; " })?;
                settings.program(out, &programs[program])?;
            }
        }
        let (places, others) = trees.spawned_at(group, 1);
        if let Some(at) = places.first() {
            out.write_char('\n')?;
            settings.spawned_at(out, "", at)?;
            out.write_str(if others { ", and elsewhere" } else { "" })?;
        }
        Ok(())
    }
}
