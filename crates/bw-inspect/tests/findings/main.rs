//! What is found wrong with a program whose tasks wait for each other in known ways: all of it, and nothing else.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used)]

mod hostile;
mod program;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use bw_inspect::target::LiveProcess;
use bw_inspect::{Diagnosis, Finding, Limits, diagnose};
use bw_symbolize::{SymbolSources, Symbolizer};

/// The variable that says what the program does.
const WITH: &str = "FINDINGS_WITH";
/// The variable that says how often a program is looked at in which nothing is wrong.
const LOOKS: &str = "FINDINGS_LOOKS";
/// How long tasks may take to come to where they wait.
const TIME_TO_REST: Duration = Duration::from_secs(60);

/// A kind of finding, and the ids of its tasks.
type Named = (String, BTreeSet<u64>);

/// The program as it runs. It ends with this value.
struct Started {
    child: Child,
    /// Open as long as it runs: the harness prints into it after a minute.
    _output: BufReader<ChildStdout>,
    expected: BTreeSet<Named>,
}

impl Started {
    fn new(with: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["the_program", "--exact", "--ignored", "--nocapture"]).env(WITH, with);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let lines = output.by_ref().lines().map(Result::unwrap);
        // The harness prints lines of its own before.
        let lines = lines.skip_while(|line| line != "findings").skip(1);
        let expected = lines.take_while(|line| line != "ready").map(|line| {
            let (kind, tasks) = line.split_once(' ').unwrap();
            (kind.to_owned(), tasks.split(',').map(|id| id.parse().unwrap()).collect())
        });
        let expected = expected.collect();
        Self { child, _output: output, expected }
    }

    fn open(&self) -> LiveProcess {
        LiveProcess::open(self.child.id()).unwrap()
    }

    fn diagnose(&self) -> Diagnosis {
        let process = self.open();
        let symbolizer = |modules| Symbolizer::for_modules(modules, SymbolSources::new());
        diagnose(&process, &Limits::default(), symbolizer).unwrap()
    }

    /// Looks at it until all that is expected is found. Whatever is found on the way must be expected.
    fn diagnose_until_found(&self) -> Diagnosis {
        let until = Instant::now() + TIME_TO_REST;
        loop {
            let diagnosis = self.diagnose();
            let found: BTreeSet<Named> = diagnosis.findings().iter().map(named).collect();
            let made_up: Vec<&Named> = found.difference(&self.expected).collect();
            assert!(made_up.is_empty(), "{made_up:?} {diagnosis:#?}");
            if found == self.expected {
                return diagnosis;
            }
            let missing: Vec<&Named> = self.expected.difference(&found).collect();
            assert!(Instant::now() < until, "{missing:?} {diagnosis:#?}");
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How often a program is looked at in which nothing is wrong.
fn looks() -> u32 {
    std::env::var(LOOKS).map_or(10, |looks| looks.parse().unwrap())
}

fn assert_nothing_found(with: &str) {
    let program = Started::new(with);
    for _ in 0..looks() {
        let diagnosis = program.diagnose();
        assert!(diagnosis.findings().is_empty(), "{diagnosis:#?}");
    }
}

fn named(finding: &Finding) -> Named {
    (finding.kind.name().to_owned(), finding.tasks.iter().map(|task| task.id).collect())
}

#[test]
#[ignore = "this is the program that the other tests start and look at"]
fn the_program() {
    program::run(&std::env::var(WITH).unwrap_or_default()).unwrap();
}

#[test]
fn a_ring_of_tasks_is_missed_or_made_up() {
    let program = Started::new("broken");
    program.diagnose_until_found();
}

#[test]
fn a_task_that_blocks_is_missed_or_made_up() {
    Started::new("blocking").diagnose_until_found();
}

#[test]
fn a_program_in_which_nothing_is_wrong_has_a_finding() {
    assert_nothing_found("sound");
}

#[test]
fn a_busy_program_has_a_finding() {
    assert_nothing_found("busy");
}

#[test]
fn tasks_that_soon_give_up_have_a_finding() {
    assert_nothing_found("impatient");
}
