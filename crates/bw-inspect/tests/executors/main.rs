//! What a look from outside shows of other executors than tokio's runtimes, and of what these poll.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used)]

mod activity;
mod allocation;
mod async_tasks;
mod blocking_pool;
mod children;
mod program;
mod roots;

#[test]
#[ignore = "this is the program that the other tests start and look at"]
fn the_program() {
    match std::env::var(program::WHICH).as_deref() {
        Ok("allocation") => allocation::run(),
        Ok("async_tasks") => async_tasks::run(),
        Ok("blocking_pool") => blocking_pool::run(),
        Ok("children") => children::run(),
        Ok("roots") => roots::run(),
        Ok("activity") => activity::run(),
        which => panic!("{which:?} is no program"),
    }
}
