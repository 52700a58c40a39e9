//! What a dump says of a program whose functions have no names, or some of them: built with cargo's default release profile, stripped,
//! with lines only, and with debug information of the program alone.
//!
//! One small program, which depends on bw-core alone. That is built once, as cargo's default release profile has it; then each form takes
//! one run of the compiler.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test program")]
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod shipped;

use shipped::Shipped;

const BY_TYPE: &str = "(the task's type: this function, or an async block in it)";
const LACKS_LINES: &str = "debug information is missing";

/// Every task is told by its type: each of its own, and none by what is ours.
#[track_caller]
fn assert_told_by_type(text: &str) {
    for function in ["orders::transfer", "orders::refund", "app::run"] {
        assert_eq!(text.matches(&format!("╼ async fn program::{function} {BY_TYPE}")).count(), 1, "{text}");
    }
    assert!(text.contains("2 tasks suspended: 1, 2\n"), "equal ones are one group: {text}");
    assert!(text.contains("1 task suspended: 3\n") && text.contains("1 task suspended: 4\n"), "{text}");
    assert_is_not_ours(text);
}

#[track_caller]
fn assert_is_not_ours(text: &str) {
    assert!(!text.contains("bw_core") && !text.contains("Waker"), "our hook is no answer: {text}");
}

#[test]
fn without_debug_information_tasks_are_told_by_their_types() {
    for (name, flags) in [("default", &["-Cstrip=debuginfo"][..]), ("unstripped", &[])] {
        let text = Shipped::build(name, flags).text();
        assert_told_by_type(&text);
        assert!(text.contains(LACKS_LINES), "{text}");
        // What the optimizer could not inline has a name in the symbol table, though no line.
        assert!(text.contains("program::orders::audit"), "{text}");
    }
}

#[test]
fn without_any_symbol_tasks_are_told_by_their_types() {
    let text = Shipped::build("stripped", &["-Cstrip=symbols"]).text();
    assert_told_by_type(&text);
    assert!(text.contains(&format!("async fn program::app::wait_for {BY_TYPE}")), "{text}");
    assert!(text.contains("functions are without names"), "{text}");
    assert!(!text.contains(LACKS_LINES) && text.contains("╼ stripped+0x"), "{text}");
}

#[test]
fn with_lines_only_a_task_is_told_by_its_type_and_its_lines() {
    let program = Shipped::build("lines", &["-Cdebuginfo=line-tables-only"]);
    let text = program.text();
    assert_told_by_type(&text);
    assert!(text.contains("build with debug = 1"), "{text}");
    for wait in ["transfer", "refund", "run"] {
        assert!(text.contains(&format!("program.rs:{}:", program.line(wait))), "{text}");
    }
}

#[test]
fn debug_information_of_the_program_alone_suffices() {
    let program = Shipped::build("own", &["-Cdebuginfo=1"]);
    let text = program.text();
    for (function, line) in [
        ("async fn program::orders::transfer", "transfer"),
        ("async fn program::orders::refund", "refund"),
        ("async block in program::app::run", "run"),
        ("async fn program::app::wait_for", "wait_for"),
        ("async fn program::orders::audit", "audit"),
    ] {
        let line = program.line(line);
        let found = text.lines().find(|text| text.contains(&format!("╼ {function} at ")));
        assert!(found.is_some_and(|found| found.contains(&format!("program.rs:{line}:"))), "{text}");
    }
    assert!(!text.contains("task's type") && !text.contains("debug"), "nothing is missing: {text}");
    assert_is_not_ours(&text);
}

#[test]
fn a_replaced_program_is_not_said_to_lack_debug_information() {
    let other = Shipped::build("other", &["-Cdebuginfo=1", "-Coverflow-checks=yes", "-Copt-level=1"]);
    let text = Shipped::build("own", &["-Cdebuginfo=1"]).replaced_by(&other).text();
    assert!(text.contains("or it was replaced by another build"), "{text}");
    assert!(!text.contains("debug = 1") && !text.contains(LACKS_LINES), "{text}");
    // Its tasks are still known.
    assert!(text.contains(&format!("╼ async fn program::orders::refund {BY_TYPE}")), "{text}");
}

#[test]
fn tasks_of_different_types_are_never_one_group() {
    // Without trees at all nothing but the types is there.
    let program = Shipped::build("default", &["-Cstrip=debuginfo"]);
    let dump = program.dump();
    let types: Vec<_> = dump.tasks().iter().map(|task| task.type_name().unwrap()).collect();
    assert_eq!(types[0], types[1]);
    assert_eq!(types[0], "program::orders::transfer::{{closure}}");
    let traces: Vec<_> = dump.tasks().iter().map(|task| task.trace().unwrap()).collect();
    assert!(traces[0] == traces[1] && traces[1] != traces[2] && traces[2] != traces[3], "{traces:?}");
}

#[test]
fn what_json_says_of_a_type_is_no_frame() {
    let json = Shipped::build("default", &["-Cstrip=debuginfo"]).json();
    for part in [
        r#""function":"async fn program::orders::refund","path":"program::orders::refund::{{closure}}""#,
        r#""of_type":true"#,
        r#""types":["program::orders::transfer::{{closure}}","program::orders::refund::{{closure}}","#,
    ] {
        assert!(json.contains(part), "{part} is not in {json}");
    }
}
