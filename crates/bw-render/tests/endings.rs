//! What is said of where a task waits: what it is, and not what stands beside it.

// Functions that tests call are no tests to clippy.
#![allow(clippy::unwrap_used)]

mod hand_built;

use std::sync::Arc;

use bw_render::{Detail, Paths, Text, Tree};
use bw_symbolize::PhysicalFrame;
use hand_built::*;

const TIMEOUT: &str = "<tokio::time::timeout::Timeout<T> as core::future::future::Future>::poll";
const SLEEP: &str = "<tokio::time::sleep::Sleep as core::future::future::Future>::poll";

fn print(tree: &Tree) -> String {
    let text = Text::new().paths(Paths::default().relative_to("/home/me/app")).footer(false);
    text.render(tree).to_string()
}

/// The stack of the timer of a `timeout` which polls that at this address.
fn timer(address: usize) -> [Arc<PhysicalFrame>; 3] {
    [
        tokio(address, TIMEOUT, "time/timeout.rs"),
        tokio(41, "tokio::time::timeout::poll_delay", "time/timeout.rs"),
        tokio(42, SLEEP, "time/sleep.rs"),
    ]
}

#[test]
fn a_timeout_is_printed_around_its_future_and_not_as_a_branch_beside_it() {
    let run = user(10, "run", 20);
    let expected = "\
╼ async fn app::run at src/main.rs:20:5
 └╼ tokio::time::timeout::Timeout<T> at tokio-1.54.1/src/time/timeout.rs:7:5
    └╼ async fn app::fetch at src/main.rs:30:5";
    // Whether the future stands before the timer or behind it is up to the optimizer.
    for [future, delay] in [[30, 31], [31, 30]] {
        let around = [Arc::clone(&run), tokio(future, TIMEOUT, "time/timeout.rs"), user(50, "fetch", 30)];
        let own: Vec<_> = [Arc::clone(&run)].into_iter().chain(timer(delay)).collect();
        let tree = tree(vec![waits(&around, 60), waits(&own, 61)]);
        assert_eq!(print(&tree), expected);
        let ends: usize = tree.filtered(Detail::User).nodes().iter().map(bw_render::Node::ends).sum();
        assert_eq!(ends, 2);
    }
    // Of a future that does not wait, the timer is what is left.
    let own: Vec<_> = [run].into_iter().chain(timer(30)).collect();
    assert!(print(&tree(vec![waits(&own, 61)])).contains("└╼ tokio::time::sleep::Sleep at "));
}

/// What the timeout is around may be a `sleep` as well.
#[test]
fn a_sleep_in_a_timeout_stays() {
    let run = user(10, "run", 20);
    let around = [Arc::clone(&run), tokio(30, TIMEOUT, "time/timeout.rs"), tokio(43, SLEEP, "time/sleep.rs")];
    let own: Vec<_> = [run].into_iter().chain(timer(31)).collect();
    let printed = print(&tree(vec![waits(&around, 60), waits(&own, 61)]));
    assert_eq!(printed.matches("time::sleep::Sleep at").count(), 1, "{printed}");
    assert_eq!(printed.matches("time::timeout::Timeout<T> at").count(), 1, "{printed}");
}

/// In optimized builds `poll_delay` ends in a jump to the poll of the `Sleep`, and leaves no frame. What the timeout is around is polled
/// from an earlier line.
#[test]
fn a_timer_whose_caller_left_the_stack_by_a_jump_is_no_branch() {
    let timeout = |address, line| {
        let file = format!("{TOKIO}/time/timeout.rs");
        physical(address, &[(TIMEOUT, TIMEOUT, file.as_str(), line)])
    };
    let sleep = |address| tokio(address, SLEEP, "time/sleep.rs");
    let run = || user(10, "run", 20);
    for [future, delay] in [[30, 31], [31, 30]] {
        let own = || waits(&[run(), timeout(delay, 221), sleep(42)], 61);
        let fetch = waits(&[run(), timeout(future, 216), user(50, "fetch", 30)], 60);
        let printed = print(&tree(vec![fetch, own()]));
        assert!(printed.contains("\n    └╼ async fn app::fetch") && !printed.contains("Sleep"), "{printed}");
        assert_eq!(printed.matches("time::timeout::Timeout<T> at").count(), 1, "{printed}");
        // Of a future that is a `sleep`, that one stays, and alone it does.
        let slept = waits(&[run(), timeout(future, 216), sleep(43)], 60);
        let printed = print(&tree(vec![slept.clone(), own()]));
        assert_eq!(printed.matches("time::sleep::Sleep at").count(), 1, "{printed}");
        assert!(printed.contains("timeout.rs:216:"), "{printed}");
        assert!(print(&tree(vec![slept])).contains("time::sleep::Sleep at"));
    }
}

#[test]
fn a_function_with_instrument_is_printed_once_where_it_waits() {
    let span = "<tracing::instrument::Instrumented<T> as core::future::future::Future>::poll";
    let span =
        physical(11, &[(span, span, "/x/registry/src/index-0123/tracing-0.1.44/src/instrument.rs", 321)]);
    let path = "app::pay::{{closure}}";
    let at_attribute = physical(10, &[("async fn app::pay", path, MAIN, 20)]);
    let body =
        physical(12, &[("async block in async fn app::pay", &format!("{path}::{{{{closure}}}}"), MAIN, 25)]);
    let sleep = tokio(42, SLEEP, "time/sleep.rs");
    let tree = tree(vec![waits(&[user(9, "run", 5), at_attribute, span, body, sleep], 60)]);
    let expected = "\
╼ async fn app::run at src/main.rs:5:5
 └╼ async block in async fn app::pay at src/main.rs:25:5
    └╼ tokio::time::sleep::Sleep at tokio-1.54.1/src/time/sleep.rs:7:5";
    assert_eq!(print(&tree), expected);
}

#[test]
fn a_spent_budget_is_not_printed_as_the_wait_for_a_lock() {
    let [run, acquire, proceed] = [
        user(10, "run", 20),
        tokio(
            30,
            "<tokio::sync::batch_semaphore::Acquire as core::future::future::Future>::poll",
            "sync/batch_semaphore.rs",
        ),
        tokio(31, "tokio::task::coop::poll_proceed::{{closure}}", "task/coop/mod.rs"),
    ];
    let spent = tree(vec![waits(&[Arc::clone(&run), Arc::clone(&acquire), proceed], 60)]);
    let expected = "╼ async fn app::run at src/main.rs:20:5 (runnable: its budget is spent)";
    assert_eq!(print(&spent), expected);
    assert!(Text::new().brief(&spent).to_string().contains("app::run (runnable: its budget is spent)"));
    let library = Text::new().detail(Detail::Library).render(&spent).to_string();
    assert!(
        library.contains("Acquire at ") && library.contains("(runnable: its budget is spent)"),
        "{library}"
    );
    let waiting = print(&tree(vec![waits(&[run, acquire], 60)]));
    assert!(waiting.contains("Acquire at ") && !waiting.contains("budget"), "{waiting}");
}

#[test]
fn a_trace_that_ends_in_a_sub_executor_says_that_its_children_are_elsewhere() {
    let note = "(polls its children with its own waker; wrap them to see them)";
    let file = |package: &str| format!("/x/registry/src/index-0123/{package}/src/x.rs");
    let (futures, tokio) = (file("futures-util-0.3.34"), file("tokio-1.54.1"));
    for (path, file) in [
        (
            "<futures_util::stream::futures_unordered::FuturesUnordered<F> as futures_core::stream::Stream>::poll_next",
            &futures,
        ),
        ("<futures_util::future::future::shared::Shared<F> as core::future::future::Future>::poll", &futures),
        (
            "<futures_util::stream::select_all::SelectAll<S> as futures_core::stream::Stream>::poll_next",
            &futures,
        ),
        ("<tokio::task::local::LocalSet as core::future::future::Future>::poll", &tokio),
    ] {
        let frame = physical(30, &[(path, path, file, 7)]);
        let tree = tree(vec![waits(&[user(10, "run", 20), frame], 60)]);
        let printed = print(&tree);
        assert!(printed.ends_with(note) && printed.matches(note).count() == 1, "{printed}");
        let library = Text::new().detail(Detail::Library).footer(false).render(&tree).to_string();
        assert_eq!(library.matches(note).count(), 1, "{library}");
    }
    assert!(!print(&tree(vec![waits(&[user(10, "run", 20)], 60)])).contains(note));
}

#[test]
fn a_sub_executor_whose_children_are_shown_says_that_they_are_elsewhere() {
    let path = "<futures_util::stream::futures_unordered::FuturesUnordered<F> as futures_core::stream::Stream>::poll_next";
    let file = "/x/registry/src/index-0123/futures-util-0.3.34/src/x.rs";
    let run = user(10, "run", 20);
    let registers = waits(&[Arc::clone(&run), physical(30, &[(path, path, file, 7)])], 60);
    let polls = waits(&[run, physical(31, &[(path, path, file, 9)]), user(40, "child", 30)], 61);
    let printed = print(&tree(vec![registers, polls]));
    assert!(printed.contains("app::child") && !printed.contains("wrap them to see them"), "{printed}");
}

#[test]
fn functions_of_a_program_that_cargo_installed_were_hidden_as_a_librarys() {
    const PROGRAM: &str = "/home/me/.cargo/registry/src/index-0123/bore-cli-0.6.0/src";
    let own = |address, name: &str, line| {
        let path = format!("bore_cli::server::{name}::{{{{closure}}}}");
        let file = format!("{PROGRAM}/server.rs");
        physical(address, &[(&format!("async fn bore_cli::server::{name}"), &path, &file, line)])
    };
    let poll = tokio(20, "tokio::runtime::io::scheduled_io::Readiness::poll", "runtime/io/scheduled_io.rs");
    let with_mut =
        tokio(10, "tokio::loom::std::unsafe_cell::UnsafeCell<T>::with_mut", "loom/std/unsafe_cell.rs");
    let installed =
        tree(vec![waits(&[with_mut, own(11, "listen", 65), own(12, "recv", 68), poll.clone()], 60)]);
    let printed = print(&installed);
    let lines: Vec<&str> = printed.lines().map(|line| line.trim_start_matches([' ', '└', '╼'])).collect();
    assert_eq!(lines.len(), 3, "{printed}");
    assert!(lines[0].starts_with("async fn bore_cli::server::listen at "), "{printed}");
    assert!(lines[1].starts_with("async fn bore_cli::server::recv at "), "{printed}");
    assert!(lines[2].starts_with("tokio::runtime::io::scheduled_io::Readiness"), "{printed}");
    // Where the program has functions of its own, what it uses is a library.
    let used =
        tree(vec![waits(&[user(13, "run", 20), own(11, "listen", 65), own(12, "recv", 68), poll], 60)]);
    assert!(!print(&used).contains("recv"), "{}", print(&used));
}
