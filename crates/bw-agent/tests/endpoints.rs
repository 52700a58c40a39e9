//! What each endpoint answers.

#![cfg(unix)]
// Functions that tests call are no tests to clippy.
#![allow(clippy::unwrap_used)]

mod support;

use std::net::Shutdown;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use backtrace_waker::{RawDumpFile, TraceHandle, TracedExt};
use support::{Answer, OwnAgent};
use tokio::runtime::{Builder, Runtime};

/// With a task that sleeps for as long as the runtime is there, and has been polled.
fn sleeper(name: &'static str) -> (Runtime, TraceHandle) {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let task = backtrace_waker::Tracer::new().named(name).trace(sleep_long());
    let handle = task.handle();
    runtime.spawn(task);
    // Answers when it has been polled.
    handle.capture_blocking(support::PATIENCE).unwrap();
    (runtime, handle)
}

async fn sleep_long() {
    tokio::time::sleep(Duration::from_secs(3_600)).await;
}

#[test]
fn a_dump_is_grouped_text_unless_told() {
    let _runtime = sleeper("text");
    let agent = OwnAgent::start();
    let answer = agent.get("/debug/async/dump?filter=name:text");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("backtrace-waker-partial"), None);
    let text = answer.text();
    assert!(text.starts_with("1 task: 1 suspended"), "{text}");
    assert!(text.contains("╼ async fn endpoints::sleep_long at tests/endpoints.rs:"), "{text}");
    assert!(text.ends_with('\n'));
    for same in
        ["debug=1", "format=text", "format=text&debug=1", "paths=short", "detail=user", "timeout_ms=60000"]
    {
        let answer = agent.get(&format!("/debug/async/dump?filter=name:text&{same}"));
        assert!(answer.text().starts_with("1 task: 1 suspended"), "{same}: {}", answer.text());
        assert!(answer.text().contains("\n1 task suspended for "), "{same}: {}", answer.text());
    }
}

#[test]
fn every_task_is_told_of_when_asked_for() {
    let _runtime = sleeper("every");
    let agent = OwnAgent::start();
    for every in ["debug=2", "debug=2&format=text"] {
        let answer = agent.get(&format!("/debug/async/dump?{every}&filter=name:every"));
        assert!(answer.text().contains("\ntask "), "{}", answer.text());
        assert!(answer.text().contains("\"every\": suspended for"), "{}", answer.text());
    }
    let full = agent.get("/debug/async/dump?detail=full&filter=name:every");
    assert!(full.text().contains("clone"), "the hook's frames: {}", full.text());
}

#[test]
fn source_paths_are_short_unless_whole_ones_are_asked_for() {
    let _runtime = sleeper("paths");
    let agent = OwnAgent::start();
    let home = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/endpoints.rs");
    for format in ["debug=1", "debug=2", "format=json"] {
        let short = agent.get(&format!("/debug/async/dump?{format}&filter=name:paths"));
        assert!(!short.text().contains("/registry/") && !short.text().contains(home), "{}", short.text());
        assert!(short.text().contains("tests/endpoints.rs"), "{}", short.text());
        let full = agent.get(&format!("/debug/async/dump?{format}&filter=name:paths&paths=full"));
        assert!(full.text().contains(home), "{}", full.text());
        assert!(full.text().contains("/registry/"), "{}", full.text());
    }
}

#[test]
fn json_and_folded_stacks_are_what_a_dump_writes() {
    let _runtime = sleeper("json");
    let agent = OwnAgent::start();
    let answer = agent.get("/debug/async/dump?format=json&filter=name:json");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let json = answer.json();
    assert_eq!(json["format"], "backtrace-waker task dump");
    assert_eq!(json["tasks"][0]["name"], "json");
    assert_eq!((&json["partial"], &json["tasks_alive"]), (&false.into(), &serde_json::Value::Null));
    let folded = agent.get("/debug/async/dump?format=folded&filter=name:json");
    assert!(folded.text().contains("async fn endpoints::sleep_long"), "{}", folded.text());
    assert!(folded.text().ends_with(" 1\n"), "{:?}", folded.text());
}

#[cfg(feature = "pprof")]
#[test]
fn profiles_are_what_a_dump_writes() {
    let _runtime = sleeper("profiled");
    let agent = OwnAgent::start();
    for same in [
        "debug=0",
        "format=pprof",
        "debug=0&format=pprof",
        "format=pprof&detail=full",
        "format=pprof&paths=full",
    ] {
        let answer = agent.get(&format!("/debug/async/dump?{same}&filter=name:profiled"));
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/octet-stream")));
        let profile = unzipped(&answer.body);
        assert!(contains(&profile, b"async fn endpoints::sleep_long"), "{same}");
    }
    let bare = agent.get("/debug/async/dump?format=pprof&symbols=no&filter=name:profiled");
    let bare = unzipped(&bare.body);
    assert!(contains(&bare, b"profiled") && !contains(&bare, b"sleep_long"));
}

#[cfg(not(feature = "pprof"))]
#[test]
fn who_asks_for_a_profile_that_is_not_built_in_is_told_what_to_do() {
    let agent = OwnAgent::start();
    for target in ["dump?format=pprof", "dump?debug=0", "dump?format=pprof&symbols=no"] {
        let answer = agent.get(&format!("/debug/async/{target}"));
        assert_eq!(answer.status, 400);
        assert!(answer.text().contains("the feature pprof of bw-agent"), "{}", answer.text());
    }
}

#[test]
fn pages_are_what_a_dump_writes() {
    let _runtime = sleeper("paged");
    let agent = OwnAgent::start();
    let page = agent.get("/debug/async/dump?format=html&filter=name:paged");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert_eq!(page.header("content-security-policy"), Some(bw_render::html::CSP));
    assert!(page.text().contains("async fn endpoints::sleep_long"));
    assert!(page.text().contains(&format!("pid {}", std::process::id())));
}

#[cfg(feature = "pprof")]
fn unzipped(bytes: &[u8]) -> Vec<u8> {
    let mut unzipped = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(bytes), &mut unzipped).unwrap();
    unzipped
}

#[cfg(feature = "pprof")]
fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn a_raw_dump_is_what_a_raw_dump_file_is() {
    let _runtime = sleeper("raw");
    let agent = OwnAgent::start();
    let answer = agent.get("/debug/async/dump?format=raw&filter=name:raw");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/gzip")));
    assert_eq!(answer.body[..2], [0x1f, 0x8b]);
    let file = RawDumpFile::read(&*answer.body).unwrap();
    assert_eq!(file.process().pid, std::process::id());
    assert_eq!(file.dump().tasks().len(), 1);
    assert_eq!(file.dump().tasks()[0].name(), Some("raw"));
    assert!(file.dump().tasks()[0].trace().is_ok());
}

#[test]
fn a_dump_says_how_many_tasks_of_the_runtime_are_traced() {
    let (runtime, _) = sleeper("covered");
    runtime.spawn(sleep_long());
    // The runtime that is told, and the one in which it starts.
    let told = OwnAgent::told(|builder| builder.runtime(runtime.handle().clone()));
    let inside = {
        let _entered = runtime.enter();
        OwnAgent::start()
    };
    for agent in [told, inside] {
        let json = agent.get("/debug/async/dump?format=json").json();
        assert_eq!(json["tasks_alive"], 2, "{json}");
        assert_eq!(agent.get("/debug/async/tasks?format=json").json()["tasks_alive"], 2);
    }
}

#[test]
fn filters_are_all_applied() {
    let (_runtime, handle) = sleeper("filtered one");
    let agent = OwnAgent::start();
    let tasks = |query: &str| {
        let answer = agent.get(&format!("/debug/async/dump?format=json&{query}"));
        answer.json()["tasks"].as_array().unwrap().len()
    };
    let id = handle.id();
    assert_eq!(tasks("filter=name:filtered%20one"), 1);
    assert_eq!(tasks(&format!("filter=name:filtered,id:{id}")), 1);
    assert_eq!(tasks(&format!("filter=name:filtered&filter=id:{id}&filter=state:suspended")), 1);
    assert_eq!(tasks(&format!("filter=name:filtered&filter=id:{id}&filter=name:two")), 0);
    assert_eq!(tasks("filter=name:filtered,older:1h"), 0);
    assert_eq!(tasks(&format!("filter=id:{id}&filter=")), 1, "an empty filter lets all pass");
}

#[test]
fn tasks_are_listed_without_being_asked() {
    let (_runtime, handle) = sleeper("listed");
    let agent = OwnAgent::start();
    let answer = agent.get("/debug/async/tasks?filter=name:listed");
    let text = answer.text();
    assert!(text.starts_with("1 task: 1 suspended"), "{text}");
    let line = format!("\n\ntask {} \"listed\": suspended for ", handle.id());
    assert!(
        text.contains(&line) && text.contains(", spawned at crates/bw-agent/tests/endpoints.rs:"),
        "{text}"
    );
    let polls = handle.status().polls;
    let json = agent.get("/debug/async/tasks?format=json&filter=name:listed").json();
    assert_eq!((&json["format"], &json["version"]), (&"backtrace-waker task list".into(), &1.into()));
    let task = &json["tasks"][0];
    assert_eq!((&task["id"], &task["state"]), (&handle.id().get().into(), &"suspended".into()));
    assert_eq!((&task["polls"], &task["trace"]), (&polls.into(), &serde_json::Value::Null));
    assert_eq!(task["spawned_at"]["file"], file!());
    assert!(task["age_s"].is_number() && task["in_state_s"].is_number());
    let whole = agent.get("/debug/async/tasks?format=json&filter=name:listed&paths=full").json();
    assert_eq!(whole["tasks"][0]["spawned_at"]["file"], file!());
    // One that was asked would have been woken, and polled once more or not yet.
    assert_eq!(handle.state().name(), "suspended");
}

#[test]
fn one_task_has_its_tree() {
    let (_runtime, handle) = sleeper("single");
    let agent = OwnAgent::start();
    let id = handle.id();
    let answer = agent.get(&format!("/debug/async/tasks/{id}"));
    assert_eq!(answer.status, 200);
    let text = answer.text();
    assert!(text.starts_with(&format!("task {id} \"single\": suspended for ")), "{text}");
    assert!(text.contains("\n╼ async fn endpoints::sleep_long at tests/endpoints.rs:"), "{text}");
    let json = agent.get(&format!("/debug/async/tasks/{id}?format=json&timeout_ms=5000&paths=full")).json();
    assert_eq!(json["tasks"].as_array().unwrap().len(), 1);
    assert_eq!((&json["tasks"][0]["id"], &json["tasks"][0]["trace"]), (&id.get().into(), &0.into()));
}

#[test]
fn a_task_that_is_not_there_is_not_found() {
    let agent = OwnAgent::start();
    let id = {
        let (runtime, handle) = sleeper("gone");
        drop(runtime);
        handle.id()
    };
    for id in [id.get(), u64::MAX, 0] {
        let answer = agent.get(&format!("/debug/async/tasks/{id}"));
        assert_eq!(answer.status, 404, "{}", answer.text());
        assert!(answer.text().contains("/debug/async/tasks lists them"), "{}", answer.text());
    }
}

#[test]
fn a_process_says_who_it_is() {
    let _runtime = sleeper("process");
    let agent = OwnAgent::start();
    let process = agent.get("/debug/async/process").json();
    assert_eq!(process["format"], "backtrace-waker agent");
    assert_eq!(process["version"], 1);
    assert_eq!(process["package"], env!("CARGO_PKG_VERSION"));
    assert_eq!(process["pid"], std::process::id());
    assert_eq!(process["executable"], std::env::current_exe().unwrap().to_str().unwrap());
    assert!(process["tasks"].as_u64().unwrap() >= 1);
    assert_eq!(process["tcp"], serde_json::Value::Null);
    let (started, agent_started) =
        (process["started_at"].as_str().unwrap(), process["agent_started_at"].as_str().unwrap());
    // The one is known to about 10 ms.
    assert!(started.ends_with('Z') && agent_started.ends_with('Z'), "{process}");
}

#[test]
fn the_page_runs_nothing_of_others() {
    let agent = OwnAgent::start();
    let page = agent.get("/debug/async/");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert_eq!(page.text(), bw_render::html::live_page());
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    let redirect = agent.get("/debug/async");
    assert_eq!((redirect.status, redirect.header("location")), (308, Some("async/")));
}

#[test]
fn a_bad_parameter_is_refused_and_the_valid_ones_named() {
    let agent = OwnAgent::start();
    for (target, valid) in [
        ("dump?depth=3", "write debug, format, timeout_ms, filter, paths, detail, symbols"),
        ("dump?debug=3", "write one of 0, 1, 2"),
        ("dump?debug=", "write one of 0, 1, 2"),
        ("dump?format=xml", "write one of text, json, folded, pprof, raw, html"),
        ("dump?paths=long", "write one of short, full"),
        ("dump?detail=all", "write one of user, library, full"),
        ("dump?format=pprof&symbols=1", "write one of yes, no"),
        ("dump?timeout_ms=0", "a number from 1 to 60000"),
        ("dump?timeout_ms=60001", "a number from 1 to 60000"),
        ("dump?timeout_ms=2s", "a number from 1 to 60000"),
        ("dump?timeout_ms=-1", "a number from 1 to 60000"),
        ("dump?timeout_ms=99999999999999999999", "a number from 1 to 60000"),
        ("dump?filter=conn", "write name:PART"),
        ("dump?filter=state:asleep", "states are never_polled, suspended"),
        (&format!("dump?filter={}", ["id:1"; 101].join(",")), "at most 100 terms"),
        (&format!("dump?{}", ["filter=id:1"; 101].join("&")), "at most 100 terms"),
        ("dump?format=json&debug=1", "contradict each other"),
        ("dump?format=text&debug=0", "contradict each other"),
        ("dump?format=json&detail=full", "detail is for the formats text, folded and pprof"),
        ("dump?format=raw&paths=full", "paths is for the formats text, json and pprof"),
        ("dump?format=html&symbols=no", "symbols is for the formats pprof"),
        ("dump?symbols=no", "symbols is for the formats pprof"),
        ("dump?tasks=alike", "tasks is for the formats pprof"),
        ("dump?format=pprof&tasks=all", "write one of each, alike"),
        ("dump?debug=1&debug=1", "debug is given twice"),
        ("tasks?debug=1", "write format, filter, paths"),
        ("tasks?format=raw", "write one of text, json"),
        ("tasks/1?filter=id:1", "write format, timeout_ms, paths"),
        ("tasks/x", "is no id of a task, which is a number"),
        ("process?format=json", "there are none"),
        ("?debug=1", "there are none"),
    ] {
        let answer = agent.get(&format!("/debug/async/{target}"));
        assert_eq!(answer.status, 400, "{target}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
        assert!(answer.text().contains(valid), "{target}: {}", answer.text());
    }
}

#[test]
fn nothing_but_get_and_head_is_answered() {
    let agent = OwnAgent::start();
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"] {
        for path in ["dump", "tasks", "tasks/1", "process", ""] {
            let answer = support::ask(agent.socket(), method, &format!("/debug/async/{path}"));
            assert_eq!((answer.status, answer.header("allow")), (405, Some("GET,HEAD")), "{method} {path}");
        }
    }
    let head = support::ask(agent.socket(), "HEAD", "/debug/async/process");
    assert_eq!((head.status, head.body.len()), (200, 0));
    let length: usize = head.header("content-length").unwrap().parse().unwrap();
    assert_eq!(length, agent.get("/debug/async/process").body.len());
}

#[test]
fn a_wedged_runtime_does_not_keep_a_dump_from_being_answered() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let task = backtrace_waker::Tracer::new().named("wedged waiter").trace(sleep_long());
    let waiter = task.handle();
    runtime.spawn(task);
    waiter.capture_blocking(support::PATIENCE).unwrap();
    let (blocked, is_blocked) = mpsc::channel();
    let mut releases = Vec::new();
    for _ in 0..2 {
        let (release, released) = mpsc::channel::<()>();
        releases.push(release);
        let blocked = blocked.clone();
        let wedge = async move {
            blocked.send(()).unwrap();
            let _ = released.recv();
        };
        runtime.spawn(wedge.traced_as("wedge"));
    }
    for _ in 0..2 {
        is_blocked.recv_timeout(support::PATIENCE).unwrap();
    }
    // Started by one of the workers it would not be, so by us, but with their runtime to look at.
    let agent = OwnAgent::told(|builder| builder.runtime(runtime.handle().clone()));
    let answer = agent.get("/debug/async/dump?timeout_ms=100&filter=name:wedge");
    assert_eq!((answer.status, answer.header("backtrace-waker-partial")), (200, Some("true")));
    let text = answer.text();
    assert!(text.contains("2 being polled") && text.contains("1 woken but not polled"), "{text}");
    assert!(text.contains("partial: the deadline passed before"), "{text}");
    let json = agent.get("/debug/async/dump?timeout_ms=100&format=json&filter=name:wedge").json();
    assert_eq!(json["partial"], true);
    let raw = agent.get("/debug/async/dump?timeout_ms=100&format=raw&filter=name:wedge");
    assert_eq!(raw.header("backtrace-waker-partial"), Some("true"));
    assert!(RawDumpFile::read(&*raw.body).unwrap().dump().is_partial());
    drop(releases);
}

#[test]
fn dumps_wait_for_each_other_and_no_longer_than_they_say() {
    // Nobody ever polls it again: each dump of it takes its whole deadline.
    let task = backtrace_waker::Tracer::new().named("turns").trace(std::future::pending::<()>());
    let mut task = std::pin::pin!(task);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(task.as_mut().poll(&mut cx).is_pending());
    let agent = OwnAgent::start();
    std::thread::scope(|scope| {
        let long = support::connect(agent.socket());
        support::send(
            &long,
            &support::request("GET", "/debug/async/dump?timeout_ms=60000&filter=name:turns"),
        );
        // Until the first one has its turn, this one gets one and answers that it is partial.
        let began = Instant::now();
        let refused = loop {
            assert!(began.elapsed() < support::PATIENCE, "nobody has to wait");
            let answer = agent.get("/debug/async/dump?timeout_ms=1&filter=name:turns");
            match answer.status {
                200 => assert_eq!(answer.header("backtrace-waker-partial"), Some("true")),
                _ => break answer,
            }
        };
        assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")), "{}", refused.text());
        let said = "another dump is being taken, and did not end within 1 ms; ask again, or with a longer timeout_ms";
        assert!(refused.text().contains(said), "{}", refused.text());
        // What asks nobody does not wait.
        assert_eq!(agent.get("/debug/async/process").status, 200);
        assert_eq!(agent.get("/debug/async/tasks").status, 200);
        // Who waits gets the turn of one that goes away.
        let waits = scope.spawn(|| agent.get("/debug/async/dump?timeout_ms=60000&filter=name:nobody"));
        long.shutdown(Shutdown::Both).unwrap();
        assert_eq!(waits.join().unwrap().status, 200);
    });
}

#[test]
fn six_equal_requests_at_once_share_one_dump() {
    // Nobody ever polls it again: each dump of it takes its whole timeout.
    let task = backtrace_waker::Tracer::new().named("shared").trace(std::future::pending::<()>());
    let mut task = std::pin::pin!(task);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(task.as_mut().poll(&mut cx).is_pending());
    let agent = OwnAgent::start();
    for format in ["text", "raw"] {
        let target = format!("/debug/async/dump?format={format}&timeout_ms=1000&filter=name:shared");
        let streams: Vec<_> = (0..6).map(|_| support::connect(agent.socket())).collect();
        streams.iter().for_each(|stream| support::send(stream, &support::request("GET", &target)));
        let answers: Vec<_> = streams
            .into_iter()
            .map(|stream| Answer::parse(&support::exchange(stream, b"").unwrap()).unwrap())
            .collect();
        for answer in &answers {
            assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
            assert_eq!(answer.header("backtrace-waker-partial"), Some("true"));
            assert_eq!(answer.body, answers[0].body);
        }
    }
}

#[test]
fn no_answer_is_larger_than_the_cap() {
    let _runtime = sleeper("capped");
    let agent = OwnAgent::told(|builder| builder.size_cap(300));
    for target in ["dump?filter=name:capped", "dump?format=json", "dump?format=raw", "tasks?format=json"] {
        let answer = agent.get(&format!("/debug/async/{target}"));
        assert_eq!(answer.status, 503, "{target}: {}", answer.text());
        assert!(
            answer.text().contains("larger than 300 bytes; ask for less with filter="),
            "{}",
            answer.text()
        );
    }
    assert_eq!(agent.get("/debug/async/tasks?filter=name:nobody").status, 200);
}

#[cfg(feature = "axum")]
#[test]
fn the_router_answers_in_an_app_on_its_runtime() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let task = backtrace_waker::Tracer::new().named("of the app").trace(sleep_long());
    runtime.spawn(task);
    let folder = support::Folder::new();
    let socket = folder.join("app.sock");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    listener.set_nonblocking(true).unwrap();
    let app = axum::Router::new()
        .route("/", axum::routing::get(async || "app"))
        .fallback(async || "the app's own")
        .merge(bw_agent::router())
        .nest("/inner", bw_agent::router());
    runtime.spawn(async move {
        let listener = tokio::net::UnixListener::from_std(listener).unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = hyper_util::service::TowerToHyperService::new(app.clone());
            let stream = hyper_util::rt::TokioIo::new(stream);
            let connection = hyper::server::conn::http1::Builder::new()
                .keep_alive(false)
                .serve_connection(stream, service);
            tokio::spawn(connection);
        }
    });
    assert_eq!(support::get(&socket, "/").text(), "app");
    assert_eq!(support::get(&socket, "/debug/async/nothing").text(), "the app's own");
    for at in ["", "/inner"] {
        let json = support::get(&socket, &format!("{at}/debug/async/dump?format=json")).json();
        // The task, the server, and the connection that asks; one before may not be gone yet.
        assert!(json["tasks_alive"].as_u64().unwrap() >= 3, "{json}");
        assert_eq!(
            json["tasks"].as_array().unwrap().iter().filter(|task| task["name"] == "of the app").count(),
            1
        );
        assert_eq!(
            support::get(&socket, &format!("{at}/debug/async/process")).json()["agent_started_at"],
            serde_json::Value::Null
        );
    }
}
