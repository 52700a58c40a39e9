//! The command as a user runs it: what it prints, where, and how it ends. `BW_UPDATE=1` writes the goldens anew.

// Functions that tests call are no tests to clippy.
#![allow(clippy::unwrap_used)]

mod program;
mod run;

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use program::Program;
use run::{assert_golden, command, dumps, ended, run};

#[test]
fn a_dump_whose_modules_are_not_here_prints_with_modules_and_offsets() {
    for (name, arguments) in [
        ("text", &["symbolize", "nowhere.json"][..]),
        ("full", &["symbolize", "--full", "nowhere.json"]),
        ("json", &["symbolize", "nowhere.json", "--format", "json"]),
        ("folded", &["symbolize", "nowhere.json", "--format=folded"]),
        ("folded-full", &["symbolize", "nowhere.json", "--format=folded", "--full"]),
    ] {
        let (code, out, err) = run(arguments);
        assert_golden(&format!("nowhere.{name}"), &out);
        assert_golden("nowhere.stderr", &err);
        assert_eq!(code, 0, "{err}");
    }
}

#[test]
fn a_flame_graph_is_a_picture_of_the_dump() {
    let (code, out, err) = run(&["symbolize", "nowhere.json", "--format", "flamegraph"]);
    assert_golden("nowhere.stderr", &err);
    assert_eq!(code, 0);
    for part in [
        "Where 7 async tasks wait: shop (process 4711), 2026-09-21T14:13:20Z",
        "<title>shop+0xf (3 tasks, 33.33%)</title>",
        "<title>not_polled (1 tasks, 11.11%)</title>",
    ] {
        assert!(out.contains(part), "{part} in {out}");
    }
    assert_eq!(run(&["symbolize", "nowhere.json", "--format", "flamegraph"]).1, out);
}

#[test]
fn a_profile_is_compressed_and_goes_to_pipes() {
    let output = command(&["symbolize", "nowhere.json", "--format", "pprof"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout.starts_with(&[0x1f, 0x8b]));
}

#[test]
fn json_is_json() {
    let (_, out, _) = run(&["symbolize", "nowhere.json", "--format", "json"]);
    let value: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(value["tasks"].as_array().unwrap().len(), 7);
    assert!(out.ends_with("}\n") && out.lines().count() == 1);
}

#[test]
fn strict_fails_when_names_are_missing_and_prints_all_the_same() {
    let (code, out, err) = run(&["symbolize", "nowhere.json", "--strict"]);
    assert_golden("nowhere.text", &out);
    assert_eq!(code, 1);
    assert!(
        err.ends_with("backtrace-waker: error: names or lines are missing, and --strict was given\n"),
        "{err}"
    );
}

#[test]
fn compressed_files_and_pipes_are_read() {
    let (code, out, _) = run(&["symbolize", "nowhere.json.gz"]);
    assert_eq!(code, 0);
    assert_golden("nowhere.text", &out);
    for name in ["nowhere.json", "nowhere.json.gz"] {
        let file = std::fs::File::open(dumps().join(name)).unwrap();
        let (code, out, _) = ended(&command(&["symbolize", "-"]).stdin(file).output().unwrap());
        assert_eq!(code, 0);
        assert_golden("nowhere.text", &out);
    }
}

#[test]
fn help_is_help() {
    for (name, arguments) in [
        ("help", &["--help"][..]),
        ("top-help", &["top", "--help"]),
        ("symbolize-help", &["symbolize", "--help"]),
        ("symbolize-h", &["symbolize", "-h"]),
    ] {
        let (code, out, err) = run(arguments);
        assert_eq!((code, &*err), (0, ""));
        assert_golden(name, &out);
    }
    let (code, out, _) = run(&["--version"]);
    assert_eq!((code, &*out), (0, concat!("backtrace-waker ", env!("CARGO_PKG_VERSION"), "\n")));
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    for (arguments, message) in [
        (&[][..], "Usage: backtrace-waker"),
        (&["symbolise"], "'symbolize'"),
        (&["symbolize"], "<FILE>"),
        (&["symbolize", "nowhere.json", "--format", "xml"], "text, json, folded"),
        (&["symbolize", "nowhere.json", "--debug"], "--debug"),
        (&["symbolize", "nowhere.json", "nowhere.json"], "unexpected argument"),
    ] {
        let (code, out, err) = run(arguments);
        assert_eq!((code, &*out), (2, ""), "{arguments:?}: {err}");
        assert!(err.contains(message), "{err}");
    }
}

#[test]
fn what_cannot_be_read_ends_with_1_and_is_named() {
    for (arguments, message) in [
        (&["symbolize", "missing.json"][..], "missing.json: No such file or directory"),
        (&["symbolize", "."], ". cannot be read: Is a directory"),
        (
            &["symbolize", "../command.rs"],
            "../command.rs is neither a raw dump nor a core file: it is not a JSON object; it begins with \"//! ",
        ),
        (&["symbolize", "-"], "stdin is neither a raw dump nor a core file: it is empty"),
        (&["symbolize", "nowhere.json", "--debug-file", "missing"], "--debug-file missing: No such file"),
        (&["symbolize", "nowhere.json", "--debug-file", "."], "--debug-file .: is not a file"),
        (
            &["symbolize", "nowhere.json", "--debug-dir", "nowhere.json"],
            "--debug-dir nowhere.json: is not a folder",
        ),
        (&["symbolize", "a\u{1b}[31m"], "a\\u{1b}[31m: No such file"),
    ] {
        let (code, out, err) = run(arguments);
        assert_eq!((code, &*out), (1, ""), "{arguments:?}");
        let helps = err.lines().skip(1).filter(|line| line.starts_with("backtrace-waker: help: "));
        assert!(
            err.starts_with("backtrace-waker: error: ") && err.lines().count() == 1 + helps.count(),
            "{err}"
        );
        assert!(err.contains(message), "{err}");
    }
}

#[test]
fn a_later_version_is_refused_with_both_versions() {
    let mut child = command(&["symbolize", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(br#"{"format":"backtrace-waker raw dump","version":2}"#).unwrap();
    let (code, _, err) = ended(&child.wait_with_output().unwrap());
    assert_eq!(code, 1);
    assert!(err.contains("version 2") && err.contains("up to 1"), "{err}");
}

#[test]
fn colours_are_for_terminals_and_for_those_who_ask() {
    let plain = run(&["symbolize", "nowhere.json"]).1;
    assert!(!plain.contains('\u{1b}'));
    assert!(run(&["symbolize", "nowhere.json", "--color=always"]).1.contains("\u{1b}["));
    assert_eq!(run(&["symbolize", "nowhere.json", "--color=never"]).1, plain);
}

#[test]
#[cfg(unix)]
fn a_reader_that_goes_away_is_no_failure() {
    for format in ["text", "json", "folded"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output =
            command(&["symbolize", "nowhere.json", "--format", format]).stdout(writer).output().unwrap();
        let (code, _, err) = ended(&output);
        assert_eq!(code, 0, "{err}");
        assert_golden("nowhere.stderr", &err);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_a_failure() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let (code, _, err) = ended(&command(&["symbolize", "nowhere.json"]).stdout(full).output().unwrap());
    assert_eq!(code, 1);
    assert!(err.contains("cannot write to stdout"), "{err}");
}

#[test]
#[cfg(target_os = "linux")]
fn functions_and_lines_come_from_the_file_where_it_was() {
    let program = Program::build("in_place", &[]);
    let dump = program.dump("in_place.json", &program.file);
    let (code, out, err) = run(&["symbolize", "--strict", &dump]);
    assert_eq!((code, &*err), (0, ""));
    assert!(out.contains("╼ program::wait_here at /src/program.rs:2:"), "{out}");
    let (_, out, _) = run(&["symbolize", &dump, "--format", "folded"]);
    assert_eq!(out, "program::wait_here 1\n");
}

#[test]
#[cfg(target_os = "linux")]
fn functions_and_lines_of_a_program_that_is_not_here_come_from_named_files_and_folders() {
    let program = Program::build("elsewhere", &[]);
    let dump = program.dump("elsewhere.json", Path::new("/nonexistent/program"));
    let (code, out, err) = run(&["symbolize", &dump]);
    assert_eq!(code, 0);
    assert!(!out.contains("wait_here") && out.contains("program+0x"), "{out}");
    assert!(
        err.contains("/nonexistent/program")
            && err.contains(&program.build_id)
            && err.contains("--debug-file"),
        "{err}"
    );

    let (code, out, err) =
        run(&["symbolize", "--strict", &dump, "--debug-file", program.file.to_str().unwrap()]);
    assert_eq!((code, &*err), (0, ""));
    assert!(out.contains("╼ program::wait_here at /src/program.rs:2:"), "{out}");

    let folder = program.file.with_extension("symbols");
    let (begin, end) = program.build_id.split_at(2);
    let by_build_id = folder.join(".build-id").join(begin);
    std::fs::create_dir_all(&by_build_id).unwrap();
    std::fs::copy(&program.file, by_build_id.join(format!("{end}.debug"))).unwrap();
    let (code, out, err) = run(&["symbolize", "--strict", &dump, "--debug-dir", folder.to_str().unwrap()]);
    assert_eq!((code, &*err), (0, ""));
    assert!(out.contains("╼ program::wait_here at /src/program.rs:2:"), "{out}");
}

#[test]
#[cfg(all(target_os = "linux", feature = "debuginfod"))]
fn a_server_is_asked_for_what_is_found_nowhere_else_unless_offline() {
    use std::io::{BufRead, BufReader};

    let program = Program::build("served", &[]);
    let dump = program.dump("served.json", Path::new("/nonexistent/program"));
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", server.local_addr().unwrap());
    let cache = program.file.with_extension("cache");
    let _ = std::fs::remove_dir_all(&cache);
    let ask = |more: &[&str]| {
        let mut command = command(&["symbolize", &dump, "--strict"]);
        command.args(more).env("DEBUGINFOD_URLS", &url).env("DEBUGINFOD_CACHE_PATH", &cache);
        ended(&command.output().unwrap())
    };
    // Nobody answers yet, so this would wait.
    let (code, out, _) = ask(&["--offline"]);
    assert!(code == 1 && !out.contains("wait_here"), "{out}");

    let file = std::fs::read(&program.file).unwrap();
    let answer = std::thread::spawn(move || {
        let (mut stream, _) = server.accept().unwrap();
        let mut request = BufReader::new(stream.try_clone().unwrap()).lines();
        let first = request.next().unwrap().unwrap();
        while request.next().is_some_and(|line| !line.unwrap().is_empty()) {}
        write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", file.len())
            .unwrap();
        stream.write_all(&file).unwrap();
        first
    });
    let (code, out, err) = ask(&[]);
    assert_eq!((code, &*err), (0, ""));
    assert!(out.contains("╼ program::wait_here at /src/program.rs:2:"), "{out}");
    assert_eq!(answer.join().unwrap(), format!("GET /buildid/{}/debuginfo HTTP/1.1", program.build_id));
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_of_another_build_gives_no_names_and_both_build_ids() {
    let (program, other) = (Program::build("right", &[]), Program::build("wrong", &["-Copt-level=1"]));
    assert_ne!(program.build_id, other.build_id);
    let dump = program.dump("right.json", Path::new("/nonexistent/program"));
    let (code, out, err) = run(&["symbolize", &dump, "--debug-file", other.file.to_str().unwrap()]);
    assert_eq!(code, 1);
    assert!(!out.contains("wait_here") && out.contains("program+0x"), "{out}");
    assert!(err.contains(&program.build_id) && err.contains(&other.build_id), "{err}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_replaced_binary_is_not_said_to_lack_debug_information() {
    let (program, other) = (Program::build("loaded", &[]), Program::build("put_there", &["-Copt-level=1"]));
    let dump = program.dump("loaded.json", &other.file);
    let (code, out, err) = run(&["symbolize", &dump]);
    assert_eq!(code, 0);
    assert!(!out.contains("wait_here"), "{out}");
    let path = other.file.to_str().unwrap();
    let warning = format!(
        "backtrace-waker: warning: {path} is not the file that was loaded, which was replaced: its build id is {}, needed is \
         {}; name the file of that build\n",
        other.build_id, program.build_id
    );
    assert!(err.starts_with(&warning), "{err}");
    assert!(!err.contains("debug = 1") && err.matches(path).count() == 1, "{err}");
}
