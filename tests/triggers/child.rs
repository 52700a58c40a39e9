//! A program that is looked at from outside.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;

/// `reports`, until this is dropped. It ends by itself after a minute, so nobody here waits for ever.
pub(crate) struct Reports {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
    said: String,
    readers: Vec<JoinHandle<()>>,
}

impl Reports {
    /// When it is ready.
    pub(crate) fn start(how: &str) -> Self {
        Self::of(Command::new(env!("CARGO_BIN_EXE_reports")).arg(how))
    }

    pub(crate) fn of(command: &mut Command) -> Self {
        let mut reports = Self::begin(command);
        reports.until_printed("ready");
        reports
    }

    pub(crate) fn begin(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("a program");
        let (stdout, reads_stdout) = lines(child.stdout.take().expect("piped"));
        let (stderr, reads_stderr) = lines(child.stderr.take().expect("piped"));
        Self { child, stdout, stderr, said: String::new(), readers: vec![reads_stdout, reads_stderr] }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: i32) {
        let pid = libc::pid_t::try_from(self.child.id()).expect("a number of a process");
        // SAFETY: touches no memory; the child was not waited for, so the number is its.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    }

    /// The next line of stdout.
    pub(crate) fn printed(&mut self) -> String {
        self.stdout.recv().unwrap_or_else(|_| panic!("it ended; on stderr:\n{}", self.all_said()))
    }

    pub(crate) fn until_printed(&mut self, line: &str) {
        while self.printed() != line {}
    }

    /// What was said on stderr since the last time, until it has all of these.
    pub(crate) fn until_said(&mut self, parts: &[&str]) -> String {
        while !parts.iter().all(|part| self.said.contains(part)) {
            let Ok(line) = self.stderr.recv() else {
                panic!("it ended without saying all of {parts:?}:\n{}", self.said);
            };
            self.said += &line;
            self.said.push('\n');
        }
        std::mem::take(&mut self.said)
    }

    /// What is left on stderr, when it has ended by itself.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().expect("it was not waited for");
        (status, self.all_said())
    }

    /// What is left on stderr, after it was killed.
    pub(crate) fn kill(mut self) -> String {
        self.child.kill().expect("it runs");
        self.all_said()
    }

    fn all_said(&mut self) -> String {
        let mut said = std::mem::take(&mut self.said);
        for line in &self.stderr {
            said += &line;
            said.push('\n');
        }
        said
    }
}

impl Drop for Reports {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
    }
}

/// The lines, as they come.
fn lines(from: impl Read + Send + 'static) -> (Receiver<String>, JoinHandle<()>) {
    let (sender, receiver) = channel();
    let reads = std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    (receiver, reads)
}

/// An empty folder, removed at the end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("bw-triggers-{}-{name}", std::process::id()));
        std::fs::create_dir(&path).expect("a folder");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
