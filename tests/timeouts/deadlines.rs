//! Ends of tests that hang. A test that is to fail is a program here, `late`.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};
use std::time::Duration;

use backtrace_waker::TestTimeout;
use backtrace_waker::tokio::test_timeout;

/// What `panic` makes of a program.
const PANICKED: Option<i32> = Some(101);
const SIGABRT: Option<i32> = Some(6);

fn late(how: &str) -> (Output, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_late")).arg(how).output().expect("a program");
    let text = String::from_utf8(output.stderr.clone()).expect("UTF-8");
    (output, text)
}

#[tokio::test]
async fn who_is_in_time_hears_nothing() {
    assert_eq!(test_timeout(Duration::from_secs(60), async { 7 }).await, 7);
    drop(TestTimeout::new(Duration::MAX));
    drop(TestTimeout::new(Duration::from_secs(60)));
}

#[tokio::test]
#[should_panic(expected = "0ns have passed, and the future is not ready")]
async fn who_is_late_panics() {
    test_timeout(Duration::ZERO, std::future::pending::<()>()).await;
}

#[test]
fn a_timeout_prints_all_tasks_and_the_trace_of_its_own_future() {
    let (output, text) = late("waits");
    assert_eq!(output.status.code(), PANICKED, "{text}");
    let (dump, message) = text.split_once("panicked at").expect("a panic");
    assert!(dump.contains("\"neighbour\"") && dump.contains("late::neighbour at"), "{text}");
    // A child that only the future itself polls answers as well.
    assert!(dump.contains("\"child\"") && dump.contains("late::child at"), "{text}");
    assert!(message.contains("tests/programs/late.rs:") && message.contains("late::waits at"), "{text}");
}

#[test]
fn a_timeout_whose_runtime_is_wedged_prints_all_tasks_and_aborts() {
    let (output, text) = late("wedged");
    assert_eq!(output.status.signal(), SIGABRT, "{text}");
    assert!(text.contains("\"neighbour\"") && text.contains("did not end within 1ms"), "{text}");
    // The one that blocks the thread, and which.
    assert!(text.contains("\"culprit\"") && text.contains("being polled for"), "{text}");
}

#[test]
fn a_test_that_comes_back_too_late_fails_alone() {
    let (output, text) = late("comes back");
    assert_eq!(output.status.code(), PANICKED, "{text}");
    assert!(text.contains("\"neighbour\""), "{text}");
    assert!(text.contains("the test did not end within 1ms (timeout at tests/programs/late.rs:"), "{text}");
    assert!(text.contains("the others went on"), "{text}");
}

#[test]
fn a_test_that_never_comes_back_is_aborted() {
    let (output, text) = late("never comes back");
    assert_eq!(output.status.signal(), SIGABRT, "{text}");
    assert!(text.contains("\"neighbour\"") && text.contains("the process is aborted"), "{text}");
}

#[test]
fn where_nothing_is_traced_a_timeout_prints_its_own_futures_trace_and_no_dump() {
    let (output, text) = late("waits, untraced");
    assert_eq!(output.status.code(), PANICKED, "{text}");
    assert!(
        text.contains("test timeout at tests/programs/late.rs:") && text.contains("late::child at"),
        "{text}"
    );
    assert!(!text.contains("0 tasks") && !text.contains("TRACED"), "{text}");
}

#[test]
fn where_nothing_is_traced_a_test_timeout_says_so_and_what_to_do() {
    let (output, text) = late("never comes back, untraced");
    assert_eq!(output.status.signal(), SIGABRT, "{text}");
    assert_eq!(text.matches("no task is traced").count(), 1, "{text}");
    assert!(text.contains("traced_as") && !text.contains("0 tasks") && !text.contains("TRACED"), "{text}");
}

#[test]
fn a_test_that_panics_is_not_aborted_by_its_guard() {
    let (output, text) = late("panics");
    assert_eq!(output.status.code(), PANICKED, "{text}");
    assert!(text.contains("on purpose") && !text.contains("panicked in a destructor"), "{text}");
}
