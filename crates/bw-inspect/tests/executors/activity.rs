//! A program with tasks that compute and never wait, and one that is aborted; and what a look from outside shows of them.

use std::hint::black_box;
use std::io::{Error, ErrorKind};
use std::time::{Duration, Instant};

use bw_core::{NoTrace, TaskState};
use bw_inspect::{Inspection, Limits};
use tokio::runtime::Builder;

use super::program::{self, Program};

#[inline(never)]
fn computes(rounds: u64) -> u64 {
    (0..rounds).fold(1, |sum, round| black_box(sum ^ round).wrapping_mul(3)) // @computes
}

/// Computes and waits in turns, in a system call that a stop of the thread would end early.
fn computes_and_waits(epoll: i32) {
    let mut event = libc::epoll_event { events: 0, u64: 0 };
    loop {
        let until = Instant::now() + Duration::from_micros(1500);
        while Instant::now() < until {
            black_box(computes(100));
        }
        // SAFETY: there is room for one event.
        let result = unsafe { libc::epoll_wait(epoll, &raw mut event, 1, 1) };
        let error = Error::last_os_error();
        if result < 0 && error.kind() == ErrorKind::Interrupted {
            // The test sees that this program has ended.
            std::process::exit(4);
        }
    }
}

pub(super) fn run() {
    println!("\ntasks");
    let runtime = Builder::new_multi_thread().worker_threads(3).enable_all().build().unwrap();
    runtime.block_on(async {
        program::spawn("computes", async {
            loop {
                black_box(computes(1000)); // @loop
            }
        });
        program::spawn("waits", async {
            // SAFETY: creates a descriptor.
            let epoll = unsafe { libc::epoll_create1(0) };
            computes_and_waits(epoll); // @waits
        });
        // Nobody drives its runtime any more, so nobody drops it.
        let other = Builder::new_current_thread().build().unwrap();
        let aborted = std::thread::scope(|scope| {
            let runs = || {
                let aborted = {
                    let _inside = other.enter();
                    program::spawn("aborted", std::future::pending::<()>())
                };
                other.block_on(tokio::task::yield_now());
                aborted.abort();
                aborted
            };
            scope.spawn(runs).join().unwrap()
        });
        assert!(!aborted.is_finished());
        println!("ready");
        std::future::pending::<()>().await;
    });
}

fn is_seen(program: &Program, inspection: &Inspection, name: &str) -> bool {
    program.task(inspection, name).trace().is_ok()
}

#[test]
fn a_task_that_computes_has_no_trace() {
    let program = Program::start("activity");
    let inspection =
        program.inspect_until(&Limits::default(), |inspection| is_seen(&program, inspection, "computes"));
    let symbolizer = program::symbolizer(&inspection);
    let task = program.task(&inspection, "computes");
    assert!(
        matches!(&task.status().state, TaskState::Polling(thread) if thread.os_id().is_some()),
        "{task:?}"
    );
    let ways: Vec<String> = program::ways(&inspection, &symbolizer, task).into_keys().collect();
    // It may have been seen between two calls.
    assert!(ways == ["loop/computes"] || ways == ["loop"], "{ways:?}");
}

#[test]
fn a_task_that_was_aborted_is_called_woken_and_no_more() {
    let program = Program::start("activity");
    let inspection = program.inspect_until(&Limits::default(), |_| true);
    assert_eq!(program.task(&inspection, "aborted").trace(), Err(NoTrace::Aborted));
}

#[test]
fn a_system_call_of_a_thread_that_is_sampled_ends_early() {
    let program = Program::start("activity");
    let mut seen = 0;
    for _ in 0..20 {
        let inspection = program.inspect_until(&Limits::default(), |_| true);
        seen += usize::from(is_seen(&program, &inspection, "computes"));
    }
    assert!(seen > 4, "its stack was copied {seen} times only");
    assert!(program.is_alive(), "a wait ended with EINTR");
}
