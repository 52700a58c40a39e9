//! What changed between two dumps, as text.

use std::fmt;

use bw_core::TaskState;

use super::{Difference, Grown};
use crate::text::count::{Count, Plural};
use crate::text::elapsed::Elapsed;
use crate::text::styled::{SpanStyle, StyledWrite};

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} later", Elapsed(self.between()))?;
        for (tasks, what) in [(&self.new, "new"), (&self.gone, "gone")] {
            write!(f, "\n{} {what}", Plural(tasks.len(), "task"))?;
            if !tasks.is_empty() {
                f.write_str(": ")?;
                self.settings.samples_of(f, tasks.iter())?;
            }
        }
        self.fmt_unpolled(f)?;
        for group in &self.grown {
            f.write_str("\n\n")?;
            self.fmt_grown(&mut self.settings.text().painter(f), group)?;
        }
        Ok(())
    }
}

/// States of tasks that were not polled, of which no more are printed.
const MOST_UNPOLLED: usize = 10;

impl Difference {
    /// Idle tasks are in a line together: there may be thousands, and nothing is wrong with them. The others have one each.
    fn fmt_unpolled(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.uncounted > 0 {
            let tasks = Plural(self.uncounted, "task");
            write!(f, "\n{tasks} of which memory does not show whether they were polled in between")?;
            if self.unpolled.is_empty() {
                return Ok(());
            }
        }
        write!(f, "\n{} not polled in between", Plural(self.unpolled.len(), "task"))?;
        let states = self.unpolled_by_state();
        for (at, of_state) in states.iter().enumerate() {
            let is_idle = matches!(of_state.state(), TaskState::Suspended);
            if at >= MOST_UNPOLLED && !is_idle {
                continue;
            }
            f.write_str(if at == 0 && is_idle { ": " } else { "\n  " })?;
            write!(f, "{} ", Count(of_state.tasks.len()))?;
            self.settings.state(f, of_state.state(), of_state.tasks.len(), of_state.times())?;
            if !is_idle {
                f.write_str(": ")?;
                self.settings.samples_of(f, of_state.tasks.iter().copied())?;
            }
        }
        let others = states.iter().skip(MOST_UNPOLLED);
        match others.filter(|it| !matches!(it.state(), TaskState::Suspended)).count() {
            0 => Ok(()),
            others => write!(f, "\n  {} {} more", self.settings.text().ellipsis(), Count(others)),
        }
    }

    fn fmt_grown(&self, f: &mut impl StyledWrite, group: &Grown) -> fmt::Result {
        let (before, after) = (Count(group.before), Plural(group.after, "task"));
        f.styled(SpanStyle::Heading, format_args!("from {before} to {after}"))?;
        f.write_str(", ")?;
        self.settings.state(f, &group.state, group.after, group.times)?;
        f.write_str("; new there: ")?;
        self.settings.samples_of(f, group.joined.iter())?;
        f.write_str("\n")?;
        if let Some(first) = group.spawned_at.first() {
            self.settings.spawned_at(f, "", first)?;
        }
        if group.elsewhere > 0 {
            write!(f, ", and {} elsewhere", Count(group.elsewhere))?;
        }
        f.write_char('\n')?;
        f.text(&group.body)
    }
}
