//! Waiting for other tasks, for threads, and for one's own next turn.

/// The functions of a chain of three, as every module below has it.
const CHAIN: [&str; 3] = ["async fn self::outer", "async fn self::middle", "async fn self::leaf"];

mod yield_now {
    use super::CHAIN;
    use crate::harness::{at, waits};

    async fn outer() {
        at!(middle()).await;
    }

    async fn middle() {
        at!(leaf()).await;
    }

    async fn leaf() {
        loop {
            // Inside a runtime tokio clones the waker, to wake it when the others had their turn.
            at!(tokio::task::yield_now()).await;
        }
    }

    #[test]
    fn waits() {
        waits!(outer(), CHAIN);
    }
}

mod yield_by_waking_itself {
    use super::CHAIN;
    use crate::harness::{at, capture, symbolize, waits};
    use std::pin::Pin;
    use std::task::{Context, Poll};

    /// What executor-independent libraries do to yield: no clone, only a wake.
    struct Yield(bool);

    impl Future for Yield {
        type Output = ();

        fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
            if std::mem::replace(&mut self.0, true) {
                return Poll::Ready(());
            }
            at!(context.waker()).wake_by_ref();
            Poll::Pending
        }
    }

    async fn outer() {
        at!(middle()).await;
    }

    async fn middle() {
        at!(leaf()).await;
    }

    async fn leaf() {
        loop {
            at!(Yield(false)).await;
        }
    }

    #[test]
    fn waits() {
        let mut chain = CHAIN.to_vec();
        chain.push("<self::Yield as core::future::future::Future>::poll");
        waits!(outer(), chain);
        for trace in capture(outer) {
            assert!(symbolize(&trace).stacks.iter().all(|stack| stack.flags.is_yield), "{trace:?}");
        }
    }
}

mod spawn_blocking {
    use super::CHAIN;
    use crate::harness::{at, waits};
    use std::sync::mpsc::{self, Receiver};

    async fn outer() {
        // Ends the blocking thread when the task is dropped.
        let (_sender, receiver) = mpsc::channel();
        at!(middle(receiver)).await;
    }

    async fn middle(receiver: Receiver<u32>) {
        at!(leaf(move || receiver.recv().is_ok())).await;
    }

    async fn leaf(work: impl FnOnce() -> bool + Send + 'static) -> bool {
        at!(tokio::task::spawn_blocking(work)).await.is_ok_and(|done| done)
    }

    #[test]
    fn waits() {
        waits!(outer(), CHAIN);
    }
}

mod join_handle {
    use super::CHAIN;
    use crate::harness::{HOUR, at, waits};
    use tokio::task::JoinHandle;

    async fn outer() {
        at!(middle()).await;
    }

    async fn middle() {
        at!(leaf(tokio::spawn(tokio::time::sleep(HOUR)))).await;
    }

    async fn leaf(handle: JoinHandle<()>) -> bool {
        at!(handle).await.is_ok()
    }

    #[test]
    fn waits() {
        waits!(outer(), CHAIN);
    }
}

mod join_set {
    use super::CHAIN;
    use crate::harness::{HOUR, at, waits};
    use tokio::task::JoinSet;

    async fn outer() {
        at!(middle()).await;
    }

    async fn middle() {
        let mut set = JoinSet::new();
        for _ in 0..3 {
            set.spawn(tokio::time::sleep(HOUR));
        }
        at!(leaf(&mut set)).await;
    }

    async fn leaf(set: &mut JoinSet<()>) {
        while at!(set.join_next()).await.is_some() {}
    }

    #[test]
    fn waits() {
        waits!(outer(), CHAIN);
    }
}

mod unconstrained {
    use crate::harness::{HOUR, at, waits};

    async fn outer() {
        at!(middle()).await;
    }

    async fn middle() {
        at!(tokio::task::unconstrained(leaf())).await;
    }

    async fn leaf() {
        at!(tokio::time::sleep(HOUR)).await;
    }

    #[test]
    fn waits() {
        waits!(outer(), super::CHAIN);
    }
}
