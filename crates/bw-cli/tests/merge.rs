//! `merge` as a user runs it. `BW_UPDATE=1` writes the goldens anew.

// Functions that tests call are no tests to clippy.
#![allow(clippy::unwrap_used)]

#[allow(dead_code)]
mod program;

mod run;

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use program::Program;
use run::{assert_golden, command, dumps, ended};

/// Runs `merge` with that on stdin.
fn merge(arguments: &[&str], stdin: &str) -> (i32, String, String) {
    let mut command = command(&[&["merge"], arguments].concat());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Whoever does not read it has no use for it.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    ended(&child.wait_with_output().unwrap())
}

#[test]
fn two_dumps_of_one_program_are_printed_once() {
    for (name, arguments) in [
        ("text", &["nowhere.json", "nowhere.json.gz"][..]),
        ("json", &["nowhere.json", "nowhere.json.gz", "--json"]),
        ("folded", &["nowhere.json", "nowhere.json.gz", "--format=folded"]),
    ] {
        let (code, out, err) = merge(arguments, "");
        assert_golden(&format!("merge.{name}"), &out);
        assert_golden("nowhere.stderr", &err);
        assert_eq!(code, 0);
    }
}

#[test]
fn the_order_of_files_does_not_show() {
    let (_, one, _) = merge(&["nowhere.json", "nowhere.json.gz"], "");
    let (_, other, _) = merge(&["nowhere.json.gz", "nowhere.json"], "");
    assert_eq!(one, other);
}

#[test]
fn help_is_help() {
    let (code, out, err) = merge(&["--help"], "");
    assert_eq!((code, &*err), (0, ""));
    assert_golden("merge-help", &out);
}

#[test]
fn a_flame_graph_is_a_picture_of_all_of_them() {
    let (code, out, _) = merge(&["nowhere.json", "nowhere.json.gz", "--format", "flamegraph"], "");
    assert_eq!(code, 0);
    for part in [
        "Where 14 async tasks wait: 2 dumps, 2026-09-21T14:13:20Z",
        "<title>shop+0xf (6 tasks, 33.33%)</title>",
        "<title>never_polled (2 tasks, 11.11%)</title>",
    ] {
        assert!(out.contains(part), "{part} in {out}");
    }
}

#[test]
fn a_profile_goes_to_a_file() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("merged.pb.gz");
    let (code, out, _) = merge(&["nowhere.json", "--format", "pprof", "-o", path.to_str().unwrap()], "");
    assert_eq!((code, &*out), (0, ""));
    assert!(std::fs::read(path).unwrap().starts_with(&[0x1f, 0x8b]));
}

#[test]
fn files_that_cannot_be_read_are_skipped_and_told() {
    let files = ["nowhere.json", "missing\u{1b}[31m.gz", "../merge.rs"];
    let (code, out, err) = merge(&files, "");
    assert_eq!(code, 0);
    assert!(out.starts_with("1 dump, 7 tasks: "), "{out}");
    assert!(err.contains("warning: skipped: missing\\u{1b}[31m.gz: No such file"), "{err}");
    assert!(err.contains("warning: skipped: ../merge.rs is no raw dump file: "), "{err}");
    let (code, strict, err) = merge(&[&files[..], &["--strict"]].concat(), "");
    assert_eq!((code, strict), (1, out));
    assert!(err.contains("error: "), "{err}");
}

#[test]
fn of_a_hundred_missing_files_twenty_are_named() {
    let list: String = (0..100).map(|number| format!("missing-{number}\n")).collect();
    let (code, out, err) = merge(&["--files-from", "-"], &list);
    assert_eq!((code, &*out), (1, ""));
    assert_eq!(err.matches("skipped: missing-").count(), 20);
    assert!(err.contains("skipped: 80 more files"), "{err}");
    assert!(err.contains("error: no raw dump file could be read"), "{err}");
}

#[test]
fn the_list_of_files_may_come_from_a_file_or_from_stdin() {
    let (_, both, _) = merge(&["nowhere.json", "nowhere.json.gz"], "");
    let list = Path::new(env!("CARGO_TARGET_TMPDIR")).join("merge.list");
    std::fs::write(&list, "nowhere.json\n\nnowhere.json.gz").unwrap();
    let (code, out, _) = merge(&["--files-from", list.to_str().unwrap()], "");
    assert_eq!((code, &out), (0, &both));
    let (code, out, _) = merge(&["nowhere.json", "--files-from", "-"], "nowhere.json.gz\n");
    assert_eq!((code, &out), (0, &both));
    let dump = std::fs::read_to_string(dumps().join("nowhere.json")).unwrap();
    let (code, out, _) = merge(&["-"], &dump);
    assert!(code == 0 && out.contains(" of - (process "), "{out}");
    for (arguments, code, message) in [
        (&["-", "--files-from", "-"][..], 1, "not both"),
        (&["--files-from", "missing"], 1, "--files-from missing: No such file"),
        (&["--files-from", "-"], 1, "names no file"),
        (&[], 2, "<FILE>"),
    ] {
        let (ended, _, err) = merge(arguments, "");
        assert_eq!(ended, code, "{err}");
        assert!(err.contains(message), "{err}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn each_build_is_symbolized_by_its_own_file() {
    let (old, new) = (Program::build("merge-old", &[]), Program::build("merge-new", &["-Copt-level=1"]));
    let nowhere = Path::new("/nonexistent/program");
    let (a, b) = (old.dump("a.json", nowhere), new.dump("b.json", nowhere));
    let (old_file, new_file) = (old.file.to_str().unwrap(), new.file.to_str().unwrap());
    let both = [&*a, &*b, &*a, "--strict", "--debug-file", old_file, "--debug-file", new_file];
    let (_, out, err) = merge(&both, "");
    assert_eq!(out.matches("╼ program::wait_here at /src/program.rs:2:").count(), 2, "{out}{err}");
    assert!(out.contains("2 tasks in 2 processes suspended") && out.contains(&new.build_id), "{out}");
    let (_, out, _) = merge(&[&both[..], &["--across-builds"]].concat(), "");
    assert!(out.contains("3 tasks in 3 processes suspended"), "{out}");
}
