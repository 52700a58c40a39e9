//! All tasks at once, in every format.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "pprof")]
use backtrace_waker::TaskTrees;
use backtrace_waker::{Detail, DumpText, RawDumpFile, TaskDump, TaskFilter, Text};
use bw_dump::contract::endpoints as contract;
#[cfg(feature = "pprof")]
use bw_render::Pprof;
use bw_render::{Html, Json, Paths};

use super::Surface;
use super::answer::{Answer, Capped, HTML, JSON, Refusal, TEXT};
use super::query::{PATHS, Query};
use super::tasks_endpoint::least_bytes;

const PARAMETERS: [&str; 8] = [
    contract::DEBUG,
    contract::FORMAT,
    contract::TIMEOUT_MS,
    contract::FILTER,
    contract::PATHS,
    contract::DETAIL,
    contract::SYMBOLS,
    contract::PROFILED_TASKS,
];

/// What a dump is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Grouped,
    Every,
    Json,
    Folded,
    Pprof,
    Raw,
    Html,
}

/// The values of `format`. `debug` chooses between the texts.
const FORMATS: [(&str, Format); 6] = [
    (contract::TEXT, Format::Grouped),
    (contract::JSON, Format::Json),
    (contract::FOLDED, Format::Folded),
    (contract::PPROF, Format::Pprof),
    (contract::RAW, Format::Raw),
    (contract::HTML, Format::Html),
];

const DEBUG: [(&str, Format); 3] = [("0", Format::Pprof), ("1", Format::Grouped), ("2", Format::Every)];

/// What a request asks for.
#[derive(Debug)]
struct DumpRequest {
    format: Format,
    filter: TaskFilter,
    timeout: Duration,
    how: How,
}

/// How it is written.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "pprof"), allow(dead_code, reason = "some of it is of profiles only"))]
struct How {
    detail: Detail,
    whole_paths: bool,
    /// Of a profile.
    symbols: bool,
    /// Of a profile.
    each_task: bool,
}

impl DumpRequest {
    fn parse(query: Option<&str>, surface: &Surface) -> Result<Self, Refusal> {
        let query = Query::new(query, &PARAMETERS)?;
        let format =
            format(query.choice(contract::FORMAT, &FORMATS)?, query.choice(contract::DEBUG, &DEBUG)?)?;
        let is_text = matches!(format, Format::Grouped | Format::Every);
        let [is_profile, is_folded, is_json] =
            [Format::Pprof, Format::Folded, Format::Json].map(|known| format == known);
        let detail = query.choice(
            contract::DETAIL,
            &[
                (contract::USER, Detail::User),
                (contract::LIBRARY, Detail::Library),
                (contract::FULL, Detail::Full),
            ],
        )?;
        let whole_paths = query.choice(contract::PATHS, &PATHS)?;
        let symbols = query.choice(contract::SYMBOLS, &[(contract::YES, true), (contract::NO, false)])?;
        let each_task =
            query.choice(contract::PROFILED_TASKS, &[(contract::EACH, true), (contract::ALIKE, false)])?;
        for (is_given, applies, name, to) in [
            (
                detail.is_some(),
                is_text || is_profile || is_folded,
                contract::DETAIL,
                "text, folded and pprof",
            ),
            (
                whole_paths.is_some(),
                is_text || is_profile || is_json,
                contract::PATHS,
                "text, json and pprof",
            ),
            (symbols.is_some(), is_profile, contract::SYMBOLS, "pprof"),
            (each_task.is_some(), is_profile, contract::PROFILED_TASKS, "pprof"),
        ] {
            if is_given && !applies {
                return Err(Refusal::bad_request(format!("{name} is for the formats {to}; leave it out")));
            }
        }
        if is_profile && !cfg!(feature = "pprof") {
            return Err(no_profiles());
        }
        let how = How {
            detail: detail.unwrap_or_default(),
            whole_paths: whole_paths.unwrap_or(false),
            symbols: symbols.unwrap_or(true),
            each_task: each_task.unwrap_or(true),
        };
        Ok(Self { format, filter: query.filter()?, timeout: query.timeout(surface.timeout)?, how })
    }
}

fn format(format: Option<Format>, debug: Option<Format>) -> Result<Format, Refusal> {
    match (format, debug) {
        (None, None) => Ok(Format::Grouped),
        (Some(format), None) | (None, Some(format)) => Ok(format),
        (Some(Format::Grouped), Some(text @ (Format::Grouped | Format::Every))) => Ok(text),
        (Some(Format::Pprof), Some(Format::Pprof)) => Ok(Format::Pprof),
        (Some(_), Some(_)) => Err(Refusal::bad_request(
            "format and debug contradict each other: debug=0 is format=pprof, debug=1 and debug=2 are for format=text; give one \
             of them",
        )),
    }
}

fn no_profiles() -> Refusal {
    Refusal::bad_request(
        "format=pprof is not built in: build the program with the feature pprof of bw-agent, or ask for format=raw, of which the \
         command `backtrace-waker` makes a profile",
    )
}

pub(crate) async fn dump(surface: &Arc<Surface>, query: Option<&str>) -> Result<Answer, Refusal> {
    let DumpRequest { format, filter, timeout, how } = DumpRequest::parse(query, surface)?;
    let cap = surface.size_cap;
    let made = surface.dump_in_turn(filter, timeout, move |dump| {
        Ok((dump.raw().is_partial(), write(&dump, format, how, cap)?))
    });
    let (turn, (is_partial, bytes)) = made.await?;
    let content_type = match format {
        Format::Grouped | Format::Every | Format::Folded => TEXT,
        Format::Json => JSON,
        Format::Html => HTML,
        Format::Raw => "application/gzip",
        // As Go's.
        Format::Pprof => "application/octet-stream",
    };
    let answer = surface.answer(content_type, bytes, is_partial, timeout).await;
    drop(turn);
    answer
}

fn write(dump: &TaskDump, format: Format, how: How, cap: usize) -> Result<Vec<u8>, Refusal> {
    let mut out = Capped::new(cap);
    let text = || text(how.detail, how.whole_paths);
    match format {
        Format::Grouped => {
            let written = writeln!(out, "{}", DumpText::new(text()).grouped(dump.trees()));
            out.finish(written)
        }
        Format::Every => {
            let written = writeln!(out, "{}", DumpText::new(text()).full(dump.trees()));
            out.finish(written)
        }
        Format::Folded => {
            let written = writeln!(out, "{}", dump.trees().folded(how.detail));
            out.finish(written)
        }
        Format::Json => {
            let least = dump.raw().tasks().iter().map(least_bytes).sum();
            whole(least, cap, || json(dump, how.whole_paths))
        }
        Format::Raw => {
            let written = RawDumpFile::of_this_process(dump.raw()).write_gzip(&mut out);
            out.finish(written)
        }
        #[cfg(feature = "pprof")]
        Format::Pprof => Ok(pprof(dump, how)),
        #[cfg(not(feature = "pprof"))]
        Format::Pprof => Err(no_profiles()),
        Format::Html => {
            let least = dump.raw().tasks().iter().map(|task| task.name().map_or(0, str::len)).sum();
            whole(least, cap, || html(dump))
        }
    }
}

/// The JSON of a dump, with source paths as `paths` wants them.
pub(crate) fn json(dump: &TaskDump, whole_paths: bool) -> String {
    Json::new().paths(paths(whole_paths)).render(dump.trees()) + "\n"
}

#[cfg(feature = "pprof")]
fn pprof(dump: &TaskDump, how: How) -> Vec<u8> {
    let file = RawDumpFile::of_this_process(dump.raw());
    let profile = Pprof::new(file.process(), file.modules())
        .symbols(how.symbols)
        .each_task(how.each_task)
        .detail(how.detail)
        .paths(paths(how.whole_paths));
    // Without names nothing need be symbolized.
    let trees = if how.symbols { dump.trees() } else { TaskTrees::new(dump.raw(), &[]) };
    trees.to_pprof(&profile)
}

fn html(dump: &TaskDump) -> String {
    let process = std::env::current_exe().ok();
    let name = process.as_ref().and_then(|path| path.file_name()).unwrap_or_default().to_string_lossy();
    let page = Html::new().subject(format!("{name}, pid {}", std::process::id()));
    page.paths(paths(false)).render(dump.trees())
}

/// What is made as a whole: what is too large in any case is not begun. What is not, takes a few times the bound for a moment at
/// most.
pub(crate) fn whole(least: usize, cap: usize, made: impl FnOnce() -> String) -> Result<Vec<u8>, Refusal> {
    if least > cap { Err(Refusal::too_large(cap)) } else { Ok(made().into_bytes()) }
}

/// Full paths, or short ones relative to the working directory.
fn paths(whole: bool) -> Paths {
    if whole {
        return Paths::full();
    }
    let folder = std::env::current_dir().ok().and_then(|folder| folder.into_os_string().into_string().ok());
    folder.map_or_else(Paths::short, |folder| Paths::short().relative_to(folder))
}

/// What a [`TaskDump`] prints with, unless told otherwise.
pub(crate) fn text(detail: Detail, whole_paths: bool) -> Text {
    Text::new().detail(detail).paths(paths(whole_paths))
}
