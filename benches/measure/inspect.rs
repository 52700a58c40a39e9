//! A process that nobody prepared, looked at from outside: by its memory, and with `gdb`, which is what people have today.

use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bw_inspect::target::LiveProcess;
use bw_inspect::{Inspection, Limits, inspect, inspect_stopped, task_type};
use bw_render::{DumpText, TaskTrees, Text};
use bw_symbolize::{SymbolSources, Symbolizer};

use crate::measure::name;
use crate::measure::service::{self, Shared, plain};

/// The name under which the process that is looked at is started.
const SUBJECT: &str = "subject";
/// A line of the subject when its tasks wait.
const READY: &str = "ready";
/// No process is stopped for longer.
const MOST_PAUSE: Duration = Duration::from_secs(1);

/// The contestants: ours, and `gdb` where it is installed.
#[must_use]
pub fn names() -> &'static [&'static str] {
    let gdb = Command::new("gdb").arg("--version").stdout(Stdio::null()).status();
    if gdb.is_ok_and(|status| status.success()) { &[name::OURS, name::GDB] } else { &[name::OURS] }
}

/// The child: milliseconds until the text is there. Of gdb, until it has printed all stacks of all threads: it shows no task that
/// waits. `None` for a name that takes no part.
///
/// # Panics
///
/// When the process cannot be started or read, or a task is missing.
#[must_use]
pub fn text(key: &str, tasks: usize, name: &str) -> Option<f64> {
    match name {
        SUBJECT => be_the_subject(tasks),
        name::OURS => {
            let subject = Subject::start(key);
            let process = LiveProcess::open(subject.0.id()).expect("a child can be read");
            let began = Instant::now();
            let inspection = inspect(&process, &Limits::default()).expect("it can be read");
            let printed = printed(inspection, tasks);
            let taken = milliseconds(began);
            black_box(printed);
            Some(taken)
        }
        name::GDB => gdb(key),
        _ => None,
    }
}

/// The child: milliseconds for which all threads of the process stand still. Of gdb, how long it runs: it lets them go on at its end.
///
/// # Panics
///
/// As [`text`].
#[must_use]
pub fn pause(key: &str, tasks: usize, name: &str) -> Option<f64> {
    match name {
        SUBJECT => be_the_subject(tasks),
        name::OURS => {
            let subject = Subject::start(key);
            let process = LiveProcess::open(subject.0.id()).expect("a child can be read");
            let inspection =
                inspect_stopped(&process, &Limits::default(), MOST_PAUSE).expect("it can be stopped");
            assert_eq!(inspection.dump().tasks().len(), tasks);
            inspection.dump().pause().map(|pause| pause.as_secs_f64() * 1e3)
        }
        name::GDB => gdb(key),
        _ => None,
    }
}

/// The process that is looked at. It ends with this value.
struct Subject(Child);

impl Subject {
    fn start(key: &str) -> Self {
        let program = std::env::current_exe().expect("this program has a path");
        let mut command = Command::new(program);
        command.args(["--child", key, SUBJECT]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("this program starts again");
        let output = child.stdout.take().expect("it is piped");
        assert!(BufReader::new(output).lines().map_while(Result::ok).any(|line| line == READY));
        Self(child)
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Has so many tasks wait, until whoever started it ends.
fn be_the_subject(tasks: usize) -> ! {
    let runtime = service::runtime();
    let shared = Shared::new();
    for number in 0..tasks {
        runtime.spawn(plain::connection(Arc::clone(&shared), number));
    }
    shared.wait_for(tasks);
    println!("{READY}");
    std::io::stdout().flush().expect("somebody reads");
    let _ = std::io::stdin().lines().next();
    std::process::exit(0);
}

/// The grouped text, as the command prints it.
fn printed(inspection: Inspection, tasks: usize) -> String {
    let symbolizer = Symbolizer::for_modules(inspection.modules().clone(), SymbolSources::new());
    let inspection = inspection.named(|poll, _| task_type(&symbolizer, poll));
    assert_eq!(inspection.dump().tasks().len(), tasks);
    let trees = TaskTrees::trees(inspection.dump(), &symbolizer.symbolize_all(inspection.dump()));
    let trees = TaskTrees::new(inspection.dump(), &trees);
    let text = DumpText::new(Text::new()).grouped(trees).to_string();
    assert!(text.contains(service::FUNCTION), "{text}");
    text
}

fn gdb(key: &str) -> Option<f64> {
    let subject = Subject::start(key);
    let pid = subject.0.id().to_string();
    let began = Instant::now();
    let mut command = Command::new("gdb");
    command.args(["-nx", "-q", "-batch", "-p", &pid, "-ex", "thread apply all bt"]);
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let taken = milliseconds(began);
    status.ok().filter(std::process::ExitStatus::success).map(|_| taken)
}

fn milliseconds(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1e3
}
