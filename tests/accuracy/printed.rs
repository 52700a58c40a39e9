//! What is printed of a trace: the lines that say what is awaited, and none that say less.

use std::future::Future;
use std::pin::Pin;

use bw_core::traced;
use bw_render::Tree;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, Stream, StreamExt};
use tokio::runtime;
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, LocalSet, yield_now};

use crate::harness::{HOUR, capture, symbolize};

/// What is printed of each capture.
fn printed<F>(make: impl Fn() -> F) -> Vec<String>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    capture(make).iter().map(|trace| Tree::new(&symbolize(trace)).to_string()).collect()
}

async fn next<S: Stream + Unpin>(mut stream: S) {
    stream.next().await;
}

#[test]
fn a_boxed_stream_does_not_hide_the_channel_that_is_awaited() {
    async fn of_futures() {
        let (_sender, receiver) = futures::channel::mpsc::channel::<u32>(1);
        let stream: Pin<Box<dyn Stream<Item = u32> + Send>> = Box::pin(receiver);
        next(stream).await;
    }
    async fn of_async_channel() {
        let (_sender, receiver) = async_channel::bounded::<u32>(1);
        let mut stream: Pin<Box<dyn Stream<Item = u32> + Send>> = Box::pin(receiver.fuse());
        next(&mut stream).await;
    }
    for text in printed(of_futures) {
        assert!(
            text.contains("futures_channel::mpsc::Receiver") && !text.contains("core::pin::Pin"),
            "{text}"
        );
    }
    for text in printed(of_async_channel) {
        assert!(text.contains("async_channel::Receiver") && !text.contains("core::pin::Pin"), "{text}");
    }
}

async fn forever() {
    pending_on_a_timer().await;
}

async fn pending_on_a_timer() {
    tokio::time::sleep(HOUR).await;
}

#[test]
fn a_timeout_stands_around_its_future() {
    for text in printed(async || drop(tokio::time::timeout(HOUR, forever()).await)) {
        let lines: Vec<_> = text.lines().map(str::trim_start).collect();
        let at = lines.iter().position(|line| line.contains("tokio::time::timeout::Timeout<")).expect(&text);
        assert!(lines[at + 1].starts_with("└╼ async fn accuracy::printed::forever"), "{text}");
        assert_eq!(text.matches("tokio::time::sleep::Sleep at").count(), 1, "{text}");
    }
}

/// In optimized builds both waits are a poll of a `Sleep` right in that of the timeout.
#[test]
fn a_timeout_stands_around_a_sleep() {
    for text in printed(async || drop(tokio::time::timeout(HOUR, tokio::time::sleep(HOUR)).await)) {
        assert_eq!(text.matches("tokio::time::timeout::Timeout<").count(), 1, "{text}");
        assert_eq!(text.matches("tokio::time::sleep::Sleep at").count(), 1, "{text}");
    }
}

#[test]
fn a_sleep_is_printed_as_the_type_it_is() {
    for text in printed(forever) {
        assert!(text.contains("└╼ tokio::time::sleep::Sleep at tokio-"), "{text}");
    }
}

#[test]
fn a_channel_of_async_channel_is_printed_with_its_own_file() {
    async fn receive() {
        let (_sender, receiver) = async_channel::bounded::<u32>(1);
        let _closed = receiver.recv().await;
    }
    for text in printed(receive) {
        assert!(text.contains("async-channel-") && !text.contains("event-listener-strategy"), "{text}");
    }
}

#[test]
fn a_task_whose_budget_is_spent_is_not_said_to_wait() {
    async fn spend() {
        let semaphore = Semaphore::new(1);
        loop {
            drop(semaphore.acquire().await);
        }
    }
    for text in printed(spend) {
        assert!(text.contains("spend at ") && text.contains("(runnable: its budget is spent)"), "{text}");
        assert!(!text.contains("Semaphore::acquire"), "{text}");
    }
}

#[test]
fn what_polls_its_children_itself_says_so() {
    async fn unordered() {
        let mut futures: FuturesUnordered<_> = (0..2).map(|_| forever()).collect();
        while futures.next().await.is_some() {}
    }
    async fn shared() {
        forever().shared().await;
    }
    let all = [printed(unordered), printed(shared)];
    for text in all.concat() {
        assert!(text.contains("(polls its children with its own waker; wrap them to see them)"), "{text}");
    }
}

#[test]
fn a_join_set_is_not_said_to_poll_the_tasks_it_waits_for() {
    async fn join_set() {
        let mut set = JoinSet::new();
        set.spawn(forever());
        while set.join_next().await.is_some() {}
    }
    for text in printed(join_set) {
        assert!(text.contains("join_next") && !text.contains("polls its children"), "{text}");
    }
}

/// What is printed of a future that need not be sent between threads.
fn printed_local(future: impl Future<Output = ()>) -> String {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (task, handle) = traced(future);
    let trace = runtime.block_on(async {
        tokio::select! {
            biased;
            () = task => panic!("it does not end"),
            trace = async { yield_now().await; handle.capture().await } => trace.expect("it waits"),
        }
    });
    Tree::new(&symbolize(&trace)).to_string()
}

#[test]
fn a_local_set_has_no_lines_of_its_own_beside_its_future() {
    let text = printed_local(async { LocalSet::new().run_until(forever()).await });
    let lines: Vec<_> = text.lines().map(str::trim_start).collect();
    assert!(lines[1].starts_with("└╼ async fn accuracy::printed::forever at "), "{text}");
    assert!(!text.contains("AtomicWaker") && !text.contains("task::local"), "{text}");
    let text = printed_local(async {
        let local = LocalSet::new();
        local.spawn_local(forever());
        local.await;
    });
    let only = "tokio::task::local::LocalSet at tokio-";
    assert!(text.contains(only) && text.contains("(polls its children with its own waker; "), "{text}");
    assert_eq!(text.matches("└╼").count(), 1, "{text}");
}
