//! Options that have no effect on a target are refused.
#![allow(clippy::unwrap_used)]

mod run;

use run::{run, text};

#[track_caller]
fn assert_refused(arguments: &[&str], message: &str, help: &str) {
    let (code, out, err) = run(arguments);
    assert_eq!((code, &*out), (1, ""), "{arguments:?}: {err}");
    assert_eq!(
        err,
        format!("backtrace-waker: error: {message}\nbacktrace-waker: help: {help}\n"),
        "{arguments:?}"
    );
}

#[test]
fn an_option_of_another_kind_of_target_is_ignored() {
    let leave_out = |option: &str| format!("leave out {option}");
    let name_process = |option: &str| format!("name the process by its number, or leave out {option}");
    let processes = "processes of this machine";
    for command in ["dump", "tree", "top"] {
        let run = |options: &[&str], is_for: &str, help: &str| {
            let arguments = [&[command, "nowhere.json"], options].concat();
            let message = format!("{} has no effect on nowhere.json: it is for {is_for}", options[0]);
            assert_refused(&arguments, &message, help);
        };
        run(&["--memory"], processes, &name_process("--memory"));
        run(&["--exe", "shop"], "core files", &leave_out("--exe"));
        run(&["--timeout", "1s"], "agents", &leave_out("--timeout"));
        run(&["--token", "secret"], "agents at URLs", &leave_out("--token"));
    }
    assert_refused(
        &["dump", "nowhere.json", "--stop", "--max-pause", "20ms"],
        "cannot stop nowhere.json: --stop is for processes of this machine",
        &name_process("--stop"),
    );
    assert_refused(
        &["top", "nowhere.json", "--json", "--interval", "1s"],
        "--interval has no effect on nowhere.json: a file does not change",
        "leave out --interval",
    );
    assert_refused(
        &["dump", "nowhere.json", "--format", "raw", "--strict"],
        "--strict has no effect on a raw dump, which has addresses instead of names",
        "leave out --strict, and give it to the command that prints the raw dump",
    );
    assert_refused(
        &["diff", "nowhere.json", "nowhere.json.gz", "--exe", "shop"],
        "--exe has no effect on nowhere.json and nowhere.json.gz: it is for core files",
        "leave out --exe",
    );
    // These have an effect.
    for options in [["--max-bytes", "1000000"], ["--filter", "id:1"]] {
        let (code, _, err) = run(&[&["dump", "nowhere.json"][..], &options].concat());
        assert_eq!(code, 0, "{err}");
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn an_option_of_files_or_agents_is_ignored_for_memory() {
    let pid = std::process::id().to_string();
    let of_process = |options: &[&str], message: &str| {
        let arguments = [&["dump", &pid], options].concat();
        let option = options.iter().find(|option| message.starts_with(**option)).unwrap();
        assert_refused(&arguments, message, &format!("leave out {option}"));
    };
    let named = |what: &str| format!(" has no effect on process {pid}: it is for {what}");
    of_process(&["--memory", "--exe", "shop"], &format!("--exe{}", named("core files")));
    of_process(&["--memory", "--timeout", "1s"], &format!("--timeout{}", named("agents")));
    of_process(&["--stop", "--token", "t"], &format!("--token{}", named("agents at URLs")));
    of_process(
        &["--memory", "--max-bytes", "10"],
        &format!("--max-bytes{}", named("agents and raw dump files")),
    );
    // Of two targets, it has an effect on one.
    let (code, out, err) = run(&["diff", "nowhere.json", &pid, "--memory"]);
    assert!(code == 0 && err.contains("the two dumps are of different processes"), "{out}{err}");
}

#[test]
fn a_pause_without_a_unit_is_taken_for_seconds() {
    let output = run::command(&["dump", "7", "--stop", "--max-pause", "10"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let err = text(&output.stderr);
    assert!(err.contains("10 has no unit: write 10ms"), "{err}");
}
