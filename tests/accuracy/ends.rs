//! Where a stack begins and ends, and to the column where it waits.

use std::pin::Pin;

use bw_render::Tree;
use bw_symbolize::{PhysicalFrame, SymbolizedTrace};
use tokio::time::sleep;

use crate::harness::{HOUR, at, capture, list, name, of_this_program, symbolize};

async fn outer() {
    at!(middle()).await;
}

async fn middle() {
    at!(sleep(HOUR)).await;
}

fn names(frame: &PhysicalFrame) -> Vec<&str> {
    frame.frames.iter().filter_map(name).collect()
}

fn traces() -> Vec<SymbolizedTrace> {
    let unboxed = capture(outer);
    let boxed = capture(|| Box::pin(outer()));
    unboxed.iter().chain(&boxed).map(symbolize).collect()
}

#[test]
fn a_stack_begins_in_the_hook_and_ends_in_the_traced_poll() {
    for trace in traces() {
        for stack in &trace.stacks {
            let (first, last) = (stack.frames.first().expect("a leaf"), stack.frames.last().expect("a root"));
            // The physical function of each: what is inlined into it comes before.
            assert_eq!(
                names(first).last(),
                Some(&"bw_core::hook::recording_waker::clone"),
                "{}",
                list(stack)
            );
            assert_eq!(
                names(last).last(),
                Some(&"bw_core::task::traced_task::poll_attended"),
                "{}",
                list(stack)
            );
            // Each end once: nothing of the walk below, nothing of the executor above.
            let of_core =
                stack.frames.iter().flat_map(|frame| names(frame)).filter(|name| name.contains("bw_core::"));
            assert_eq!(of_core.count(), 2, "{}", list(stack));
        }
    }
}

/// Awaits itself, so many times.
fn level(levels: usize) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        if levels == 0 {
            sleep(HOUR).await;
        } else {
            level(levels - 1).await;
        }
    })
}

async fn at_the_root() {
    level(700).await;
}

#[test]
fn a_stack_deeper_than_a_trace_keeps_both_ends_and_is_not_said_to_be_cut() {
    for trace in capture(at_the_root) {
        let left_out: usize =
            trace.stacks().map(|stack| stack.left_out().expect("the stack is that deep").frames).sum();
        let text = Tree::new(&symbolize(&trace)).to_string();
        let lines: Vec<_> = text.lines().map(str::trim_start).collect();
        assert!(lines[0].starts_with("╼ async fn accuracy::ends::at_the_root at "), "{text}");
        assert!(text.contains("╼ tokio::time::sleep::Sleep at tokio-"), "{text}");
        assert!(text.contains(&format!("… {left_out} frames left out: the stack is deeper")), "{text}");
        assert!(text.contains(" more of async block in accuracy::ends::level"), "{text}");
        assert!(!text.contains("callers missing") && lines.len() < 60, "{text}");
    }
}

#[rustfmt::skip]
async fn columns() {
    at!(sleep(HOUR)) .await;
}

#[test]
fn the_column_is_that_of_the_word_await() {
    // Where the statement begins.
    const INDENTATION: u32 = 5;
    for trace in capture(columns) {
        let trace = symbolize(&trace);
        let frames = of_this_program(&trace.stacks[0]);
        let expected = INDENTATION as usize + "at!(sleep(HOUR)) .".len();
        let column = frames[0].location.as_ref().and_then(|location| location.column);
        assert_eq!(column.map(|column| column as usize), Some(expected), "{}", list(&trace.stacks[0]));
    }
}
