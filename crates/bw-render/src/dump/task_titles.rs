//! What tasks are called: their ids and names.

use std::fmt;

use bw_core::{TaskId, TaskRecord};

use super::dump_text::DumpText;
use crate::text::escape::Shortened;

impl DumpText {
    /// The first of these tasks, as [`named_ids`](Self::named_ids) prints them.
    pub(crate) fn samples_of<'a>(
        &self,
        out: &mut impl fmt::Write,
        mut tasks: impl ExactSizeIterator<Item = &'a TaskRecord>,
    ) -> fmt::Result {
        let more = tasks.len().saturating_sub(self.most_samples());
        self.named_ids(out, tasks.by_ref().take(self.most_samples()).map(|task| (task.id(), task.name())))?;
        if more > 0 && self.most_samples() > 0 {
            write!(out, ", {}", self.text().ellipsis())?;
        }
        Ok(())
    }

    /// `17 "connection", 18`; of tasks of one name `"connection" (17, 18)`.
    pub(crate) fn named_ids<'a>(
        &self,
        out: &mut impl fmt::Write,
        tasks: impl Iterator<Item = (TaskId, Option<&'a str>)>,
    ) -> fmt::Result {
        // By the name, each with its tasks, in the order of the first of them.
        let mut names: Vec<(Option<&str>, Vec<TaskId>)> = Vec::new();
        for (id, name) in tasks {
            match names.iter_mut().find(|(known, _)| name.is_some() && *known == name) {
                Some((_, ids)) => ids.push(id),
                None => names.push((name, vec![id])),
            }
        }
        for (at, (name, ids)) in names.iter().enumerate() {
            out.write_str(if at == 0 { "" } else { ", " })?;
            match (name, &**ids) {
                (Some(name), [first, others @ ..]) if !others.is_empty() => {
                    write!(out, "\"{}\" ({first}", self.short(name))?;
                    others.iter().try_for_each(|id| write!(out, ", {id}"))?;
                    out.write_char(')')?;
                }
                (_, ids) => ids.iter().try_for_each(|id| write!(out, "{}", self.title(*id, *name)))?,
            }
        }
        Ok(())
    }

    /// `17 "connection"`.
    pub(super) fn title<'a>(&self, id: TaskId, name: Option<&'a str>) -> TaskTitle<'a> {
        TaskTitle { id, name: name.map(|name| self.short(name)) }
    }
}

/// `17 "connection"`.
pub(super) struct TaskTitle<'a> {
    id: TaskId,
    name: Option<Shortened<'a>>,
}

impl fmt::Display for TaskTitle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{} \"{name}\"", self.id),
            None => write!(f, "{}", self.id),
        }
    }
}
