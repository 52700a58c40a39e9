//! A signal, and where reports go.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use bw_dump::RawDumpFile;

use crate::child::{Folder, Reports};

const WAITS: &str = "async fn reports::waits at";

#[test]
fn a_wedged_process_reports_on_a_signal() {
    let mut reports = Reports::start("wedged");
    reports.signal(libc::SIGUSR1);
    let report =
        reports.until_said(&["\"waits\"", "\"culprit\"", "being polled for", "woken but not polled"]);
    assert!(report.starts_with("bw-agent: the process got SIGUSR1\n"), "{report}");
    assert!(report.contains("\"tokio-rt-worker\""), "{report}");
    // And again, and is as alive as before.
    reports.signal(libc::SIGUSR1);
    reports.until_said(&["SIGUSR1", "being polled for"]);
}

#[test]
fn the_operator_turns_it_on() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reports"));
    let mut reports = Reports::of(command.arg("environment").env("BACKTRACE_WAKER_SIGNAL", "USR2"));
    reports.signal(libc::SIGUSR2);
    reports.until_said(&["the process got SIGUSR2", WAITS]);
}

#[test]
fn the_operators_folder_gets_the_reports_of_every_trigger() {
    let folder = Folder::new("operator");
    let dumps = folder.path().join("dumps");
    let mut command = Command::new(env!("CARGO_BIN_EXE_reports"));
    let mut reports = Reports::of(command.arg("callback panics").env("BACKTRACE_WAKER_REPORTS", &dumps));
    reports.signal(libc::SIGUSR1);
    assert_eq!(reports.printed(), "reported signal");
    // The next one begins when the folder has this one.
    reports.signal(libc::SIGUSR1);
    assert_eq!(reports.printed(), "reported signal");
    assert!(std::fs::read_dir(&dumps).expect("a folder").count() >= 1);
}

#[test]
fn the_operators_folder_takes_no_report_away_from_stderr() {
    let folder = Folder::new("as well");
    let dumps = folder.path().join("dumps");
    let mut command = Command::new(env!("CARGO_BIN_EXE_reports"));
    let command = command
        .arg("environment")
        .env("BACKTRACE_WAKER_SIGNAL", "USR1")
        .env("BACKTRACE_WAKER_REPORTS", &dumps);
    let mut reports = Reports::of(command);
    assert!(dumps.is_dir(), "made at the start");
    reports.signal(libc::SIGUSR1);
    let said = reports.until_said(&["bw-agent: the process got SIGUSR1", WAITS]);
    let files: Vec<_> = std::fs::read_dir(&dumps).expect("a folder").flatten().collect();
    let [file] = &*files else { panic!("not one: {files:?}") };
    let line = format!("bw-agent: {} has a report: the process got SIGUSR1", file.path().display());
    // Before it is symbolized: a process that ends may not have the time for that.
    assert_eq!(said.lines().next(), Some(&*line), "{said}");
}

#[test]
fn an_operators_folder_that_cannot_be_used_is_said_at_the_start_and_stderr_has_the_report() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reports"));
    let command = command
        .arg("environment")
        .env("BACKTRACE_WAKER_SIGNAL", "USR1")
        .env("BACKTRACE_WAKER_REPORTS", "/not there/dumps");
    let mut reports = Reports::of(command);
    reports.until_said(&["bw-agent: cannot keep a dump in /not there/dumps: "]);
    reports.signal(libc::SIGUSR1);
    let said = reports.until_said(&["the process got SIGUSR1", WAITS]);
    assert!(!said.contains("cannot keep") && !reports.kill().contains("cannot keep"), "{said}");
}

#[test]
fn a_report_that_its_folder_cannot_keep_goes_to_stderr() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reports"));
    let mut reports = Reports::of(command.arg("folder alone").arg("/not there/dumps"));
    reports.until_said(&["cannot keep a dump in /not there/dumps: "]);
    for _ in 0..2 {
        reports.signal(libc::SIGUSR1);
        reports.until_said(&["the process got SIGUSR1", WAITS]);
    }
}

#[test]
fn an_operators_folder_without_a_trigger_is_said() {
    let folder = Folder::new("no trigger");
    let mut command = Command::new(env!("CARGO_BIN_EXE_reports"));
    let command = command.arg("environment").env("BACKTRACE_WAKER_REPORTS", folder.path());
    let said = Reports::of(command).kill();
    assert_eq!(
        said.matches("BACKTRACE_WAKER_REPORTS is set, and nothing makes reports").count(),
        1,
        "{said}"
    );
    for variable in ["BACKTRACE_WAKER_SIGNAL=", "BACKTRACE_WAKER_PANIC=", "BACKTRACE_WAKER_STALL_MS="] {
        assert!(said.contains(variable), "{said}");
    }
}

#[test]
fn a_bad_value_of_the_operators_is_said_and_turns_nothing_on() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reports"));
    let mut reports = Reports::of(command.arg("environment").env("BACKTRACE_WAKER_SIGNAL", "KILL"));
    let warning = reports.until_said(&["BACKTRACE_WAKER_SIGNAL"]);
    assert!(warning.contains("\"KILL\" is ignored: write USR1, USR2, QUIT or off"), "{warning}");
    // The signal does what it does where nobody wants it.
    reports.signal(libc::SIGUSR1);
    assert_eq!(reports.end().0.signal(), Some(libc::SIGUSR1));
}

#[test]
fn a_handler_of_the_programs_is_said_and_called_as_before() {
    let mut reports = Reports::start("handler");
    let warning = reports.until_said(&["SIGUSR1"]);
    assert!(warning.contains("the program has a handler for it, which is called as before"), "{warning}");
    reports.signal(libc::SIGUSR1);
    assert_eq!(reports.printed(), "handled");
    reports.until_said(&["the process got SIGUSR1", WAITS]);
}

#[test]
fn tokios_handler_of_the_programs_is_called_as_before() {
    let mut reports = Reports::start("tokio's handler");
    reports.until_said(&["the program has a handler for it"]);
    reports.signal(libc::SIGUSR1);
    assert_eq!(reports.printed(), "handled");
    reports.until_said(&["the process got SIGUSR1", WAITS]);
}

#[test]
fn a_signal_that_was_ignored_is_said() {
    let mut reports = Reports::start("ignored");
    reports.until_said(&["SIGUSR1: it was ignored, and is not any more"]);
    reports.signal(libc::SIGUSR1);
    reports.until_said(&["the process got SIGUSR1", WAITS]);
}

#[test]
fn after_it_was_stopped_nothing_is_reported_and_nothing_ends() {
    let mut reports = Reports::start("stopped");
    reports.signal(libc::SIGUSR1);
    // A signal that is not caught comes after it, and ends it: so the first one did not.
    reports.until_said(&["after it stopped"]);
    reports.signal(libc::SIGTERM);
    let (status, said) = reports.end();
    assert_eq!(status.signal(), Some(libc::SIGTERM));
    assert!(!said.contains("bw-agent"), "{said}");
}

#[test]
fn an_agent_that_is_started_again_does_not_take_its_own_handler_for_the_programs() {
    let mut reports = Reports::start("started again");
    reports.signal(libc::SIGUSR1);
    let said = reports.until_said(&[WAITS]);
    assert!(said.starts_with("bw-agent: the process got SIGUSR1\n"), "{said}");
}

#[test]
fn a_dump_in_the_folder_is_read_elsewhere() {
    let folder = Folder::new("kept");
    let dumps = folder.path().join("dumps");
    let mut command = Command::new(env!("CARGO_BIN_EXE_reports"));
    let mut reports = Reports::of(command.arg("folder").arg(&dumps));
    for _ in 0..2 {
        reports.signal(libc::SIGUSR1);
        assert_eq!(reports.printed(), "reported signal");
    }
    let mut files: Vec<_> =
        std::fs::read_dir(&dumps).expect("a folder").map(|file| file.expect("an entry").path()).collect();
    files.sort();
    assert_eq!(files.len(), 2, "{files:?}");
    assert!(files.iter().all(|file| file.to_string_lossy().ends_with("-signal.dump.gz")), "{files:?}");
    let read = RawDumpFile::read(File::open(&files[0]).expect("a file")).expect("a dump");
    assert_eq!(read.process().pid, reports.pid());
    let names: Vec<_> = read.dump().tasks().iter().filter_map(bw_core::TaskRecord::name).collect();
    assert_eq!(names, ["waits"]);
    assert!(read.dump().tasks()[0].trace().is_ok());
    let said = reports.kill();
    for (line, file) in said.lines().zip(&files) {
        assert_eq!(
            line,
            format!("bw-agent: {} has a report: the process got SIGUSR1", file.display()),
            "nothing else was printed"
        );
    }
    assert_eq!(said.lines().count(), 2, "{said}");
}

/// As if the disk were full: the process may write no files.
#[test]
fn a_full_disk_is_said_once_and_the_process_goes_on() {
    let folder = Folder::new("full");
    let dumps = folder.path().join("dumps");
    let mut command = Command::new("sh");
    let run = "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\"";
    let mut reports =
        Reports::of(command.args(["-c", run, env!("CARGO_BIN_EXE_reports"), "folder"]).arg(&dumps));
    for _ in 0..3 {
        reports.signal(libc::SIGUSR1);
        assert_eq!(reports.printed(), "reported signal");
    }
    assert_eq!(std::fs::read_dir(&dumps).expect("a folder").count(), 0);
    let said = reports.kill();
    assert_eq!(said.matches("bw-agent: cannot keep a dump in").count(), 1, "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn what_a_callback_panics_with_ends_there() {
    let mut reports = Reports::start("callback panics");
    for _ in 0..3 {
        reports.signal(libc::SIGUSR1);
        // Nor is there a report of that panic, which would panic in turn.
        assert_eq!(reports.printed(), "reported signal");
        reports.until_said(&["a callback", "Sink::callback panicked at a report"]);
    }
}
