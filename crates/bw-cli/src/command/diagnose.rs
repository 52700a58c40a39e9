//! `backtrace-waker diagnose`: what is wrong with the tasks of a process.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use bw_inspect::{Blocker, Diagnosis, Evidence, Finding, InvolvedTask, Line};
use bw_render::Count;
use clap::Args;
use serde::Serialize;

use crate::options::symbols::SymbolOptions;
use crate::options::target::Target;
use crate::output::failure::Failure;
use crate::output::truncated::truncated;
use crate::output::{message, print};
use crate::source::Source;

const LONG_ABOUT: &str = "\
Find what is wrong with the tasks of a process

Reads the memory of the process, as `dump` does without an agent: nothing is written to it, no code runs in it, and no thread
is stopped. Finds tasks that wait for each other or for themselves: for a Mutex or an RwLock of tokio, or for the end of
another task. Finds futurelocks: the task waits for a lock that was given to one of its own futures, which it does not poll.
Finds tasks that missed a wake, and tasks that block the thread that polls them.

Only what is proven is a finding. That a task holds a lock is proven by emulating the code that drops the task. The types of the
program must be in its debug information: build it with `debug = 2` (`debug = true`). The output lists the tasks that could not be checked.";

const EXIT_CODES: &str = "\
Exit codes:
  0  nothing was found
  1  the process or the core file could not be read, and the reason is on stderr; or no task could be checked
  2  the command line is wrong
  4  something was found";

const EXAMPLES: &str = "\
Examples:
  backtrace-waker diagnose 4711
      The findings for process 4711, the worst first.
  backtrace-waker diagnose core.4711 --exe ./shop
      A core file, and the program that wrote it.
  backtrace-waker diagnose 4711 --debug-file shop.debug
      The process runs a stripped program; its debug information is in a file.
  backtrace-waker diagnose shop --json | jq '.findings[].tasks[].id'
      For programs.";

/// Find what is wrong with the tasks of a process
#[derive(Args, Debug)]
#[command(long_about = LONG_ABOUT)]
#[command(after_help = EXIT_CODES, after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(super) struct Diagnose {
    /// The number or name of a process, or a core file
    target: Target,

    /// Print JSON, on one line
    #[arg(long)]
    json: bool,

    /// The program that wrote the core file, if it is not where it was then
    ///
    /// Code is read from it, which core files leave out. It must be of the same build.
    #[arg(long, value_name = "FILE")]
    exe: Option<PathBuf>,

    #[command(flatten)]
    symbols: SymbolOptions,
}

/// The exit code if something was found.
const FOUND: u8 = 4;
/// The version of the JSON.
const VERSION: u32 = 1;
/// Characters of a name that are printed.
const MOST_CHARS: usize = 300;
/// Tasks of one finding that the text shows.
const MOST_TASKS: usize = 32;

pub(super) fn run(arguments: &Diagnose) -> Result<ExitCode, Failure> {
    let symbols = arguments.symbols.sources()?;
    let mut source = Source::of_memory(&arguments.target, arguments.exe.as_deref(), symbols)?;
    let diagnosis = source.diagnose(&arguments.target)?;
    print::to(None, |out| if arguments.json { json(&diagnosis, out) } else { text(&diagnosis, out) })?;
    if diagnosis.lacks_debug_info() {
        message::help(
            &"name the unstripped program or its debug information with --debug-file or --debug-dir",
        );
    }
    Ok(match diagnosis.findings() {
        [] if is_blind(&diagnosis) => ExitCode::FAILURE,
        [] => ExitCode::SUCCESS,
        _ => ExitCode::from(FOUND),
    })
}

/// Whether there are tasks, and none of them could be checked.
fn is_blind(diagnosis: &Diagnosis) -> bool {
    diagnosis.tasks() > 0 && diagnosis.checked() == 0
}

fn text(diagnosis: &Diagnosis, out: &mut dyn Write) -> io::Result<()> {
    for finding in diagnosis.findings() {
        writeln!(out, "{}: {}", finding.kind.name(), finding.summary())?;
        for task in finding.tasks.iter().take(MOST_TASKS) {
            involved(task, out)?;
        }
        if let more @ 1.. = finding.tasks.len().saturating_sub(MOST_TASKS) {
            writeln!(out, "  and {} more in the same ring", tasks(more))?;
        }
        if finding.stuck_behind > 0 {
            writeln!(out, "  {} behind them cannot go on either", tasks(finding.stuck_behind))?;
        }
        writeln!(out, "  help: {}\n", finding.advice())?;
    }
    let found = match diagnosis.findings().len() {
        0 if is_blind(diagnosis) => "nothing could be checked".to_owned(),
        0 => "nothing found".to_owned(),
        1 => "1 finding".to_owned(),
        many => format!("{} findings", Count(many)),
    };
    let waiting = diagnosis.waiting();
    writeln!(
        out,
        "{found}; checked: {}, of which {} for one lock or one task and nothing else",
        tasks(diagnosis.checked()),
        if waiting == 1 { "1 waits".to_owned() } else { format!("{} wait", Count(waiting)) },
    )?;
    for (reason, count) in diagnosis.unchecked() {
        writeln!(out, "could not be checked: {}: {}", tasks(*count), cell(reason))?;
    }
    Ok(())
}

fn involved(task: &InvolvedTask, out: &mut dyn Write) -> io::Result<()> {
    let name = task.name.as_deref().map_or(String::new(), |name| format!(" {}", cell(name)));
    writeln!(out, "  task {}{name}", task.id)?;
    writeln!(out, "    {} ({})", cell(&task.what), words(&task.evidence))?;
    for line in own_lines(&task.lines) {
        match &line.place {
            Some((file, number)) => writeln!(out, "      {} at {}:{number}", cell(&line.body), cell(file))?,
            None => writeln!(out, "      {}", cell(&line.body))?,
        }
    }
    for blocker in &task.blockers {
        let who = if blocker.task == task.id {
            "the task itself".to_owned()
        } else {
            format!("task {}", blocker.task)
        };
        writeln!(out, "    {who} {} ({})", cell(&blocker.how), words(&blocker.evidence))?;
    }
    if let Some(disagreement) = &task.disagreement {
        writeln!(out, "    {}", cell(disagreement))?;
    }
    Ok(())
}

/// The lines down to where the program calls the runtime. JSON has those of the runtime, too.
fn own_lines(lines: &[Line]) -> &[Line] {
    let is_of_runtime = |line: &Line| line.body.split(' ').any(|word| word.starts_with("tokio::"));
    let own = lines.iter().position(is_of_runtime).unwrap_or(lines.len());
    lines.get(..own).filter(|own| !own.is_empty()).unwrap_or(lines)
}

fn tasks(count: usize) -> String {
    if count == 1 { "1 task".to_owned() } else { format!("{} tasks", Count(count)) }
}

fn words(evidence: &[Evidence]) -> String {
    evidence.iter().map(|it| it.name()).collect::<Vec<_>>().join(", ")
}

/// Text that the process chose.
fn cell(text: &str) -> String {
    truncated(text, MOST_CHARS)
}

#[derive(Serialize)]
struct Json<'a> {
    format: &'static str,
    version: u32,
    findings: Vec<JsonFinding<'a>>,
    tasks: usize,
    checked: usize,
    waiting: usize,
    unchecked: Vec<JsonUnchecked<'a>>,
}

#[derive(Serialize)]
struct JsonFinding<'a> {
    kind: &'static str,
    summary: String,
    advice: &'static str,
    stuck_behind: usize,
    tasks: Vec<JsonTask<'a>>,
}

#[derive(Serialize)]
struct JsonTask<'a> {
    id: u64,
    name: Option<&'a str>,
    what: &'a str,
    lines: Vec<JsonLine<'a>>,
    blockers: Vec<JsonBlocker<'a>>,
    evidence: Vec<&'static str>,
    disagreement: Option<&'a str>,
}

#[derive(Serialize)]
struct JsonLine<'a> {
    body: &'a str,
    file: Option<&'a str>,
    line: Option<u64>,
}

#[derive(Serialize)]
struct JsonBlocker<'a> {
    task: u64,
    how: &'a str,
    evidence: Vec<&'static str>,
}

#[derive(Serialize)]
struct JsonUnchecked<'a> {
    reason: &'a str,
    tasks: usize,
}

impl<'a> From<&'a Finding> for JsonFinding<'a> {
    fn from(finding: &'a Finding) -> Self {
        Self {
            kind: finding.kind.name(),
            summary: finding.summary(),
            advice: finding.advice(),
            stuck_behind: finding.stuck_behind,
            tasks: finding.tasks.iter().map(JsonTask::from).collect(),
        }
    }
}

impl<'a> From<&'a InvolvedTask> for JsonTask<'a> {
    fn from(task: &'a InvolvedTask) -> Self {
        Self {
            id: task.id,
            name: task.name.as_deref(),
            what: &task.what,
            lines: task.lines.iter().map(JsonLine::from).collect(),
            blockers: task.blockers.iter().map(JsonBlocker::from).collect(),
            evidence: names(&task.evidence),
            disagreement: task.disagreement.as_deref(),
        }
    }
}

impl<'a> From<&'a Line> for JsonLine<'a> {
    fn from(line: &'a Line) -> Self {
        let place = line.place.as_ref();
        Self { body: &line.body, file: place.map(|(file, _)| &**file), line: place.map(|(_, line)| *line) }
    }
}

impl<'a> From<&'a Blocker> for JsonBlocker<'a> {
    fn from(blocker: &'a Blocker) -> Self {
        Self { task: blocker.task, how: &blocker.how, evidence: names(&blocker.evidence) }
    }
}

fn names(evidence: &[Evidence]) -> Vec<&'static str> {
    evidence.iter().map(|it| it.name()).collect()
}

fn json(diagnosis: &Diagnosis, out: &mut dyn Write) -> io::Result<()> {
    let unchecked = diagnosis.unchecked().iter();
    let json = Json {
        format: "backtrace-waker diagnosis",
        version: VERSION,
        findings: diagnosis.findings().iter().map(JsonFinding::from).collect(),
        tasks: diagnosis.tasks(),
        checked: diagnosis.checked(),
        waiting: diagnosis.waiting(),
        unchecked: unchecked.map(|(reason, tasks)| JsonUnchecked { reason, tasks: *tasks }).collect(),
    };
    let text = serde_json::to_string(&json).map_err(io::Error::other)?;
    writeln!(out, "{}", bw_render::json::escaped(text))
}
