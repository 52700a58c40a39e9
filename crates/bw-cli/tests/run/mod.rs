//! Runs the command as a user does. `BW_UPDATE=1` writes the goldens anew.

// Each test has this module, and not all of them need all of it.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

pub(crate) fn dumps() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dumps")
}

/// The command, in a folder that no path in a dump is below, and without what a developer's environment may have.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_backtrace-waker"));
    command.current_dir(dumps()).args(arguments).stdin(Stdio::null());
    for variable in ["NO_COLOR", "TERM", "DEBUGINFOD_URLS", "BACKTRACE_WAKER_TOKEN"] {
        command.env_remove(variable);
    }
    command
}

/// Copies a program, to start the copy. Another process writes it: a file that this one has open for writing cannot be started, and a
/// child that another thread is about to start has what is open, for a moment.
pub(crate) fn copy_program(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}

pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

pub(crate) fn run(arguments: &[&str]) -> (i32, String, String) {
    ended(&command(arguments).output().unwrap())
}

pub(crate) fn ended(output: &Output) -> (i32, String, String) {
    let code = output.status.code().expect("not ended by a signal");
    (code, text(&output.stdout).into(), text(&output.stderr).into())
}

#[track_caller]
pub(crate) fn assert_golden(name: &str, printed: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens").join(name);
    if std::env::var_os("BW_UPDATE").is_some() {
        std::fs::write(&path, printed).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(printed == golden, "{name} differs; if it should, run with BW_UPDATE=1. Printed:\n{printed}");
}

/// One line on stderr that says so, nothing on stdout, and 1.
#[track_caller]
pub(crate) fn assert_fails((code, out, err): (i32, String, String), message: &str) {
    assert!(err.contains(message), "{message:?} is not in {err}");
    assert_eq!((code, &*out), (1, ""), "{err}");
    assert!(err.starts_with("backtrace-waker: error: ") && err.lines().count() == 1, "{err}");
    assert!(!err.contains(|c: char| c.is_control() && c != '\n'), "{err:?}");
}
