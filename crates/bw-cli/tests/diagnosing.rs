//! `diagnose` as a user runs it, on a program with a deadlock and on one without.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used)]

mod run;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use run::{assert_fails, assert_golden, run};
use tokio::sync::{Barrier, Mutex};

const WITH_DEADLOCK: &str = "DIAGNOSING_WITH_DEADLOCK";

async fn pays(from: Arc<Mutex<u32>>, to: Arc<Mutex<u32>>, met: Arc<Barrier>) {
    let mut purse = from.lock().await;
    met.wait().await;
    *to.lock().await += *purse; // @pays
    *purse = 0;
}

/// A plain tokio program with two tasks.
#[test]
#[ignore = "this is the program that the other tests start"]
fn the_program() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let (one, other) = (Arc::new(Mutex::new(1)), Arc::new(Mutex::new(1)));
        let met = Arc::new(Barrier::new(2));
        // Without a deadlock, the second task waits for what the main thread has.
        let third = if std::env::var_os(WITH_DEADLOCK).is_some() { one.clone() } else { Arc::default() };
        let held = if Arc::ptr_eq(&one, &third) { None } else { Some(third.clone().lock_owned().await) };
        let first = tokio::spawn(pays(one, other.clone(), met.clone()));
        let second = tokio::spawn(pays(other, third, met));
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        println!("\nready");
        tokio::time::sleep(Duration::from_secs(86_400)).await;
        drop((first, second, held));
    });
}

/// The program as it runs. It ends with this value.
struct Started(
    Child,
    #[allow(dead_code, reason = "open as long as the program runs")] BufReader<ChildStdout>,
);

impl Started {
    fn new(with_deadlock: bool) -> Self {
        Self::of(&std::env::current_exe().unwrap(), with_deadlock)
    }

    fn of(program: &Path, with_deadlock: bool) -> Self {
        let mut command = Command::new(program);
        command.args(["the_program", "--exact", "--ignored", "--nocapture"]).stdout(Stdio::piped());
        if with_deadlock {
            command.env(WITH_DEADLOCK, "1");
        }
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while line != "ready\n" {
            line.clear();
            assert!(output.read_line(&mut line).unwrap() > 0);
        }
        Self(child, output)
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn assert_has_deadlock((code, out, err): (i32, String, String)) {
    assert_eq!((code, &*err), (4, ""), "{out}");
    assert!(out.starts_with("deadlock: 2 tasks wait for each other.\n  task "), "{out}");
    let at = include_str!("diagnosing.rs").lines().position(|line| line.ends_with("// @pays")).unwrap() + 1;
    let line = format!("      async fn diagnosing::pays at crates/bw-cli/tests/diagnosing.rs:{at}\n");
    assert_eq!(out.matches(&line).count(), 2, "{out}");
    let holds = "holds it in MutexGuard `purse` of async fn diagnosing::pays (confirmed by drop glue)\n";
    assert_eq!(out.matches(holds).count(), 2, "{out}");
    let counts = "\n1 finding; checked: 2 tasks, of which 2 wait for one lock or one task and nothing else\n";
    assert!(out.ends_with(counts), "{out}");
}

#[test]
fn a_deadlock_is_not_found() {
    let program = Started::new(true);
    assert_has_deadlock(run(&["diagnose", &program.pid()]));
    let (code, out, _) = run(&["diagnose", &program.pid(), "--json"]);
    assert_eq!(code, 4);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&json["version"], &json["findings"][0]["kind"]), (&1.into(), &"deadlock".into()), "{out}");
    let tasks = json["findings"][0]["tasks"].as_array().unwrap();
    assert_eq!(tasks[0]["blockers"][0]["task"], tasks[1]["id"], "{out}");
    assert_eq!(tasks[0]["lines"].as_array().unwrap().len(), 4, "{out}");
}

#[test]
fn a_deadlock_is_not_found_in_a_core_file() {
    let program = Started::new(true);
    let folder = std::env::temp_dir().join(format!("bw-diagnosing-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let written = Command::new("gcore").arg("-o").arg(folder.join("core")).arg(program.pid()).output();
    if let Err(error) = &written {
        println!("not tested, since gcore cannot be run: {error}");
        return;
    }
    let core = folder.join(format!("core.{}", program.pid()));
    assert_has_deadlock(run(&["diagnose", core.to_str().unwrap()]));
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_program_without_a_deadlock_has_a_finding() {
    let program = Started::new(false);
    let (code, out, err) = run(&["diagnose", &program.pid()]);
    assert_eq!((code, &*err), (0, ""), "{out}");
    assert!(out.starts_with("nothing found; checked: 2 tasks, of which "), "{out}");
    let program = program.pid();
    let (code, out, _) = run(&["diagnose", &program, "--json"]);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &json["findings"]), (0, &serde_json::json!([])), "{out}");
}

#[test]
fn a_stripped_program_is_said_to_be_sound() {
    let folder = std::env::temp_dir().join(format!("bw-stripped-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let stripped = folder.join("stripped");
    let strip = Command::new("strip").arg("-o").arg(&stripped).arg(std::env::current_exe().unwrap()).status();
    if !strip.is_ok_and(|status| status.success()) {
        println!("not tested, since strip cannot be run");
        return;
    }
    let program = Started::of(&stripped, true);
    let (code, out, err) = run(&["diagnose", &program.pid()]);
    assert!(
        code == 1
            && out.starts_with("nothing could be checked; checked: 0 tasks, ")
            && out.contains("2 tasks: the debug information of its module was not found\n"),
        "{out}"
    );
    assert!(err.starts_with("backtrace-waker: help: ") && err.contains("--debug-file"), "{err}");
    let whole = std::env::current_exe().unwrap();
    assert_has_deadlock(run(&["diagnose", &program.pid(), "--debug-file", whole.to_str().unwrap()]));
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_process_of_another_kind_is_said_to_be_sound() {
    let mut other = Command::new("sleep").arg("1000").spawn().unwrap();
    let outcome = run(&["diagnose", &other.id().to_string()]);
    other.kill().unwrap();
    other.wait().unwrap();
    assert_fails(outcome, "it uses neither tokio");
}

#[test]
fn what_has_no_memory_is_diagnosed() {
    let (code, out, err) = run(&["diagnose", "nowhere.json.gz"]);
    assert_eq!((code, &*out), (1, ""), "{err}");
    assert!(err.starts_with("backtrace-waker: error: cannot diagnose nowhere.json.gz: "), "{err}");
    assert!(err.contains("help: name a process of this machine, or a core file"), "{err}");
    assert_fails(run(&["diagnose", "./nothing-is-here"]), "./nothing-is-here");
}

#[test]
fn help_is_help() {
    let (code, out, err) = run(&["diagnose", "--help"]);
    assert_eq!((code, &*err), (0, ""));
    assert_golden("diagnose-help", &out);
}
