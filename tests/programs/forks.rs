//! Forks when it has traced tasks, and asks them in the child: the thread that keeps deadlines is not there, and has to be
//! started again. Prints nothing; exit code 0 if all went well. The file that may use `unsafe`.

use std::future::{pending, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bw_core::{Registry, TaskState, TraceHandle};

/// Seconds until whoever hangs is killed.
const PATIENCE: u32 = 60;

fn main() {
    let registry = Registry::new();
    let mut task = pin!(registry.tracer().trace(pending::<()>()));
    assert!(task.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let handle = task.handle();
    nobody_answers(&registry, &handle);

    // SAFETY: no thread but this one and the library's own is there, and the child calls nothing that needs another.
    let child = unsafe { libc::fork() };
    // SAFETY: has no preconditions. A process that hangs is killed by it.
    unsafe { libc::alarm(PATIENCE) };
    nobody_answers(&registry, &handle);
    if child == 0 {
        times_go_on(&registry);
        // At once: what the thread had that is not here nobody can free, and leak checkers would look for it.
        // SAFETY: has no preconditions.
        unsafe { libc::_exit(0) };
    }
    assert!(child > 0, "no child");
    let mut status = 0;
    // SAFETY: writes to the integer it is given.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!((waited, status), (child, 0), "the child failed");
    nobody_answers(&registry, &handle);
}

/// The task is not polled, so all that ends a request is its deadline.
fn nobody_answers(registry: &Registry, handle: &TraceHandle) {
    let soon = Duration::from_millis(1);
    let dump = futures::executor::block_on(registry.dump().timeout(soon));
    assert!(dump.is_partial() && dump.tasks()[0].status().state == TaskState::Woken, "{dump:?}");
    assert!(registry.dump().timeout(soon).blocking().is_partial());
    let answer = futures::executor::block_on(handle.capture().timeout(soon));
    assert!(answer.as_ref().is_err_and(bw_core::CaptureError::is_timeout), "{answer:?}");
}

/// A task that is polled all the time has not been suspended for as long as the process has been there.
fn times_go_on(registry: &Registry) {
    let began = Instant::now();
    let task = registry.tracer().trace(poll_fn(|_| Poll::<()>::Pending));
    let handle = task.handle();
    let mut task = pin!(task);
    loop {
        assert!(task.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        let suspended = handle.status().in_state.expect("a clock");
        if began.elapsed() > Duration::from_millis(500) && suspended < Duration::from_millis(250) {
            return;
        }
    }
}
