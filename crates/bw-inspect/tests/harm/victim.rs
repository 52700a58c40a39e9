//! The program that is looked at, started for a test.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use bw_inspect::target::{LiveProcess, Memory as _};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::program;

/// How long a thread may take to come to a state.
const TIME_TO_REST: Duration = Duration::from_secs(30);

/// The program as it runs. It ends with this value.
pub(crate) struct Victim {
    child: Child,
    output: BufReader<ChildStdout>,
    pid: i32,
    /// Where the number of signals is that it handled.
    counter: u64,
}

impl Victim {
    /// Starts it, and waits until all of its threads and tasks wait.
    pub(crate) fn new(mode: &str) -> Self {
        let victim = Self::started(Command::new(std::env::current_exe().unwrap()), mode).unwrap();
        if ["waits", "large"].contains(&mode) {
            victim.wait_until("S");
            victim.wait_for_tasks();
        }
        if mode == "uninterruptible" {
            victim.wait_until_one("D");
            victim.wait_until("SD");
            victim.wait_for_tasks();
        }
        victim
    }

    /// Starts it where it counts processes by itself. `None` if that is not permitted.
    pub(crate) fn in_container() -> Option<Self> {
        let mut command = Command::new("unshare");
        command.args(["--fork", "--pid", "--kill-child"]).arg(std::env::current_exe().unwrap());
        command.stderr(Stdio::null());
        let mut victim = Self::started(command, "waits")?;
        let parent = victim.child.id().to_string();
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let is_child = |pid: &i32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.split(' ').nth(1) == Some(&parent))
        };
        let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        victim.pid = pids.find(is_child)?;
        victim.wait_until("S");
        victim.wait_for_tasks();
        Some(victim)
    }

    fn started(mut command: Command, mode: &str) -> Option<Self> {
        command.args(["the_program", "--exact", "--ignored", "--nocapture"]).env(program::MODE, mode);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut counter = 0;
        let is_ready = output.by_ref().lines().map_while(Result::ok).any(|line| {
            if let Some(address) = line.strip_prefix("counter ") {
                counter = address.parse().unwrap();
            }
            line == "ready"
        });
        let pid = child.id().cast_signed();
        is_ready.then_some(Self { child, output, pid, counter })
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.pid)
    }

    pub(crate) fn open(&self) -> LiveProcess {
        LiveProcess::open(self.pid.unsigned_abs()).unwrap()
    }

    /// How often each system call was interrupted.
    pub(crate) fn interrupted(&mut self) -> BTreeMap<String, u64> {
        writeln!(self.child.stdin.as_ref().unwrap()).unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let counts = line.split_ascii_whitespace().map(|count| count.split_once('=').unwrap());
        counts.map(|(name, count)| (name.to_owned(), count.parse().unwrap())).collect()
    }

    /// How many signals it handled.
    pub(crate) fn handled(&self, process: &LiveProcess) -> u64 {
        let mut bytes = [0; 8];
        process.read(self.counter, &mut bytes).unwrap();
        u64::from_le_bytes(bytes)
    }

    /// The states of its threads.
    fn states(&self) -> Vec<char> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.pid)).into_iter().flatten().flatten();
        let state = |folder: std::path::PathBuf| {
            let stat = fs::read_to_string(folder.join("stat")).ok()?;
            stat.rsplit_once(") ")?.1.chars().next()
        };
        threads.filter_map(|thread| state(thread.path())).collect()
    }

    /// Waits until all of its threads are in one of these states.
    pub(crate) fn wait_until(&self, states: &str) {
        let until = Instant::now() + TIME_TO_REST;
        loop {
            let now = self.states();
            if !now.is_empty() && now.iter().all(|state| states.contains(*state)) {
                return;
            }
            assert!(Instant::now() < until, "{now:?}");
            std::thread::yield_now();
        }
    }

    /// Waits until one of its threads is in one of these states.
    fn wait_until_one(&self, states: &str) {
        let until = Instant::now() + TIME_TO_REST;
        while !self.states().iter().any(|state| states.contains(*state)) {
            assert!(Instant::now() < until, "{:?}", self.states());
            std::thread::yield_now();
        }
    }

    /// Ends the processes that it has started.
    pub(crate) fn end_children(&self) {
        let threads = fs::read_dir(format!("/proc/{}/task", self.pid)).unwrap().flatten();
        let children = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
        let children: Vec<String> = children.collect();
        let children: Vec<i32> = children
            .iter()
            .flat_map(|it| it.split_ascii_whitespace())
            .map(|it| it.parse().unwrap())
            .collect();
        assert!(!children.is_empty());
        children.into_iter().for_each(|child| kill(Pid::from_raw(child), Signal::SIGKILL).unwrap());
    }

    /// Whether a thread of it is traced.
    pub(crate) fn is_traced(&self) -> bool {
        let threads = fs::read_dir(format!("/proc/{}/task", self.pid)).unwrap().flatten();
        let mut status = threads.filter_map(|thread| fs::read_to_string(thread.path().join("status")).ok());
        status.any(|status| !status.contains("\nTracerPid:\t0\n"))
    }

    fn wait_for_tasks(&self) {
        let until = Instant::now() + TIME_TO_REST;
        let process = self.open();
        let are_idle = || {
            let looked = super::look(&process).unwrap();
            let tasks = super::tasks(&looked);
            tasks.len() == 3 && tasks.iter().all(|task| task.trace().is_ok())
        };
        while !are_idle() {
            assert!(Instant::now() < until);
        }
    }

    /// Asserts that nothing stopped it.
    pub(crate) fn assert_runs(&self) {
        let until = Instant::now() + TIME_TO_REST;
        while self.states().iter().any(|state| matches!(state, 'T' | 't')) {
            assert!(Instant::now() < until, "{:?}", self.states());
            std::thread::yield_now();
        }
        assert!(!self.states().is_empty());
    }

    /// Ends it.
    pub(crate) fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.end();
    }
}
