//! Whoever asks: two loops of dumps, and one that asks single tasks.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use bw_core::{CaptureFuture, NoTrace, RawTaskDump, TraceHandle};

use crate::counts::{COUNTS, count};
use crate::{World, dump_timeout, patience};

/// Dumps on a thread of its own, in windows of many sizes.
pub(crate) fn dump_blocking(world: &World) -> Result<(), String> {
    let mut at_once = [bw_core::DumpFuture::DEFAULT_AT_ONCE, 64, usize::MAX].into_iter().cycle();
    while !world.is_empty() {
        let dump = world.registry.dump().at_once(at_once.next().unwrap_or(1)).timeout(dump_timeout());
        check(&dump.blocking())?;
    }
    Ok(())
}

/// Dumps that are awaited by a traced task of the same registry, on the runtime that runs the others.
pub(crate) fn dump_inside_a_task(world: &World) -> Result<(), String> {
    let (send, outcomes) = mpsc::channel();
    let registry = world.registry.clone();
    let task = world.registry.tracer().named("dumps").trace(async move {
        loop {
            let checked = check(&registry.dump().timeout(dump_timeout()).await);
            if send.send(checked).is_err() {
                return;
            }
        }
    });
    let task = world.runtimes[0].spawn(task);
    while !world.is_empty() {
        match outcomes.recv_timeout(patience() * 2) {
            Ok(checked) => checked?,
            Err(_) => return Err("a dump did not end, not even by its deadline".into()),
        }
    }
    task.abort();
    Ok(())
}

fn check(dump: &RawTaskDump) -> Result<(), String> {
    count(&COUNTS.dumps);
    let took = u64::try_from(dump.took().as_micros()).unwrap_or(u64::MAX);
    COUNTS.longest_dump_us.fetch_max(took, Ordering::Relaxed);
    if dump.is_partial() {
        count(&COUNTS.partial);
    }
    let mut last = None;
    for task in dump.tasks() {
        if last >= Some(task.id()) {
            return Err(format!("{:?} is in a dump twice, or out of order", task.id()));
        }
        last = Some(task.id());
        count(&COUNTS.records);
        count(match task.trace() {
            Ok(_) => {
                let trace = dump.trace_of(task).ok_or("a trace is missing")?;
                if trace.is_empty() || trace.stacks().any(|stack| stack.is_truncated() || stack.is_foreign())
                {
                    return Err(format!("a trace that is not whole: {trace:?}"));
                }
                &COUNTS.traces
            }
            Err(NoTrace::Over) => &COUNTS.over,
            Err(reason) if reason.is_for_want_of_time() => &COUNTS.unanswered,
            Err(_) => &COUNTS.other,
        });
    }
    Ok(())
}

/// A requester that counts how often it is woken.
struct Bell {
    rings: AtomicUsize,
    thread: Thread,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rings.fetch_add(1, Ordering::Relaxed);
        self.thread.unpark();
    }
}

struct Asked {
    capture: Pin<Box<CaptureFuture>>,
    bell: Arc<Bell>,
    seen: usize,
    is_answered: bool,
}

/// Asks tasks that it is given, several at once, until nobody gives it any more.
pub(crate) fn capture(tasks: &Receiver<TraceHandle>) -> Result<(), String> {
    let mut before: Vec<Arc<Bell>> = Vec::new();
    loop {
        let first = match tasks.recv_timeout(patience() * 2) {
            Ok(first) => first,
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => return Err("no tasks come any more".into()),
        };
        let handles = std::iter::once(first).chain(tasks.try_iter().take(63));
        // Each twice: both are answered by one poll.
        let mut asked: Vec<_> = handles.flat_map(|handle| [ask(&handle), ask(&handle)]).collect();
        while !asked.iter().all(|asked| asked.is_answered) {
            for asked in &mut asked {
                asked.look()?;
            }
            if !asked.iter().all(|asked| asked.is_answered) {
                thread::park_timeout(Duration::from_secs(1));
            }
        }
        // A second answer would come after the first: those of the round before had time for it.
        if before.iter().any(|bell| bell.rings.load(Ordering::Relaxed) > 1) {
            return Err("a request was answered twice".into());
        }
        before = asked.into_iter().map(|asked| asked.bell).collect();
    }
    Ok(())
}

fn ask(handle: &TraceHandle) -> Asked {
    count(&COUNTS.requests);
    let bell = Arc::new(Bell { rings: AtomicUsize::new(0), thread: thread::current() });
    let capture = Box::pin(handle.capture().timeout(patience()));
    Asked { capture, bell, seen: usize::MAX, is_answered: false }
}

impl Asked {
    /// Polls it if it is new, or was woken.
    fn look(&mut self) -> Result<(), String> {
        let rings = self.bell.rings.load(Ordering::Relaxed);
        if self.is_answered || rings == self.seen {
            return Ok(());
        }
        self.seen = rings;
        let waker = Waker::from(Arc::clone(&self.bell));
        let Poll::Ready(answer) = self.capture.as_mut().poll(&mut Context::from_waker(&waker)) else {
            return Ok(());
        };
        self.is_answered = true;
        match answer {
            Ok(trace) if trace.stacks().all(|stack| !stack.is_truncated()) => count(&COUNTS.request_traces),
            Ok(trace) => return Err(format!("a trace that is not whole: {trace:?}")),
            Err(error) if error.is_timeout() => return Err(format!("a request was not answered: {error}")),
            Err(_) => count(&COUNTS.request_over),
        }
        Ok(())
    }
}
