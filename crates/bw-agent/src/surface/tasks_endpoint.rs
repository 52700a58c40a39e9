//! The tasks as they are, and one of them.

use std::fmt::Write as _;
use std::sync::Arc;

use backtrace_waker::{Detail, DumpText, RawTaskDump, Registry, TaskFilter, TaskId, TaskRecord};
use bw_dump::contract::endpoints as contract;
use hyper::StatusCode;

use super::Surface;
use super::answer::{Answer, Capped, JSON, Refusal, TEXT, repeated, work};
use super::dump_endpoint::{json, text, whole};
use super::query::{PATHS, Query};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Text,
    Json,
}

const FORMATS: [(&str, Format); 2] = [(contract::TEXT, Format::Text), (contract::JSON, Format::Json)];

impl Format {
    fn content_type(self) -> &'static str {
        match self {
            Self::Text => TEXT,
            Self::Json => JSON,
        }
    }
}

/// Every task, and what it is doing. Asks none of them.
pub(crate) async fn tasks(surface: &Arc<Surface>, query: Option<&str>) -> Result<Answer, Refusal> {
    let query = Query::new(query, &[contract::FORMAT, contract::FILTER, contract::PATHS])?;
    let format = query.choice(contract::FORMAT, &FORMATS)?.unwrap_or(Format::Text);
    let text = DumpText::new(text(Detail::User, query.choice(contract::PATHS, &PATHS)?.unwrap_or(false)));
    let filter = query.filter()?;
    let patience = surface.timeout;
    // Of many tasks the list is as large as a dump.
    let turn = surface.list_turn(patience).await?;
    let (cap, alive) = (surface.size_cap, surface.alive());
    let made = work(move || {
        let list = list(&filter, alive);
        let mut out = Capped::new(cap);
        let bytes = match format {
            Format::Text => {
                let written = writeln!(out, "{}", text.list(&list));
                out.finish(written)?
            }
            Format::Json => {
                let least = list.tasks().iter().map(least_bytes).sum();
                whole(least, cap, || text.list_json(&list) + "\n")?
            }
        };
        Ok((turn, bytes))
    });
    let (turn, bytes) = made.await?;
    let answer = surface.answer(format.content_type(), bytes, false, patience).await;
    drop(turn);
    answer
}

/// The tasks of the global registry, as a dump in which nobody was asked.
fn list(filter: &TaskFilter, alive: Option<usize>) -> RawTaskDump {
    let list = bw_core::Registry::global().look(filter);
    match alive {
        Some(alive) => list.with_alive(alive),
        None => list,
    }
}

/// What a task takes in JSON at least: names of fields, and what it calls itself.
pub(crate) fn least_bytes(task: &TaskRecord) -> usize {
    const FIELDS: usize = 200;
    FIELDS + task.name().map_or(0, str::len)
}

/// One task and where it waits.
pub(crate) async fn task(surface: &Arc<Surface>, id: &str, query: Option<&str>) -> Result<Answer, Refusal> {
    let query = Query::new(query, &[contract::FORMAT, contract::TIMEOUT_MS, contract::PATHS])?;
    let format = query.choice(contract::FORMAT, &FORMATS)?.unwrap_or(Format::Text);
    let whole_paths = query.choice(contract::PATHS, &PATHS)?.unwrap_or(false);
    let timeout = query.timeout(surface.timeout)?;
    let id = number(id).ok_or_else(|| {
        Refusal::bad_request(format!(
            "{} is no id of a task, which is a number; /debug/async/tasks lists them",
            repeated(id)
        ))
    })?;
    let is_gone = move || {
        Refusal::new(
            StatusCode::NOT_FOUND,
            format!("there is no task {id}, or not any more; /debug/async/tasks lists them"),
        )
    };
    let task = TaskId::from_u64(id).filter(|&id| Registry::global().get(id).is_some()).ok_or_else(is_gone)?;

    let cap = surface.size_cap;
    let made = surface.dump_in_turn(TaskFilter::new().id(task), timeout, move |dump| {
        let Some(task) = dump.raw().tasks().first() else { return Err(is_gone()) };
        let bytes = match format {
            Format::Json => json(&dump, whole_paths).into_bytes(),
            Format::Text => {
                let mut out = Capped::new(cap);
                let text = DumpText::new(text(Detail::User, whole_paths));
                let written = writeln!(out, "{}", text.task(dump.trees(), task));
                out.finish(written)?
            }
        };
        Ok((dump.raw().is_partial(), bytes))
    });
    let (turn, (is_partial, bytes)) = made.await?;
    let answer = surface.answer(format.content_type(), bytes, is_partial, timeout).await;
    drop(turn);
    answer
}

/// Digits alone: no sign, as `parse` would take it.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}
