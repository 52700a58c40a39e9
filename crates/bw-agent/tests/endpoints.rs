//! What each endpoint answers.

mod support;

use std::time::Duration;

use backtrace_waker::{RawDumpFile, TracedExt};
use support::OwnAgent;
use tokio::runtime::{Builder, Runtime};

/// With a task that sleeps for as long as the runtime is there, and has been polled.
fn sleeper(name: &'static str) -> Runtime {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (task, handle) = backtrace_waker::traced_as(name, sleep_long());
    runtime.spawn(task);
    // Answers when it has been polled.
    handle.capture_blocking(support::PATIENCE).unwrap();
    runtime
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
    let text = answer.text();
    assert!(text.starts_with("1 task: 1 suspended"), "{text}");
    assert!(text.contains("╼ async fn endpoints::sleep_long at tests/endpoints.rs:"), "{text}");
    assert!(text.ends_with('\n'));
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
fn a_process_says_who_it_is() {
    let _runtime = sleeper("process");
    let agent = OwnAgent::start();
    let process = agent.get("/debug/async/process").json();
    assert_eq!(process["format"], "backtrace-waker agent");
    assert_eq!(process["version"], 1);
    assert_eq!(process["pid"], std::process::id());
    assert_eq!(process["executable"], std::env::current_exe().unwrap().to_str().unwrap());
    assert!(process["tasks"].as_u64().unwrap() >= 1);
    let (started, agent_started) =
        (process["started_at"].as_str().unwrap(), process["agent_started_at"].as_str().unwrap());
    assert!(started <= agent_started && agent_started.ends_with('Z'), "{process}");
}
