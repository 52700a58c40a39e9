//! The command does no harm to a process that it reads, and says why it may not read another one.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used)]

mod run;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::unistd::geteuid;
use run::{command, copy_program, ended, run};

/// How long a process may take to run on.
const TIME_TO_GO_ON: Duration = Duration::from_secs(30);
/// The variable that makes the program protect itself.
const UNDUMPABLE: &str = "HARM_UNDUMPABLE";
/// A user that is not root.
const NOBODY: u32 = 65_534;

/// A plain tokio program with some threads.
#[test]
#[ignore = "this is the program that the other tests start"]
fn the_program() {
    if std::env::var_os(UNDUMPABLE).is_some() {
        nix::sys::prctl::set_dumpable(false).unwrap();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for _ in 0..8 {
        std::thread::spawn(|| std::thread::sleep(Duration::from_secs(86_400)));
    }
    runtime.block_on(async {
        tokio::spawn(tokio::time::sleep(Duration::from_secs(86_400)));
        tokio::task::yield_now().await;
        println!("\nready");
        tokio::time::sleep(Duration::from_secs(86_400)).await;
    });
}

struct Started(Child);

impl Started {
    fn new() -> Self {
        Self::of(Command::new(std::env::current_exe().unwrap()))
    }

    fn of(mut command: Command) -> Self {
        command.args(["the_program", "--exact", "--ignored", "--nocapture"]).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines().map(Result::unwrap);
        assert!(lines.any(|line| line == "ready"));
        Self(child)
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }

    /// Whether a thread of it is stopped or traced.
    fn is_held(&self) -> bool {
        let threads = fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap().flatten();
        let mut status = threads.map(|thread| fs::read_to_string(thread.path().join("status")).unwrap());
        status.any(|it| {
            let is_stopped = it.contains("\nState:\tT") || it.contains("\nState:\tt");
            is_stopped || !it.contains("\nTracerPid:\t0\n")
        })
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_killed_command_leaves_threads_stopped() {
    let program = Started::new();
    let mut was_held = false;
    for number in 0..40_u32 {
        let watch = ["watch", &program.pid(), "--stop", "--interval", "10ms", "--max-pause", "1s"];
        let mut watching = command(&watch).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Each time it is killed a little later; every second time when it holds a thread.
        let from = Instant::now();
        while from.elapsed() < Duration::from_millis(u64::from(number) * 7) || number % 2 == 1 {
            if number % 2 == 1 && program.is_held() {
                was_held = true;
                break;
            }
            assert!(from.elapsed() < TIME_TO_GO_ON);
        }
        watching.kill().unwrap();
        watching.wait().unwrap();
        let until = Instant::now() + TIME_TO_GO_ON;
        while program.is_held() {
            assert!(Instant::now() < until, "after {} ms", number * 7);
        }
    }
    assert!(was_held);
    let (code, out, err) = run(&["dump", &program.pid(), "--stop"]);
    assert_eq!((code, &*err), (0, ""), "{out}");
    assert!(out.starts_with("read from memory; its threads were stopped for "), "{out}");
    assert!(out.contains(" ms\n2 tasks: 2 suspended; taken at "), "{out}");
    let (_, out, _) = run(&["dump", &program.pid(), "--stop", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert!(json["source"] == "memory" && json["pause_ms"].as_f64().is_some_and(|it| it > 0.0), "{out}");
}

/// Kills one dump after the other, each a little later: so many while it reads and emulates, and so many while it symbolizes.
#[test]
fn a_killed_dump_holds_the_process_or_changes_it() {
    const STEPS: u32 = 5;

    let program = Started::new();
    for option in ["--memory", "--stop"] {
        let arguments = ["dump", &program.pid(), option, "--json"];
        let from = Instant::now();
        let (code, out, err) = run(&arguments);
        let whole = from.elapsed();
        assert_eq!(code, 0, "{err}");
        let json: serde_json::Value = serde_json::from_str(&out).unwrap();
        let looking = Duration::from_secs_f64(json["took_ms"].as_f64().unwrap() / 1e3).min(whole);
        let moments = (0..STEPS).map(|step| looking * step / STEPS);
        let later = (0..STEPS).map(|step| looking + (whole - looking) * step / STEPS);
        for moment in moments.chain(later) {
            let mut dumping =
                command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            let from = Instant::now();
            while from.elapsed() < moment {
                // A look without a stop never holds it.
                assert!(option == "--stop" || !program.is_held());
                std::thread::yield_now();
            }
            dumping.kill().unwrap();
            dumping.wait().unwrap();
            let until = Instant::now() + TIME_TO_GO_ON;
            while program.is_held() {
                assert!(Instant::now() < until, "{option}: after {moment:?} of {whole:?}");
            }
        }
        let (code, out, err) = run(&["dump", &program.pid(), option]);
        assert!(code == 0 && out.contains("\n2 tasks: 2 suspended; taken at "), "{out}{err}");
    }
}

#[test]
fn what_cannot_be_stopped_is_dumped_without_a_stop() {
    let (code, _, err) = run(&["dump", "nowhere.json", "--stop"]);
    assert!(
        code == 1
            && err.contains("error: cannot stop nowhere.json: --stop is for processes of this machine\n"),
        "{err}"
    );
    assert!(err.contains("help: "), "{err}");
    let (code, _, err) = run(&["dump", "1", "--max-pause", "5ms"]);
    assert!(code == 2 && err.contains("--stop"), "{err}");
}

/// Copies a program to where everybody can run it.
fn for_everybody(program: &Path, folder: &Path) -> PathBuf {
    let path = folder.join(program.file_name().unwrap());
    copy_program(program, &path);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// A folder with copies of the command and of the program that everybody can run, and how another user runs them.
struct OfNobody {
    folder: PathBuf,
    command: PathBuf,
    program: PathBuf,
}

impl OfNobody {
    /// `None` for whoever cannot become another user.
    fn new(name: &str) -> Option<Self> {
        if !geteuid().is_root() {
            println!("not tested, since only root can become another user");
            return None;
        }
        let folder = std::env::temp_dir().join(format!("bw-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        let command = for_everybody(Path::new(env!("CARGO_BIN_EXE_backtrace-waker")), &folder);
        let program = for_everybody(&std::env::current_exe().unwrap(), &folder);
        Some(Self { folder, command, program })
    }

    fn run(program: &Path) -> Command {
        let mut command = Command::new(program);
        command.uid(NOBODY).gid(NOBODY).current_dir("/");
        command
    }

    fn dump(&self, pid: &str, option: &str) -> (i32, String, String) {
        ended(&Self::run(&self.command).args(["dump", pid, option]).output().unwrap())
    }
}

impl Drop for OfNobody {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn a_process_that_protects_itself_is_called_one_of_another_user() {
    let Some(nobody) = OfNobody::new("protected") else { return };
    let mut program = OfNobody::run(&nobody.program);
    program.env(UNDUMPABLE, "1");
    let program = Started::of(program);
    let pid = program.pid();
    for option in ["--memory", "--stop"] {
        let (code, out, err) = nobody.dump(&pid, option);
        assert_eq!((code, &*out), (1, ""), "{err}");
        let error = format!(
            "error: cannot read the memory of process {pid}: the process is protected, because it changed its user, holds \
             capabilities or asked for it (PR_SET_DUMPABLE)\n"
        );
        assert!(err.contains(&error), "{err}");
        assert!(
            err.contains(&format!("help: run the command as root: sudo backtrace-waker … {pid}\n")),
            "{err}"
        );
        // As that says.
        let (code, out, err) = run(&["dump", &pid, option]);
        assert!(code == 0 && out.contains("\n2 tasks: "), "{out}{err}");
    }
}

#[test]
fn a_command_that_can_gain_no_rights_reads_nothing() {
    let Some(nobody) = OfNobody::new("no-new-privileges") else { return };
    let program = Started::of(OfNobody::run(&nobody.program));
    let dump = Command::new("setpriv")
        .args([
            "--reuid",
            &NOBODY.to_string(),
            "--regid",
            &NOBODY.to_string(),
            "--clear-groups",
            "--no-new-privs",
        ])
        .arg(&nobody.command)
        .args(["dump", &program.pid(), "--stop"])
        .output();
    match dump {
        Ok(dump) => {
            let (code, out, err) = ended(&dump);
            assert!(code == 0 && out.contains("\n2 tasks: "), "{out}{err}");
        }
        Err(error) => println!("not tested, since setpriv cannot be run: {error}"),
    }
}

#[test]
fn another_user_is_refused_without_help_and_the_same_user_is_refused() {
    let Some(nobody) = OfNobody::new("users") else { return };
    let of_root = Started::new();
    for option in ["--memory", "--stop"] {
        let (code, _, err) = nobody.dump(&of_root.pid(), option);
        assert!(code == 1 && err.contains("it runs as another user (uid 0)\n"), "{err}");
        assert!(
            err.contains(&format!(
                "help: run the command as root: sudo backtrace-waker … {}\n",
                of_root.pid()
            )),
            "{err}"
        );
    }
    let own = Started::of(OfNobody::run(&nobody.program));
    for (option, line) in [
        ("--memory", "read from memory; no thread was stopped\n2 tasks: 2 suspended"),
        ("--stop", "read from memory; its threads were stopped for "),
    ] {
        let until = Instant::now() + TIME_TO_GO_ON;
        // Its main thread may not have come to its wait.
        let (code, out, err) = loop {
            let (code, out, err) = nobody.dump(&own.pid(), option);
            if code != 0 || out.contains("2 tasks: 2 suspended") || Instant::now() > until {
                break (code, out, err);
            }
        };
        assert!(code == 0 && out.starts_with(line), "{out}{err}");
        assert!(out.contains("tokio::time::sleep::Sleep"), "{out}");
    }
}
