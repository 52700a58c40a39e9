//! Another process of this program, which answers each line that it is told with one. Dropped, it is waited for.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The process.
pub(crate) struct HelperProcess {
    process: Child,
    tell: Option<ChildStdin>,
    said: BufReader<ChildStdout>,
}

impl HelperProcess {
    /// Starts it with these arguments, and waits until it says `ready`.
    pub(crate) fn start(arguments: &[&str]) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("{arguments:?} does not start: {error}");
        let mut process = Command::new(std::env::current_exe().map_err(failed)?)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let (Some(tell), Some(said)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(format!("{arguments:?} has no pipes"));
        };
        let mut helper = Self { process, tell: Some(tell), said: BufReader::new(said) };
        match helper.hear()?.as_str() {
            "ready" => Ok(helper),
            other => Err(format!("{arguments:?} said {other:?}")),
        }
    }

    /// Tells it a line, and waits for its answer.
    pub(crate) fn ask(&mut self, line: &str) -> Result<String, String> {
        let tell = self.tell.as_mut().ok_or("the other process was told to stop")?;
        writeln!(tell, "{line}").map_err(|error| format!("the other process is gone: {error}"))?;
        self.hear()
    }

    fn hear(&mut self) -> Result<String, String> {
        let mut line = String::new();
        let read = self.said.read_line(&mut line);
        read.map_err(|error| format!("the other process is gone: {error}"))?;
        Ok(line.trim_end().to_owned())
    }
}

impl Drop for HelperProcess {
    fn drop(&mut self) {
        // The end of its input is its end.
        drop(self.tell.take());
        let _ = self.process.wait();
    }
}

/// Says a line to the process that started this one.
pub(crate) fn say(line: &str) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|error| error.to_string())
}
