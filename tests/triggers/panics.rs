//! A panic.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use crate::child::Reports;

fn begin(how: &str) -> Reports {
    // No backtraces of the standard library's: that of a panic that aborts would come after ours.
    Reports::begin(Command::new(env!("CARGO_BIN_EXE_reports")).arg(how).env("RUST_BACKTRACE", "0"))
}

#[test]
fn the_other_tasks_are_reported_after_the_programs_own_hook() {
    let mut reports = begin("panic");
    let said = reports.until_said(&["bw-agent", "async fn reports::waits at"]);
    let (before, report) = said.split_once("bw-agent: ").expect("a report");
    assert_eq!(before, "the program's own hook\n");
    let headline = report.lines().next().unwrap_or_default();
    assert!(
        headline.starts_with("thread \"tokio-rt-worker\" panicked at tests/programs/reports.rs:"),
        "{headline}"
    );
    assert!(headline.contains("in a poll of task 2 \"panics\": \"on purpose\""), "{headline}");
}

#[test]
fn many_panics_at_once_harm_nobody_and_are_one_report() {
    let mut reports = begin("panics");
    reports.until_said(&["bw-agent: ", "async fn reports::waits at"]);
    // All forty of them. The second report would not come within ten seconds of the first.
    reports.until_printed("over");
    let said = reports.kill();
    assert!(!said.contains("bw-agent: "), "{said}");
}

#[test]
fn a_panic_that_ends_the_process_is_reported_before_if_it_may_wait() {
    let (status, said) = begin("panic that aborts").end();
    assert_eq!(status.signal(), Some(libc::SIGABRT), "{said}");
    assert!(said.contains("bw-agent: thread \"main\" panicked at"), "{said}");
    assert!(said.contains("nobody can catch this") && said.contains("async fn reports::waits at"), "{said}");
}

#[test]
fn a_panic_under_the_lock_of_stderr_does_not_lock_up() {
    begin("panic under locks").until_said(&[
        "bw-agent: ",
        "with stderr locked",
        "async fn reports::waits at",
    ]);
}

#[test]
fn a_panic_in_a_forked_child_waits_for_nobody() {
    let (status, said) = begin("panic in a child").end();
    assert!(status.success(), "{said}");
    assert!(said.contains("in the child") && !said.contains("bw-agent"), "{said}");
}
