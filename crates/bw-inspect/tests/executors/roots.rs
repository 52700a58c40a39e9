//! A program whose threads drive futures with `block_on`, and what a look from outside shows of these futures.

use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use bw_core::NoTrace;
use bw_inspect::Limits;
use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::runtime::{Builder, Handle};
use tokio::sync::{Notify, oneshot};
use tokio::task::LocalSet;
use tokio::time::sleep;

use super::program::{self, LONG, Program};

async fn nap() {
    sleep(LONG).await; // @nap
}

async fn notified(notify: Arc<Notify>) {
    notify.notified().await; // @notified
}

async fn both(notify: Arc<Notify>, answer: oneshot::Receiver<u32>) {
    let first = notified(notify);
    let second = async {
        answer.await.is_ok() // @answered
    };
    tokio::join!(first, second); // @both
}

/// Says once that it was polled.
async fn counted<F: Future>(polled: &AtomicUsize, future: F) -> F::Output {
    polled.fetch_add(1, Ordering::SeqCst);
    future.await // @counted
}

/// A `block_on` as people write it. A future that never uses its waker gets one, too.
fn block_on_by_hand<F: Future>(future: F) -> F::Output {
    struct Unpark(thread::Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(black_box(&waker))) {
            return output;
        }
        thread::park();
    }
}

fn start(name: &str, run: impl FnOnce() + Send + 'static) {
    thread::Builder::new().name(name.to_owned()).spawn(run).unwrap();
}

static POLLED: AtomicUsize = AtomicUsize::new(0);

/// Threads that block on something.
const BLOCKED: usize = 10;

pub(super) fn run() {
    println!("\ntasks");
    let notify = Arc::new(Notify::new());
    let (_answer, question) = oneshot::channel();
    let runtime = Arc::new(Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());
    let handle: Handle = runtime.handle().clone();
    start("multi", {
        let (runtime, notify) = (runtime.clone(), notify.clone());
        move || runtime.block_on(counted(&POLLED, both(notify, question)))
    });
    start("handle", move || handle.block_on(counted(&POLLED, nap())));
    start("current", || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(counted(&POLLED, nap()));
    });
    start("no_driver", {
        let notify = notify.clone();
        move || {
            let runtime = Builder::new_current_thread().build().unwrap();
            runtime.block_on(counted(&POLLED, notified(notify)));
        }
    });
    start("local_set", || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        LocalSet::new().block_on(&runtime, counted(&POLLED, nap()));
    });
    start("futures", {
        let notify = notify.clone();
        move || futures::executor::block_on(counted(&POLLED, notified(notify)))
    });
    start("smol", {
        let notify = notify.clone();
        move || smol::block_on(counted(&POLLED, notified(notify)))
    });
    start("many", {
        let (runtime, notify) = (runtime.clone(), notify.clone());
        move || {
            runtime.block_on(counted(&POLLED, async {
                let mut all: FuturesUnordered<_> = (0..3).map(|_| notified(notify.clone())).collect();
                while all.next().await.is_some() {} // @many
            }));
        }
    });
    start("by_hand", {
        let notify = notify.clone();
        move || block_on_by_hand(counted(&POLLED, notified(notify)))
    });
    start("nowhere", || block_on_by_hand(counted(&POLLED, pending())));
    // These block on nothing.
    start("sleeps", || thread::sleep(LONG));
    start("parked", thread::park);
    while POLLED.load(Ordering::SeqCst) < BLOCKED {
        thread::yield_now();
    }
    println!("ready");
    thread::sleep(LONG);
    drop(runtime);
}

#[test]
fn what_a_thread_blocks_on_is_not_shown() {
    let program = Program::start("roots");
    let name_of = |thread: &str| format!("block_on on thread {thread}");
    let inspection = program.inspect_until(&Limits::default(), |inspection| {
        let tasks = inspection.dump().tasks().iter();
        let roots = tasks.filter(|task| task.name().is_some());
        roots.filter(|task| task.trace() != Err(NoTrace::Moved) && task.incomplete().is_none()).count()
            >= BLOCKED
    });
    let symbolizer = program::symbolizer(&inspection);
    let expected: [(&str, &[&str]); BLOCKED] = [
        ("multi", &["counted/both/notified", "counted/both/answered"]),
        ("handle", &["counted/nap"]),
        ("current", &["counted/nap"]),
        ("no_driver", &["counted/notified"]),
        // The set itself waits for its tasks.
        ("local_set", &["", "counted/nap"]),
        ("futures", &["counted/notified"]),
        ("smol", &["counted/notified"]),
        (
            "many",
            &["counted/many", "counted/many/notified", "counted/many/notified", "counted/many/notified"],
        ),
        ("by_hand", &["counted/notified"]),
        ("nowhere", &[]),
    ];
    for (thread, ways) in expected {
        let tasks = inspection.dump().tasks().iter();
        let root = tasks.clone().find(|task| task.name() == Some(&*name_of(thread)));
        let root = root.unwrap_or_else(|| panic!("nothing of {thread}"));
        assert_eq!(root.incomplete(), None, "{thread}");
        let mut stacks = inspection.dump().trace_of(root).unwrap().stacks();
        assert!(
            stacks.all(|stack| !stack.is_truncated()),
            "{thread}: the walk does not come to where it began"
        );
        let mut expected = BTreeMap::new();
        ways.iter().for_each(|way| *expected.entry((*way).to_owned()).or_default() += 1);
        assert_eq!(program::ways(&inspection, &symbolizer, root), expected, "{thread}");
    }
    let roots = inspection.dump().tasks().iter().filter(|task| task.name().is_some());
    assert_eq!(roots.count(), BLOCKED, "{:#?}", inspection.dump().tasks());
}
