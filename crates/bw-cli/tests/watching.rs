//! What changes: the commands `diff` and `watch`, `top` where there is no terminal, and how they end.

// Functions that tests call are no tests to clippy.
#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

mod agent;
mod run;

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use agent::{Agent, always, answer, runtime_dir};
use run::{assert_fails, assert_golden, command, dumps, ended, run};

/// A dump of tasks 1 to `tasks`, the first of which was polled so often.
fn changing(tasks: u64, polls: usize, pid: u32) -> Vec<u8> {
    let task = |id: u64| {
        let polls = if id == 1 { polls } else { 1 };
        serde_json::json!({ "id": id, "spawned_at": 0, "polls": polls, "state": "suspended", "in_state_ns": 7, "trace": 0 })
    };
    let dump = serde_json::json!({
        "format": "backtrace-waker raw dump",
        "version": 1,
        "process": { "pid": pid },
        "taken_at": format!("2026-09-21T14:13:{:02}Z", 20 + polls),
        "took_ns": 0,
        "registered": tasks,
        "modules": [],
        "places": [{ "file": "src/main.rs", "line": 1, "column": 1 }],
        "stacks": [{ "frames": [[null, "0x1234"]] }],
        "traces": [{ "stacks": [0] }],
        "tasks": (1..=tasks).map(task).collect::<Vec<_>>(),
    });
    answer("200 OK", "application/gzip", dump.to_string().as_bytes())
}

#[test]
fn watch_prints_what_changed_as_often_as_it_was_told() {
    let folder = runtime_dir("watch");
    let asked = AtomicUsize::new(0);
    let agent = Agent::new(
        &folder,
        "1.sock",
        Box::new(move |_, stream| {
            // Ordering: one thread.
            let asked = asked.fetch_add(1, Ordering::Relaxed);
            let _ = stream.write_all(&changing(2 + asked as u64 % 3, asked, 7));
        }),
    );
    let watch = ["watch", agent.path(), "--interval", "10ms", "--count", "2"];
    let (code, out, err) = run(&watch);
    assert_eq!((code, &*err), (0, ""));
    assert_golden("watch", &out);
    let (code, out, _) = run(&[&watch[..], &["--json"]].concat());
    assert_eq!((code, out.lines().count()), (0, 2), "{out}");
    for line in out.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["format"], "backtrace-waker difference");
    }
}

#[test]
fn watch_ends_with_3_when_the_process_does_or_another_takes_its_place() {
    let folder = runtime_dir("ends");
    let watch = |name: &str, then: fn(&mut dyn Write)| {
        let mut asked = 0;
        let agent = Agent::new(
            &folder,
            name,
            Box::new(move |_, stream| {
                asked += 1;
                if asked == 1 {
                    let _ = stream.write_all(&changing(1, 0, 7));
                } else {
                    then(stream);
                }
            }),
        );
        (run(&["watch", agent.path(), "--interval", "10ms", "--count", "5"]), agent)
    };
    let ((code, out, err), _agent) = watch("1.sock", |stream| {
        let _ = stream.write_all(&changing(1, 0, 8));
    });
    assert!(out.contains("process 7, tasks: 1"), "{out}");
    assert_eq!(
        (code, &*err),
        (3, "backtrace-waker: error: process 7 has ended; process 8 answers in its place\n")
    );

    // Its agent alone was stopped, and took its socket with it.
    let removed = folder.join("backtrace-waker/3.sock");
    let stops = Agent::new(
        &folder,
        "3.sock",
        Box::new(move |_, stream| {
            std::fs::remove_file(&removed).unwrap();
            let _ = stream.write_all(&changing(1, 0, 7));
        }),
    );
    let (code, _, err) = run(&["watch", stops.path(), "--interval", "10ms", "--count", "5"]);
    assert_eq!(code, 3, "{err}");
    assert!(err.contains("has stopped its agent: nobody listens at"), "{err}");

    // This process is there, so that it has not ended: something else is wrong.
    let ((code, _, err), _agent) = watch("2.sock", |_| {});
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("closed the connection without an answer"), "{err}");
}

#[test]
fn watch_goes_on_while_a_sick_process_does_not_answer() {
    let folder = runtime_dir("sick");
    let mut asked = 0;
    let agent = Agent::new(
        &folder,
        "1.sock",
        Box::new(move |_, stream| {
            asked += 1;
            let bytes = match asked {
                2 => answer("503 Service Unavailable", "text/plain", b"another dump runs"),
                _ => changing(1, asked, 7),
            };
            let _ = stream.write_all(&bytes);
        }),
    );
    let (code, out, err) = run(&["watch", agent.path(), "--interval", "10ms", "--count", "1"]);
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("warning") && err.contains("another dump runs"), "{err}");
    assert!(out.contains("1 task not polled") || out.contains("0 tasks not polled"), "{out}");
}

#[test]
fn files_can_be_compared_and_not_watched() {
    let folder = runtime_dir("files");
    let file = |name: &str, bytes: Vec<u8>| {
        let body = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        let path = folder.join(name);
        std::fs::write(&path, &bytes[body..]).unwrap();
        path.into_os_string().into_string().unwrap()
    };
    let (a, b) = (file("a.dump", changing(1, 1, 7)), file("b.dump", changing(3, 4, 7)));
    let (code, out, err) = run(&["diff", &a, &b]);
    assert_eq!((code, &*err), (0, ""));
    assert_golden("diff", &out);
    let (_, out, _) = run(&["diff", &a, &b, "--json"]);
    let value: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&value["grown"][0]["before"], &value["grown"][0]["after"]), (&1.into(), &3.into()));
    assert_eq!(value["new"].as_array().unwrap().len(), 2);

    let (code, _, err) = run(&["diff", &b, &a]);
    assert!(code == 0 && err.contains("was taken before the first one"), "{err}");
    let other = file("other.dump", changing(1, 1, 8));
    let (code, _, err) = run(&["diff", &a, &other]);
    assert!(code == 0 && err.contains("of different processes"), "{err}");
    assert_fails(run(&["diff", "-", "-"]), "only one of the two dumps can come from stdin");
    assert_fails(run(&["watch", &a]), "is a file, which does not change");
    assert_fails(run(&["watch", "-"]), "stdin is a file, which does not change");
}

#[test]
fn a_reader_that_goes_away_ends_a_watch_in_peace() {
    let folder = runtime_dir("pipe");
    let agent = Agent::new(&folder, "1.sock", always(changing(1, 1, 7)));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command(&["watch", agent.path(), "--interval", "10ms"]).stdout(writer).output().unwrap();
    let (code, _, err) = ended(&output);
    assert_eq!((code, &*err), (0, ""));
}

#[test]
fn top_prints_a_line_of_json_for_each_refresh_where_there_is_no_terminal() {
    let folder = runtime_dir("top");
    let agent = Agent::new(&folder, "1.sock", always(nowhere()));
    let one = run(&["dump", "nowhere.json", "--json"]).1;
    for more in [&["--count", "3"][..], &["--count", "3", "--json", "--filter", "for:1s"]] {
        let (code, out, err) = run(&[&["top", agent.path(), "--interval", "10ms"], more].concat());
        assert_golden("nowhere.stderr", &err);
        assert_eq!((code, out), (0, one.repeat(3)));
        assert_eq!(agent.requests().len(), 3);
    }
    // What does not change is printed once.
    for file in ["nowhere.json", "nowhere.json.gz"] {
        assert_eq!(run(&["top", file, "--count", "3"]).1, one);
    }
    let (code, _, err) = run(&["top", agent.path(), "--count", "0"]);
    assert!(code == 2 && err.contains("--count"), "{err}");
}

#[test]
fn top_ends_with_3_when_another_process_takes_its_place_and_goes_on_while_it_is_sick() {
    let folder = runtime_dir("top-ends");
    let mut asked = 0;
    let agent = Agent::new(
        &folder,
        "1.sock",
        Box::new(move |_, stream| {
            asked += 1;
            let bytes = match asked {
                2 => answer("503 Service Unavailable", "text/plain", b"another dump runs"),
                4 => changing(1, asked, 8),
                _ => changing(1, asked, 7),
            };
            let _ = stream.write_all(&bytes);
        }),
    );
    let (code, out, err) = run(&["top", agent.path(), "--interval", "10ms"]);
    assert_eq!((code, out.lines().count()), (3, 2), "{out}{err}");
    assert!(err.contains("warning") && err.contains("another dump runs"), "{err}");
    assert!(err.ends_with("error: process 7 has ended; process 8 answers in its place\n"), "{err}");

    let agent = Agent::new(&folder, "2.sock", always(answer("200 OK", "application/gzip", b"no dump")));
    assert_fails(run(&["top", agent.path()]), "no raw dump");
}

/// The dump of the other tests, as an agent gives it.
fn nowhere() -> Vec<u8> {
    answer("200 OK", "application/gzip", &std::fs::read(dumps().join("nowhere.json.gz")).unwrap())
}
