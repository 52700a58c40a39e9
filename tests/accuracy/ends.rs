//! Where a stack begins and ends, and to the column where it waits.

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
