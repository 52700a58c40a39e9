//! Does in one of several ways what a test does that hangs. The first argument says which.

use std::pin::pin;
use std::sync::mpsc;
use std::task::{Context, Waker};
use std::time::Duration;

use backtrace_waker::tokio::test_timeout;
use backtrace_waker::{TestTimeout, TracedExt};
use futures::StreamExt;
use futures::stream::FuturesUnordered;

const AT_ONCE: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(3_600);

fn main() {
    let how = std::env::args().nth(1).unwrap_or_default();
    match &*how {
        "waits" => block_on(async {
            tokio::spawn(neighbour().traced_as("neighbour"));
            test_timeout(AT_ONCE, waits()).await;
        }),
        "wedged" => block_on(async {
            tokio::spawn(neighbour().traced_as("neighbour"));
            tokio::task::yield_now().await;
            tokio::spawn(async { blocks() }.traced_as("culprit"));
            test_timeout(AT_ONCE, tokio::time::sleep(LONG)).await;
        }),
        "comes back" => {
            let mut polled = pin!(neighbour().traced_as("neighbour"));
            assert!(polled.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            let panicked = std::thread::spawn(|| {
                let _timeout = TestTimeout::new(AT_ONCE);
                std::thread::sleep(AT_ONCE * 100);
            });
            let payload = panicked.join().expect_err("it was late");
            eprintln!("the others went on");
            std::panic::resume_unwind(payload);
        }
        "never comes back" => {
            let mut polled = pin!(neighbour().traced_as("neighbour"));
            assert!(polled.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            let _timeout = TestTimeout::with_grace(AT_ONCE, AT_ONCE);
            blocks();
        }
        "waits, untraced" => block_on(async {
            tokio::spawn(neighbour());
            test_timeout(AT_ONCE, child()).await;
        }),
        "never comes back, untraced" => {
            let _timeout = TestTimeout::with_grace(AT_ONCE, AT_ONCE);
            blocks();
        }
        "panics" => {
            let _timeout = TestTimeout::new(AT_ONCE);
            std::thread::sleep(AT_ONCE * 100);
            panic!("on purpose");
        }
        other => panic!("no such way to hang: {other:?}"),
    }
}

fn block_on(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(test);
}

async fn neighbour() {
    tokio::sync::Semaphore::new(0).acquire().await.map(drop).expect("never closed");
}

async fn waits() {
    let mut children: FuturesUnordered<_> = [child().traced_as("child")].into_iter().collect();
    children.next().await;
}

async fn child() {
    tokio::time::sleep(LONG).await;
}

fn blocks() {
    let (_sender, receiver) = mpsc::channel::<()>();
    let _ = receiver.recv();
}
