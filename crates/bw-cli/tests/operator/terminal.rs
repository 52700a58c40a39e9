//! A person at a terminal: the command `backtrace-waker`, and the program it is asked about.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The file of the program that is asked: the example `operated`, which cargo builds with the tests of this package. A command line
/// that names this test target alone does not build it.
pub(crate) fn operated() -> PathBuf {
    let file = Path::new(env!("CARGO_BIN_EXE_backtrace-waker")).with_file_name("examples").join("operated");
    assert!(file.exists(), "{} is missing: run cargo build --example operated", file.display());
    file
}

/// Copies a program, to start the copy. Another process writes it: a file that this one has open for writing cannot be started, and a
/// child that another thread is about to start has what is open, for a moment.
pub(crate) fn copy_program(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}

/// What the command printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// The command with these arguments, in the folder of the workspace.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_backtrace-waker"));
    command
        .args(arguments)
        .stdin(Stdio::null())
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap());
    for variable in ["DEBUGINFOD_URLS", "BACKTRACE_WAKER_TOKEN", "XDG_RUNTIME_DIR"] {
        command.env_remove(variable);
    }
    command
}

pub(crate) fn run(arguments: &[&str]) -> Ended {
    ended(command(arguments))
}

pub(crate) fn ended(mut command: Command) -> Ended {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

/// What it prints when all is well.
#[track_caller]
pub(crate) fn printed(arguments: &[&str]) -> String {
    let Ended { code, out, err } = run(arguments);
    assert_eq!(code, 0, "{arguments:?}: {err}");
    out
}

/// The program `operated`, running. Killed when dropped.
pub(crate) struct Program {
    child: Child,
    orders: ChildStdin,
    lines: BufReader<ChildStdout>,
}

impl Program {
    /// Starts it, and waits until it is ready.
    pub(crate) fn start(change: impl FnOnce(&mut Command)) -> Self {
        Self::start_file(&operated(), change)
    }

    pub(crate) fn start_file(file: &Path, change: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(file);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).env_remove("XDG_RUNTIME_DIR");
        change(&mut command);
        // A file that was just written is busy for as long as a child that another test forks meanwhile has it open.
        let spawned = loop {
            match command.spawn() {
                Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
                spawned => break spawned,
            }
        };
        let mut child = spawned.unwrap();
        let (orders, lines) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut program = Self { child, orders, lines };
        program.wait_for("ready");
        program
    }

    pub(crate) fn pid(&self) -> String {
        self.child.id().to_string()
    }

    /// Gives an order and waits until it says so.
    pub(crate) fn order(&mut self, order: &str, answer: &str) {
        writeln!(self.orders, "{order}").unwrap();
        self.wait_for(answer);
    }

    fn wait_for(&mut self, wanted: &str) {
        let mut line = String::new();
        assert_ne!(self.lines.read_line(&mut line).unwrap(), 0, "it ended before it was {wanted}");
        assert_eq!(line.trim_end(), wanted);
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
