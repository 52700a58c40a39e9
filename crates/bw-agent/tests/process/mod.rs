//! This test program once more, as another process: its test of that name, which plays the role that the environment says.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, mpsc};

use crate::support::{Folder, PATIENCE};

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// For a test that cannot run here. Fails where the variable CI is set: there it runs, or somebody skips it by its name.
#[track_caller]
pub(crate) fn cannot_run(reason: &str) {
    let is_ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
    assert!(
        !is_ci,
        "this test cannot run: {reason}; provide that, or skip the test by its name (-- --skip NAME)"
    );
    println!("skipped: {reason}");
}

/// Copies a program, to start the copy. Another process writes it: a file that this one has open for writing cannot be started, and a
/// child that another thread is about to start has what is open, for a moment.
pub(crate) fn copy_program(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}

/// This program, at that test of it.
pub(crate) fn program(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]);
    command
}

/// A copy of it in a folder that everybody may enter, started by that user.
pub(crate) fn of_user(test: &str, user: u32, folder: &Folder) -> Command {
    let copy = folder.join("program");
    if !copy.exists() {
        copy_program(&std::env::current_exe().unwrap(), &copy);
        fs::set_permissions(&copy, Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = Command::new(copy);
    command.args(["--exact", test, "--nocapture"]).uid(user).gid(user).current_dir("/");
    command
}

fn in_mount_namespace(script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script]);
    command
}

/// Whether a file system can be mounted that nobody else sees.
pub(crate) fn may_mount() -> bool {
    let output = in_mount_namespace("mount -t tmpfs none /mnt").output();
    output.is_ok_and(|output| output.status.success())
}

/// With an empty file system at that folder, and an agent there.
pub(crate) fn with_mounted(test: &str, options: &str, folder: &Path) -> Process {
    // A file takes what the root of the file system leaves.
    let script = format!(
        "mount -t tmpfs -o {options} none {0} && touch {0}/full; exec \"$0\" \"$@\"",
        folder.display()
    );
    let mut command = in_mount_namespace(&script);
    command.arg(std::env::current_exe().unwrap()).args(["--exact", test, "--nocapture"]);
    Process::start(command.env("BW_AGENT_ROLE", "agent").env("XDG_RUNTIME_DIR", folder))
}

/// Ends a process that this one did not start, but one of its own did.
pub(crate) fn end(process: i32) {
    let process = rustix::process::Pid::from_raw(process).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
}

/// What a role says, it says in lines that begin so: the test harness writes others.
const SAYS: &str = "bw: ";

/// A process that plays a role. Killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    input: Mutex<Option<ChildStdin>>,
    lines: Mutex<mpsc::Receiver<String>>,
    first: String,
}

impl Process {
    /// With an agent whose folder is in that of the session.
    pub(crate) fn agent(test: &str, session: &Folder) -> Self {
        Self::in_role(test, "agent", session)
    }

    pub(crate) fn in_role(test: &str, role: &str, session: &Folder) -> Self {
        Self::start(program(test).env("BW_AGENT_ROLE", role).env("XDG_RUNTIME_DIR", session.path()))
    }

    /// Waits until it says something: of an agent, where its socket is.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                // The harness does not end its own line before.
                if let Some((_, said)) = line.split_once(SAYS) {
                    let _ = sender.send(said.to_owned());
                }
            }
        });
        let input = Mutex::new(child.stdin.take());
        let mut process = Self { child, input, lines: Mutex::new(lines), first: String::new() };
        process.first = process.line();
        process
    }

    /// The next thing it says.
    pub(crate) fn line(&self) -> String {
        let lines = self.lines.lock().unwrap();
        lines.recv_timeout(PATIENCE).expect("the process says something")
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Where its socket is.
    pub(crate) fn socket(&self) -> &Path {
        assert!(!self.first.starts_with("refused: "), "{}", self.first);
        Path::new(&self.first)
    }

    /// What it said first.
    pub(crate) fn first(&self) -> &str {
        &self.first
    }

    /// Why its agent did not start.
    pub(crate) fn refusal(&self) -> String {
        self.first
            .strip_prefix("refused: ")
            .unwrap_or_else(|| panic!("it started: {}", self.first))
            .to_owned()
    }

    pub(crate) fn go_on(&self) {
        self.input.lock().unwrap().as_mut().unwrap().write_all(b"\n").unwrap();
    }

    /// Lets it end, and waits for that.
    pub(crate) fn ends_well(&mut self) -> bool {
        drop(self.input.lock().unwrap().take());
        self.child.wait().unwrap().success()
    }

    /// Sends it that signal, and waits for its end. Returns the signal that ended it.
    pub(crate) fn ends_by(&mut self, signal: rustix::process::Signal) -> Option<i32> {
        let process = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(process, signal).unwrap();
        self.child.wait().unwrap().signal()
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// All it said on stderr, after its end.
    pub(crate) fn said(&mut self) -> String {
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        said
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the process does that the test starts. Each returns at once in the test itself.
pub(crate) mod role {
    use std::io::Write;
    use std::pin::pin;
    use std::task::{Context, Waker};

    use backtrace_waker::TracedExt;
    use bw_agent::Agent;

    use super::{PathBuf, SAYS};

    fn is(role: &str) -> bool {
        std::env::var_os("BW_AGENT_ROLE").is_some_and(|value| value == role)
    }

    fn say(what: &str) {
        println!("{SAYS}{what}");
        std::io::stdout().flush().unwrap();
    }

    /// Until the test writes a line, or has no more to say.
    fn wait() {
        let mut line = String::new();
        let _ = std::io::stdin().read_line(&mut line);
    }

    fn start() -> Agent {
        match bw_agent::start() {
            Ok(agent) => {
                say(agent.socket().map_or("none", |socket| socket.to_str().unwrap()));
                agent
            }
            Err(error) => {
                say(&format!("refused: {error}"));
                std::process::exit(0);
            }
        }
    }

    /// With a task that nobody polls any more, so that a dump takes as long as it may.
    fn stays(then: impl FnOnce()) -> ! {
        let mut task = pin!(backtrace_waker::traced(std::future::pending::<()>()).0);
        assert!(task.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        then();
        std::process::exit(0);
    }

    pub(crate) fn agent() {
        if is("agent") {
            stays(|| {
                start();
                wait();
            });
        }
    }

    pub(crate) fn two_agents() {
        if is("two agents") {
            stays(|| {
                let first = start();
                let _second = start();
                wait();
                first.stop();
                say("stopped the first");
                wait();
            });
        }
    }

    pub(crate) fn full_disk() {
        if is("full disk") {
            stays(|| {
                let agent = bw_agent::start().unwrap();
                let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
                // SAFETY: reads the limit it is given. Who writes beyond it is sent a signal that is ignored, and told.
                unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const none) };
                // SAFETY: ignores a signal; no handler is replaced that anybody needs.
                unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
                say(agent.socket().unwrap().to_str().unwrap());
                wait();
            });
        }
    }

    pub(crate) fn default_sigpipe() {
        if is("default sigpipe") {
            // SAFETY: no handler is replaced that anybody needs.
            unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
            let long = "x".repeat(150);
            let tasks: Vec<_> =
                (0..3_000).map(|n| std::future::pending::<()>().traced_as(format!("{n} {long}"))).collect();
            stays(|| {
                start();
                wait();
                drop(tasks);
            });
        }
    }

    /// All descriptors are taken until the test says that it goes on.
    pub(crate) fn descriptors() {
        if is("descriptors") {
            stays(|| {
                let agent = bw_agent::start().unwrap();
                let few = libc::rlimit { rlim_cur: 64, rlim_max: 64 };
                // SAFETY: reads the limit it is given.
                unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const few) };
                let taken: Vec<_> =
                    std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).take(1_000).collect();
                say(agent.socket().unwrap().to_str().unwrap());
                wait();
                drop(taken);
                wait();
            });
        }
    }

    pub(crate) fn masked() {
        if is("masked") {
            let mask = u32::from_str_radix(&std::env::var("BW_AGENT_MASK").unwrap(), 8).unwrap();
            // SAFETY: has no preconditions.
            unsafe { libc::umask(mask) };
            stays(|| {
                start();
                wait();
            });
        }
    }

    pub(crate) fn connects() {
        if is("connects") {
            let socket = PathBuf::from(std::env::var_os("BW_AGENT_SOCKET").unwrap());
            let Ok(stream) = std::os::unix::net::UnixStream::connect(socket) else {
                say("cannot connect");
                std::process::exit(0);
            };
            let ask = crate::support::request("GET", "/debug/async/process");
            match crate::support::exchange(stream, &ask) {
                Ok(received) if received.is_empty() => say("closed without an answer"),
                Err(error) => say(&format!(
                    "closed without an answer{}",
                    if error.kind() == std::io::ErrorKind::WouldBlock { ", late" } else { "" }
                )),
                Ok(received) => say(&String::from_utf8_lossy(&received)),
            }
            std::process::exit(0);
        }
    }

    /// A child that ends at once, and one that stays.
    pub(crate) fn forks() {
        if !is("forks") {
            return;
        }
        stays(|| {
            let agent = start();
            match fork() {
                0 => {
                    agent.stop();
                    // SAFETY: ends the process, with what is to be done at its end.
                    unsafe { libc::exit(0) }
                }
                child => {
                    let mut status = 0;
                    // SAFETY: writes to the integer it is given.
                    unsafe { libc::waitpid(child, &raw mut status, 0) };
                    assert_eq!(status, 0);
                    say("the first child has ended");
                }
            }
            wait();
            if fork() == 0 {
                // Whatever becomes of the test, this process ends.
                // SAFETY: has no preconditions.
                unsafe { libc::alarm(120) };
                let own = bw_agent::start().unwrap();
                say(&format!("{} {}", std::process::id(), own.socket().unwrap().display()));
                loop {
                    std::thread::park();
                }
            }
            wait();
        });
    }

    fn fork() -> i32 {
        // SAFETY: the child uses what no other thread holds: the harness' threads wait, and the agent's are idle or asleep.
        unsafe { libc::fork() }
    }
}
