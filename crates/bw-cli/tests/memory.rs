//! Programs without an agent: their memory is read.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used)]

mod run;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use run::run;

/// How long the task may take to come to rest.
const TIME_TO_REST: Duration = Duration::from_secs(30);

async fn waits_for_an_answer(answer: tokio::sync::oneshot::Receiver<()>) {
    let _ = answer.await;
}

/// A task whose type says nothing.
fn boxed(answer: tokio::sync::oneshot::Receiver<()>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(waits_for_an_answer(answer))
}

/// A plain tokio program: it has two tasks.
#[test]
#[ignore = "this is the program that the other tests start and look at"]
fn the_program() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let (never, answer) = tokio::sync::oneshot::channel();
        tokio::spawn(boxed(answer));
        tokio::spawn(tokio::time::sleep(Duration::from_secs(86_400)));
        println!("\nready");
        tokio::time::sleep(Duration::from_secs(86_400)).await;
        drop(never);
    });
}

struct Started(Child);

impl Started {
    fn new() -> Self {
        Self::of(&std::env::current_exe().unwrap())
    }

    fn of(program: &Path) -> Self {
        let mut command = Command::new(program);
        command.args(["the_program", "--exact", "--ignored", "--nocapture"]).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines().map(Result::unwrap);
        assert!(lines.any(|line| line == "ready"));
        let started = Self(child);
        let until = Instant::now() + TIME_TO_REST;
        while !started.run("dump", &[]).1.contains("3 tasks: 3 suspended") {
            assert!(Instant::now() < until, "{:?}", started.run("dump", &[]));
        }
        started
    }

    fn run(&self, command: &str, more: &[&str]) -> (i32, String, String) {
        run(&[&[command, &self.0.id().to_string()], more].concat())
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_program_without_an_agent_is_not_read() {
    let program = Started::new();
    let (code, out, err) = program.run("dump", &[]);
    assert_eq!((code, &*err), (0, ""), "{out}");
    assert!(
        out.starts_with("read from memory; no thread was stopped\n3 tasks: 3 suspended; taken at "),
        "{out}"
    );
    assert!(out.contains("╼ async fn memory::waits_for_an_answer at "), "{out}");
    // Nothing that nobody knows is printed.
    assert!(!out.contains("spawned at") && !out.contains("no poll has returned"), "{out}");

    let (code, out, _) = program.run("dump", &["--memory", "--full", "--filter", "id:2"]);
    assert!(code == 0 && !out.contains("no poll has returned"), "{out}");
    for command in ["tree", "dump"] {
        let (code, out, err) = program.run(command, &["--json"]);
        assert_eq!(code, 0, "{err}");
        let json: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!((&json["source"], &json["partial"]), (&"memory".into(), &false.into()), "{out}");
        assert_eq!(json["tasks"].as_array().unwrap().len(), 3, "{out}");
        assert!(json["tasks"].as_array().unwrap().iter().all(|task| task["incomplete"].is_null()), "{out}");
    }
}

#[test]
fn a_raw_dump_of_memory_loses_where_it_is_from() {
    let program = Started::new();
    let file = std::env::temp_dir().join(format!("memory-{}.dump", program.0.id()));
    let path = file.to_str().unwrap();
    let (code, _, err) = program.run("dump", &["--format", "raw", "--output", path]);
    assert_eq!((code, &*err), (0, ""));
    let (code, out, err) = run(&["dump", path]);
    std::fs::remove_file(&file).unwrap();
    assert_eq!((code, &*err), (0, ""));
    assert!(out.starts_with("read from memory; no thread was stopped\n"), "{out}");
    assert!(out.contains("async fn memory::waits_for_an_answer"), "{out}");
}

#[test]
fn a_program_without_tokio_is_read_all_the_same() {
    let mut child = Command::new("sleep").arg("600").stdout(Stdio::null()).spawn().unwrap();
    let pid = child.id().to_string();
    let (without, told) = (run(&["dump", &pid]), run(&["dump", &pid, "--memory"]));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(without.0 == 1 && without.2.contains("has no agent that can be found"), "{without:?}");
    assert!(
        told.0 == 0 && told.1.contains("the program has no code of async tasks that is known"),
        "{told:?}"
    );
    let (code, _, err) = run(&["dump", &pid, "--memory"]);
    assert!(code == 1 && err.contains(&format!("error: no process has the number {pid}\n")), "{err}");
    assert!(err.contains("\nbacktrace-waker: help: "), "{err}");
}

#[test]
fn a_filter_by_time_lets_every_task_pass() {
    let program = Started::new();
    for filter in ["for:5m", "older:1s", "state:suspended,for:5m"] {
        let (code, out, err) = program.run("dump", &["--filter", filter]);
        assert_eq!((code, &*out), (1, ""), "{filter}: {err}");
        assert!(
            err.contains("error: cannot filter by time: memory does not show how long these tasks wait\n")
                && err.contains("help: leave out for: and older:, or wrap tasks with `traced`\n"),
            "{filter}: {err}"
        );
    }
    let (code, out, err) = program.run("dump", &["--filter", "name:for:"]);
    assert_eq!((code, &*err), (0, ""), "{out}");
}

#[test]
fn ps_lists_only_programs_with_an_agent() {
    let program = Started::new();
    let pid = program.0.id();
    let (code, out, err) = run(&["ps"]);
    assert_eq!(code, 0, "{err}");
    let of_program = |line: &&str| line.trim_start().starts_with(&format!("{pid} "));
    let row = out.lines().find(of_program).unwrap_or_else(|| panic!("{out}"));
    assert!(row.contains("Z      2  memory  /"), "{out}");
    // The test itself has code of tokio, and no task.
    let json: serde_json::Value = serde_json::from_str(&run(&["ps", "--json"]).1).unwrap();
    let listed = |pid: u32| json["processes"].as_array().unwrap().iter().find(|it| it["pid"] == pid).unwrap();
    assert_eq!((&listed(pid)["tasks"], &listed(pid)["source"]), (&2.into(), &"memory".into()));
    assert_eq!(listed(std::process::id())["tasks"], 0);
}

#[test]
fn watching_memory_says_each_time_that_nothing_changed_in_three_lines() {
    let program = Started::new();
    let (code, out, err) = program.run("watch", &["--interval", "10ms", "--count", "2"]);
    assert_eq!((code, &*err), (0, ""), "{out}");
    let lines: Vec<&str> = out.lines().collect();
    let [origin, first, polls, "", second, "", third] = *lines else { panic!("{out}") };
    assert_eq!(origin, "read from memory; no thread was stopped");
    assert!(first.contains(&format!("process {}, tasks: 3; read again every", program.0.id())), "{out}");
    assert_eq!(polls, "memory does not show whether tasks are polled in between");
    assert!([second, third].iter().all(|line| line.ends_with(" s later: nothing changed")), "{out}");
}

#[test]
fn a_stopped_process_looks_like_one_that_runs() {
    let program = Started::new();
    let pid = nix::unistd::Pid::from_raw(program.0.id().cast_signed());
    let note = format!("\nthe process is stopped, and `kill -CONT {pid}` makes it go on\n");
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGSTOP).unwrap();
    let until = Instant::now() + TIME_TO_REST;
    while !program.run("dump", &[]).1.contains(&note) {
        assert!(Instant::now() < until, "{:?}", program.run("dump", &[]));
    }
    for command in ["dump", "tree"] {
        let (code, out, err) = program.run(command, &["--stop"]);
        assert!(code == 0 && out.contains(&note), "{out}{err}");
    }
}

#[test]
fn a_filter_by_name_finds_no_task_whose_type_is_hidden_or_not_known() {
    let program = Started::new();
    let pid = program.0.id().to_string();
    let (code, out, err) = program.run("dump", &["--filter", "name:waits_for"]);
    assert_eq!((code, &*err), (0, ""), "{out}");
    assert!(
        out.contains("\n1 task suspended: ") && out.contains("\"async fn memory::waits_for_an_answer\"\n"),
        "{out}"
    );
    let (_, out, _) = program.run("dump", &["--filter", "name:dyn "]);
    assert!(out.contains("\n0 tasks; 3 more do not pass"), "{out}");
    drop(program);

    // Symbols, and no debug information, which has the types.
    let folder = std::env::temp_dir().join(format!("bw-names-{pid}"));
    std::fs::create_dir_all(&folder).unwrap();
    let plain = folder.join("plain");
    let stripped = Command::new("objcopy")
        .arg("--strip-debug")
        .arg(std::env::current_exe().unwrap())
        .arg(&plain)
        .status();
    if !stripped.is_ok_and(|status| status.success()) {
        println!("not tested, since objcopy cannot be run");
        return;
    }
    let program = Started::of(&plain);
    let (code, out, _) = program.run("dump", &["--filter", "name:waits_for"]);
    assert!(code == 0 && out.contains("\"closure in memory::waits_for_an_answer\"\n"), "{out}");
    std::fs::remove_dir_all(&folder).unwrap();
}
