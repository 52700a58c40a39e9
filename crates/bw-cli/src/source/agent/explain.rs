//! Why an agent could not be asked, and what to do about it. Here is every message about it.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use bw_dump::RawDumpError;
use bw_dump::contract::endpoints::TIMEOUT_MS;
use bw_dump::contract::environment::{self, parse_switch};

use super::http::{Answer, NoAnswer};
use super::process::Process;
use super::{Agent, Place, socket, users};
use crate::output::command_line::joined;
use crate::output::failure::Failure;
use crate::output::truncated::truncated;

/// Bytes of an answer that are looked at for its first line.
const MESSAGE_BYTES: usize = 1_000;

/// Why a process has no agent to be asked. `denied` is a socket that would not let us in.
pub(super) fn no_agent(process: &Process, denied: Option<&Path>) -> Failure {
    let who = describe(process);
    let pid = process.pid();
    if !process.is_alive() {
        return ended(process);
    }
    let uid = process.uid();
    if uid.is_none() && Path::new("/proc/self/status").exists() {
        // It is there, and may not even be seen: the mount option `hidepid`.
        return Failure::new(format!("{who} belongs to another user: sudo backtrace-waker … {pid}"));
    }
    if let Some(uid) = uid.filter(|&uid| !socket::is_trusted_by(uid)) {
        return Failure::new(format!("{who} {}: sudo backtrace-waker … {pid}", belongs_to(uid)));
    }
    if let Some(path) = denied {
        let path = path.display();
        return Failure::new(format!("{who}: {path}: permission denied: run this as its user, or with sudo"));
    }
    let switch = process.variable(environment::SWITCH);
    if switch.is_some_and(|value| value.to_str().and_then(parse_switch) == Some(false)) {
        return Failure::new(format!(
            "{who} was started with BACKTRACE_WAKER=off, so that its agent answers nobody: start it without"
        ));
    }
    Failure::new(format!(
        "{who} has no agent that can be found: add `bw_agent::start_or_warn();` to its main, or, if it has one with a socket or \
         a port of its own, name that instead of {pid}"
    ))
}

/// How many processes of one name are listed.
const MOST_LISTED: usize = 20;

/// Several processes have the name that was given.
pub(super) fn ambiguous<'a>(name: &str, processes: impl ExactSizeIterator<Item = &'a Process>) -> Failure {
    let count = processes.len();
    let mut listed: Vec<String> = processes.take(MOST_LISTED).map(command_line).collect();
    if count > listed.len() {
        listed.push(format!("and {} more", count - listed.len()));
    }
    Failure::new(format!("{count} processes are named {name}: {}; name one by its number", listed.join(", ")))
}

/// `4711 (/srv/shop --port 80)`.
fn command_line(process: &Process) -> String {
    let program = process.executable().map(|path| path.display().to_string()).unwrap_or_default();
    let arguments = process.arguments().unwrap_or_default();
    format!("{} ({})", process.pid(), truncated(&joined(&program, &arguments), MOST_COMMAND_LINE))
}

/// Characters of a command line in a message.
const MOST_COMMAND_LINE: usize = 80;

/// Whose it is, and who may ask it.
fn belongs_to(uid: u32) -> String {
    let user = users::name(uid);
    let others = if uid == 0 { "" } else { " and root" };
    format!("belongs to {user}, and only {user}{others} may ask it")
}

/// How long a process may take from closing its sockets to being gone.
const TIME_TO_END: Duration = Duration::from_millis(500);

/// Waits for a process whose connection was lost: it may be about to end, and the kernel closes its sockets first.
fn wait_for_the_end(process: &Process) {
    let until = Instant::now() + TIME_TO_END;
    while process.is_alive() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn ended(process: &Process) -> Failure {
    Failure::ended(format!("process {} has ended", process.pid()))
}

/// `process 4711 (shop)`.
fn describe(process: &Process) -> String {
    let pid = process.pid();
    process.name().map_or_else(|| format!("process {pid}"), |name| format!("process {pid} ({name})"))
}

impl Agent {
    /// Returns what messages call the process or place that was asked.
    pub(super) fn label(&self) -> String {
        match (&self.process, &self.place) {
            (Some(process), _) => describe(process),
            (None, Place::Socket(path)) => path.display().to_string(),
            (None, Place::Url(url)) => url.to_string(),
        }
    }

    /// Says what to do about there being no answer. Waits a moment for a process that may be about to end.
    pub(super) fn failure(&self, no_answer: NoAnswer, timeout: Duration) -> Failure {
        if let (Some(process), NoAnswer::Connect(_) | NoAnswer::Closed | NoAnswer::Cut) =
            (&self.process, &no_answer)
        {
            wait_for_the_end(process);
        }
        self.explain(no_answer, timeout)
    }

    /// Says what to do about there being no answer, as things are.
    pub(super) fn explain(&self, no_answer: NoAnswer, timeout: Duration) -> Failure {
        // What else could be said of a process that is there no more is misleading.
        if let Some(process) = self.process.as_ref().filter(|process| !process.is_alive()) {
            let cut = if matches!(no_answer, NoAnswer::Cut) { ", in the middle of its answer" } else { "" };
            return Failure::ended(format!("process {} has ended{cut}", process.pid()));
        }
        let failure = match no_answer {
            NoAnswer::Connect(error) => return self.no_connection(&error),
            NoAnswer::Own(message) => return Failure::new(message),
            NoAnswer::Timeout => Failure::silent(format!(
                "did not answer within {:.1} s: {}",
                timeout.as_secs_f64(),
                self.process.as_ref().and_then(Process::stopped).unwrap_or(
                    "it is stopped, or the machine is very busy, or it has very many tasks: wait longer with \
                     --timeout, or ask for fewer with --filter"
                )
            )),
            NoAnswer::Halted(why) => Failure::silent(format!("does not answer: {why}")),
            NoAnswer::Closed => Failure::new(
                "closed the connection without an answer: it just ended, it is no agent, or it does not let you ask",
            ),
            NoAnswer::Cut => Failure::silent(
                "closed the connection in the middle of its answer: it ended, or what is between here and there did \
                 so; ask again",
            ),
            NoAnswer::NotHttp => Failure::new(
                "does not speak HTTP, so it is no agent (of https only https:// speaks): is this the right one?",
            ),
            NoAnswer::TooLarge => Failure::new(
                "answers with more bytes than are taken: ask for fewer tasks with --filter, or take more with \
                 --max-bytes",
            ),
            NoAnswer::Replaced(pid) => {
                Failure::ended(format!("does not listen there any more; process {pid} has taken its place"))
            }
        };
        failure.about(&self.label())
    }

    fn no_connection(&self, error: &io::Error) -> Failure {
        let is_gone = matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound);
        if let (Some(_), Place::Socket(path), true) = (&self.process, &self.place, is_gone) {
            // The process is there: it was looked at before.
            let message = format!("has stopped its agent: nobody listens at {} any more", path.display());
            return Failure::ended(message).about(&self.label());
        }
        let advice = match (&self.place, error.kind()) {
            (Place::Socket(_), io::ErrorKind::ConnectionRefused) => {
                "nobody listens there any more: the process that made it has ended; `backtrace-waker ps` lists those that \
                 are there"
            }
            (Place::Socket(_), io::ErrorKind::PermissionDenied) => {
                "run this as the user whose socket it is, or with sudo"
            }
            (Place::Url(_), io::ErrorKind::ConnectionRefused) => {
                "nobody listens there: is the process running, and was its agent told to listen on TCP \
                 (BACKTRACE_WAKER_TCP)?"
            }
            (Place::Url(_), _) => "is the name right, and can that host be reached from here?",
            _ => "is the path right?",
        };
        let message = format!("{error}: {advice}");
        // Only of a connection that there was before does it mean an end, which who watches knows.
        let failure = match error.kind() {
            io::ErrorKind::ConnectionRefused => Failure::ended(message),
            _ => Failure::new(message),
        };
        failure.at(&self.label())
    }

    /// The body of an answer, if it is one that an agent gives.
    pub(super) fn check(&self, answer: Answer) -> Result<Vec<u8>, Failure> {
        let says = || first_line(&answer.body);
        let is_html = answer.content_type.to_ascii_lowercase().starts_with("text/html");
        let failure = match answer.status {
            200 if is_html => {
                Failure::new("answers with a web page, so it is no agent: is this the right address?")
            }
            200 => return Ok(answer.body),
            401 => Failure::new(format!(
                "wants a token, and {}: give it with --token, or in the variable BACKTRACE_WAKER_TOKEN",
                if self.has_token() { "another one than was given" } else { "none was given" }
            )),
            403 => Failure::new(format!("refuses to answer: {}", says())),
            404 => Failure::new(
                "has no agent there (404 Not Found): is the path right? It ends in front of /debug/async/",
            ),
            // The agent names its parameter, this command's user has an option.
            503 => Failure::silent(format!("cannot answer now: {}", says().replace(TIMEOUT_MS, "--timeout"))),
            status @ 300..=399 => Failure::new(format!(
                "answers {status}, with a redirection to {:?}, which is not followed: name that address, if it is \
                 the right one",
                first_line(answer.location.as_bytes())
            )),
            status => Failure::new(format!("answers {status}: {}", says())),
        };
        Err(failure.about(&self.label()))
    }

    /// Why an answer could not be read as a raw dump.
    pub(crate) fn not_a_dump(&self, error: &RawDumpError) -> Failure {
        let label = self.label();
        if error.is_too_large() {
            let advice = "ask for fewer tasks with --filter, or take more with --max-bytes";
            return Failure::new(format!("its answer {error}: {advice}")).at(&label);
        }
        if error.is_newer_version() {
            let message = format!("has a newer agent than this command knows: its answer {error}");
            return Failure::new(message).about(&label);
        }
        Failure::new(format!("its answer {error}; is it an agent?")).at(&label)
    }

    fn has_token(&self) -> bool {
        self.token.is_some() && matches!(self.place, Place::Url(_))
    }
}

/// The first line of a message from the other side. Escaped where it is printed.
fn first_line(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(MESSAGE_BYTES)]);
    let line = text.trim_start().lines().next().unwrap_or_default().trim_end();
    if line.is_empty() { "it does not say why".into() } else { line.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_not_named_twice_among_those_who_may_ask() {
        let root = users::name(0);
        assert_eq!(belongs_to(0), format!("belongs to {root}, and only {root} may ask it"));
        let other = users::name(54_321);
        assert_eq!(belongs_to(54_321), format!("belongs to {other}, and only {other} and root may ask it"));
    }
}
