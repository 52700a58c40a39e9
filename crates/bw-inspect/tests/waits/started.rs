//! The program, started for a test.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use bw_core::NoTrace;
use bw_dump::RawDumpFile;
use bw_inspect::target::{LiveProcess, OpenError};
use bw_inspect::{Inspection, Limits, inspect};

/// How long tasks may take to come to rest.
const TIME_TO_REST: Duration = Duration::from_secs(30);

/// A task of the program, as the program says.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) id: u64,
    pub(crate) name: String,
    /// Labels of lines, root first, for each place that it waits at.
    pub(crate) stacks: Vec<Vec<String>>,
}

/// The program as it runs. It ends with this value.
#[derive(Debug)]
pub(crate) struct Started {
    child: Child,
    output: BufReader<ChildStdout>,
    tasks: Vec<Expected>,
}

impl Started {
    /// Starts the program, and waits until all of its tasks are spawned.
    pub(crate) fn new() -> Self {
        Self::with(|_| ())
    }

    /// As [`new`](Self::new), with what `set` sets.
    pub(crate) fn with(set: impl FnOnce(&mut Command)) -> Self {
        let arguments = ["the_program", "--exact", "--ignored", "--nocapture"];
        // Of another architecture, and then in an emulator of its processor: see `ci/aarch64`.
        let mut command = match std::env::var_os("BW_AARCH64_PROGRAM") {
            Some(program) => {
                let mut command = Command::new("qemu-aarch64-static");
                command.arg(program);
                command
            }
            None => Command::new(std::env::current_exe().unwrap()),
        };
        command.args(arguments);
        Self::of(command, set)
    }

    /// As [`with`](Self::with), after a shell has run `before`.
    pub(crate) fn with_shell(before: &str, set: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{before}; exec \"$0\" the_program --exact --ignored --nocapture")]);
        command.arg(std::env::current_exe().unwrap());
        Self::of(command, set)
    }

    fn of(mut command: Command, set: impl FnOnce(&mut Command)) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        set(&mut command);
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let lines = output.by_ref().lines().map(Result::unwrap);
        // The harness prints lines of its own before.
        let lines = lines.skip_while(|line| line != "tasks").skip(1);
        let tasks = lines.take_while(|line| line != "ready").map(|line| expected(&line)).collect();
        Self { child, output, tasks }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn tasks(&self) -> &[Expected] {
        &self.tasks
    }

    pub(crate) fn open(&self) -> LiveProcess {
        self.open_or_error().unwrap()
    }

    pub(crate) fn open_or_error(&self) -> Result<LiveProcess, OpenError> {
        LiveProcess::open(self.child.id())
    }

    /// Looks at it again and again until none of its tasks waits to be polled.
    pub(crate) fn inspect_when_idle(&self) -> Inspection {
        let process = self.open();
        let until = Instant::now() + TIME_TO_REST;
        loop {
            let inspection = inspect(&process, &Limits::default()).unwrap();
            let is_busy = |id: u64| {
                let mut tasks = inspection.dump().tasks().iter();
                let task = tasks.find(|task| task.id().get() == id);
                task.is_none_or(|task| {
                    matches!(task.trace(), Err(NoTrace::Queued | NoTrace::Running | NoTrace::Moved))
                })
            };
            let busy: Vec<_> = self.tasks.iter().filter(|task| is_busy(task.id)).collect();
            if busy.is_empty() {
                return inspection;
            }
            assert!(Instant::now() < until, "{busy:?} do not rest");
            std::thread::yield_now();
        }
    }

    /// Has it ask its own tasks, and returns what they answered.
    pub(crate) fn ask(&mut self) -> RawDumpFile<'static> {
        let path = std::env::temp_dir().join(format!("waits-{}.dump", self.child.id()));
        writeln!(self.child.stdin.as_ref().unwrap(), "{}", path.display()).unwrap();
        let mut answer = String::new();
        self.output.read_line(&mut answer).unwrap();
        assert_eq!(answer, "Ok(())\n");
        let file = RawDumpFile::read(File::open(&path).unwrap()).unwrap();
        std::fs::remove_file(&path).unwrap();
        file
    }

    /// Ends it.
    pub(crate) fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.end();
    }
}

fn expected(line: &str) -> Expected {
    let mut words = line.split(' ');
    let id = words.next().unwrap().parse().unwrap();
    let name = words.next().unwrap().to_owned();
    let labels = |word: &str| word.split('/').filter(|label| !label.is_empty()).map(str::to_owned).collect();
    // Without stacks, the line ends with a space.
    let stacks = words.collect::<Vec<_>>();
    let stacks = if stacks == [""] { Vec::new() } else { stacks.into_iter().map(labels).collect() };
    Expected { id, name, stacks }
}
