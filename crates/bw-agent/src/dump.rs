//! All tasks at once, in every format.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use backtrace_waker::{Detail, DumpText, RawDumpFile, TaskDump, TaskFilter, Text};

use crate::answer::{Answer, Capped, JSON, Refusal, TEXT, work};
use crate::query::Query;
use crate::surface::Surface;

const PARAMETERS: [&str; 7] = ["debug", "format", "timeout_ms", "filter", "paths", "detail", "symbols"];

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
    ("text", Format::Grouped),
    ("json", Format::Json),
    ("folded", Format::Folded),
    ("pprof", Format::Pprof),
    ("raw", Format::Raw),
    ("html", Format::Html),
];

const DEBUG: [(&str, Format); 3] = [("0", Format::Pprof), ("1", Format::Grouped), ("2", Format::Every)];

/// What was asked for.
#[derive(Debug)]
struct Wanted {
    format: Format,
    filter: TaskFilter,
    deadline: Duration,
    how: How,
}

/// How it is written.
#[derive(Clone, Copy, Debug)]
struct How {
    detail: Detail,
    whole_paths: bool,
    /// Of a profile.
    symbols: bool,
}

impl Wanted {
    fn of(uri: &Uri, surface: &Surface) -> Result<Self, Refusal> {
        let query = Query::new(uri.query(), &PARAMETERS)?;
        let format = format(query.choice("format", &FORMATS)?, query.choice("debug", &DEBUG)?)?;
        let is_text = matches!(format, Format::Grouped | Format::Every);
        let detail = query.choice(
            "detail",
            &[("user", Detail::User), ("library", Detail::Library), ("full", Detail::Full)],
        )?;
        let whole_paths = query.choice("paths", &[("short", false), ("full", true)])?;
        let symbols = query.choice("symbols", &[("yes", true), ("no", false)])?;
        for (is_given, applies, name, to) in [
            (detail.is_some(), is_text || format == Format::Folded, "detail", "text and folded"),
            (whole_paths.is_some(), is_text || format == Format::Json, "paths", "text and json"),
            (symbols.is_some(), format == Format::Pprof, "symbols", "pprof"),
        ] {
            if is_given && !applies {
                return Err(Refusal::bad_request(format!("{name} is for the formats {to}; leave it out")));
            }
        }
        let how = How {
            detail: detail.unwrap_or_default(),
            whole_paths: whole_paths.unwrap_or(false),
            symbols: symbols.unwrap_or(true),
        };
        Ok(Self { format, filter: query.filter()?, deadline: query.deadline(&surface.settings)?, how })
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

pub(crate) async fn dump(State(surface): State<Arc<Surface>>, uri: Uri) -> Result<Answer, Refusal> {
    let wanted = Wanted::of(&uri, &surface)?;
    let Wanted { format, filter, deadline, how } = wanted;
    let turn = surface.turn(deadline).await?;
    let dump = surface.dump(filter, deadline).await;
    let is_partial = dump.raw().is_partial();
    let cap = surface.settings.size_cap;
    // With the turn, so that the next one begins when this one's memory is free, even if nobody waits for it any more.
    let (turn, bytes) = work(move || write(&dump, format, how, cap).map(|bytes| (turn, bytes))).await?;
    let content_type = match format {
        Format::Json => JSON,
        Format::Raw => "application/gzip",
        Format::Grouped | Format::Every | Format::Folded | Format::Pprof | Format::Html => TEXT,
    };
    let answer = surface.answer(content_type, bytes, is_partial, deadline).await;
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
            let written = write!(out, "{}", dump.trees().folded(how.detail));
            out.finish(written)
        }
        Format::Json => {
            let written = out.write_str(&dump.to_json()).and_then(|()| out.write_str("\n"));
            out.finish(written)
        }
        Format::Raw => {
            let written = RawDumpFile::of_this_process(dump.raw()).write_gzip(&mut out);
            out.finish(written)
        }
        Format::Pprof => pprof(dump, how.symbols, cap),
        Format::Html => html(dump, cap),
    }
}

/// HOLE, for `TaskDump::to_pprof`: the bytes, with `out.finish`.
fn pprof(_: &TaskDump, _symbols: bool, _cap: usize) -> Result<Vec<u8>, Refusal> {
    Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, "there are no profiles yet; ask for format=folded"))
}

/// HOLE, for `TaskDump::to_html`: the bytes, with `out.finish`; its content type and policy below `with_headers`.
fn html(_: &TaskDump, _cap: usize) -> Result<Vec<u8>, Refusal> {
    Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, "there are no pages yet; ask for format=text"))
}

/// What a [`TaskDump`] prints with, unless told otherwise.
pub(crate) fn text(detail: Detail, whole_paths: bool) -> Text {
    let text = Text::new().detail(detail).whole_paths(whole_paths);
    let folder = std::env::current_dir().ok().and_then(|folder| folder.into_os_string().into_string().ok());
    match folder {
        Some(folder) => text.relative_to(folder),
        None => text,
    }
}
