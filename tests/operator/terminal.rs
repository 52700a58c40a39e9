//! A person at a terminal: the command `backtrace-waker`, and the program it is asked about.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

/// The command, built as it is now: it is in no package that this one may depend on.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let cargo = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "backtrace-waker-cli", "--message-format", "json"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(cargo.status.success());
        let messages = String::from_utf8(cargo.stdout).unwrap();
        let (_, after) = messages.rsplit_once("\"executable\":\"").expect("one binary was built");
        after.split_once('"').unwrap().0.into()
    })
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
    let mut command = Command::new(binary());
    command
        .args(arguments)
        .stdin(Stdio::null())
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap());
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
        Self::start_file(Path::new(env!("CARGO_BIN_EXE_operated")), change)
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
