//! `backtrace-waker ps`: the processes that can be dumped.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use bw_dump::rfc3339;
use bw_render::Count;
use clap::Args;
use serde::Serialize;

use crate::options::time_limits;
use crate::output::command_line::joined;
use crate::output::failure::Failure;
use crate::output::truncated::truncated;
use crate::output::{message, print};
use crate::source::agent::all_agents::{self, Listed};
use crate::source::agent::process::Process;
use crate::source::agent::users;
use crate::source::all_readable;

const LONG_ABOUT: &str = "\
List the processes with async tasks

Yours, and as root everybody's, also in containers of this machine. The column SOURCE says what `dump PID` asks:

agent    an agent in the process (`bw_agent::start()`), with a socket in the usual folders, or where the variables
         XDG_RUNTIME_DIR and BACKTRACE_WAKER_SOCKET of the process say. An agent with another socket, or with a TCP port only,
         is not found; name its socket or URL to the other commands.
memory   its memory: it uses tokio or smol, and has no agent. Nothing is written to it, and no thread of it is stopped.";

const EXIT_CODES: &str = "\
Exit codes:
  0  they were printed, also when there are none
  1  they could not be; the reason is on stderr
  2  the command line is wrong";

const EXAMPLES: &str = "\
Examples:
  backtrace-waker ps
      A line for each process: number, user, start, tasks, source, program with its arguments. Where one does not answer,
      why.
  backtrace-waker ps shop
      Those with `shop` in the path of their program or in their arguments.
  sudo backtrace-waker ps
      Those of all users.
  backtrace-waker ps --json | jq -r .processes[].pid
      For programs.";

/// List the processes with async tasks
#[derive(Args, Debug)]
#[command(long_about = LONG_ABOUT)]
#[command(after_help = EXIT_CODES, after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(super) struct Ps {
    /// List only processes with this text in the path of their program or in an argument
    filter: Option<String>,

    /// As JSON, on one line
    #[arg(long)]
    json: bool,

    /// How long to wait for each of them, such as 500ms or 5s
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = time_limits::timeout)]
    timeout: Duration,
}

/// The version of the JSON.
const VERSION: u32 = 1;
/// Characters of a cell that are printed: what is in it a process chose.
const MOST_CHARS: usize = 300;
/// Characters of a program with its arguments.
const MOST_COMMAND_LINE: usize = 120;

pub(super) fn run(arguments: &Ps) -> Result<ExitCode, Failure> {
    let mut listed = all_agents::list(arguments.timeout)?;
    let with_agent: Vec<u32> =
        listed.iter().filter_map(|listed| listed.process.as_ref()).map(Process::pid).collect();
    listed.extend(all_readable::list(|pid| with_agent.contains(&pid)));
    let found = listed.len();
    if let Some(filter) = &arguments.filter {
        listed.retain(|listed| passes(listed, filter));
    }
    print::to(None, |out| if arguments.json { json(&listed, out) } else { table(&listed, out) })?;
    if let (Some(filter), 1.., true, false) = (&arguments.filter, found, listed.is_empty(), arguments.json) {
        let processes = if found == 1 { "process" } else { "processes" };
        message::note(&format_args!(
            "none of {} {processes} has {:?} in its program or its arguments",
            Count(found),
            truncated(filter, MOST_CHARS)
        ));
    } else if listed.is_empty() && !arguments.json {
        message::note(
            &"no process of yours has an agent, or uses tokio or smol; sudo lists the processes of other users",
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn table(listed: &[Listed], out: &mut dyn Write) -> io::Result<()> {
    if listed.is_empty() {
        return Ok(());
    }
    let heading = ["PID", "USER", "STARTED", "TASKS", "SOURCE", "PROGRAM"].map(str::to_owned);
    let rows: Vec<[String; 6]> = [heading].into_iter().chain(listed.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths = [0, 1, 2, 3, 4].map(width);
    for [pid, user, started, tasks, source, program] in &rows {
        let [a, b, c, d, e] = widths;
        writeln!(out, "{pid:>a$}  {user:b$}  {started:c$}  {tasks:>d$}  {source:e$}  {program}")?;
    }
    Ok(())
}

fn row(listed: &Listed) -> [String; 6] {
    let unknown = || "-".to_owned();
    let description = listed.description.as_ref();
    // With a program as long as it is: a path is of no use without its end.
    let program = program(listed).map_or_else(unknown, |program| {
        let most = MOST_COMMAND_LINE.max(program.chars().count()).min(MOST_CHARS);
        truncated(&joined(&program, &arguments_of(listed)), most)
    });
    [
        listed.process.as_ref().map_or_else(unknown, |process| process.pid().to_string()),
        listed
            .uid
            .map_or_else(unknown, |uid| cell(&users::known_name(uid).unwrap_or_else(|| uid.to_string()))),
        description.ok().and_then(|it| it.started_at).map_or_else(unknown, rfc3339::seconds),
        description
            .ok()
            .and_then(|it| it.tasks)
            .map_or_else(unknown, |tasks| Count(usize::try_from(tasks).unwrap_or(usize::MAX)).to_string()),
        source(listed).to_owned(),
        match description {
            Ok(_) => program,
            Err(reason) => format!("{program}: {}", cell(reason)),
        },
    ]
}

/// Where a dump of it comes from.
fn source(listed: &Listed) -> &'static str {
    if listed.socket.is_some() { "agent" } else { "memory" }
}

/// The path of its program.
fn program(listed: &Listed) -> Option<String> {
    let of_process = listed.process.as_ref().and_then(Process::executable);
    let description = || listed.description.as_ref().ok()?.executable.clone();
    of_process.map(|path| path.display().to_string()).or_else(description)
}

fn arguments_of(listed: &Listed) -> Vec<String> {
    listed.process.as_ref().and_then(Process::arguments).unwrap_or_default()
}

fn passes(listed: &Listed, filter: &str) -> bool {
    program(listed).is_some_and(|program| program.contains(filter))
        || arguments_of(listed).iter().any(|argument| argument.contains(filter))
}

fn cell(text: &str) -> String {
    truncated(text, MOST_CHARS)
}

#[derive(Serialize)]
struct Json<'a> {
    format: &'static str,
    version: u32,
    processes: Vec<One<'a>>,
}

#[derive(Serialize)]
struct One<'a> {
    /// Here; inside of a container it has another one.
    pid: Option<u32>,
    inner_pid: Option<u32>,
    uid: Option<u32>,
    user: Option<String>,
    executable: Option<&'a str>,
    arguments: Option<Vec<String>>,
    started_at: Option<String>,
    agent_started_at: Option<String>,
    package: Option<&'a str>,
    tasks: Option<u64>,
    /// `agent` or `memory`.
    source: &'static str,
    socket: Option<String>,
    /// Why it does not say more.
    error: Option<&'a str>,
}

fn json(listed: &[Listed], out: &mut dyn Write) -> io::Result<()> {
    let processes = listed.iter().map(|listed| {
        let description = listed.description.as_ref().ok();
        One {
            pid: listed.process.as_ref().map(Process::pid),
            inner_pid: description.and_then(|it| it.pid),
            uid: listed.uid,
            user: listed.uid.and_then(users::known_name),
            executable: description.and_then(|it| it.executable.as_deref()),
            arguments: listed.process.as_ref().and_then(Process::arguments),
            started_at: description.and_then(|it| it.started_at).map(rfc3339::milliseconds),
            agent_started_at: description.and_then(|it| it.agent_started_at).map(rfc3339::milliseconds),
            package: description.and_then(|it| it.package.as_deref()),
            tasks: description.and_then(|it| it.tasks),
            source: source(listed),
            socket: listed.socket.as_ref().map(|path| path.display().to_string()),
            error: listed.description.as_ref().err().map(String::as_str),
        }
    });
    let list = Json { format: "backtrace-waker processes", version: VERSION, processes: processes.collect() };
    let text = serde_json::to_string(&list).map_err(io::Error::other)?;
    writeln!(out, "{}", bw_render::json::escaped(text))
}
