//! Channels: tokio's, those of futures, and async-channel. Receiving from an empty one, sending to a full one.

/// The functions of a chain of three, as every module below has it.
const CHAIN: [&str; 3] = ["async fn self::outer", "async fn self::middle", "async fn self::leaf"];

mod mpsc_recv {
    use super::CHAIN;
    use crate::harness::{at, waits};
    use tokio::sync::mpsc::{self, Receiver};

    async fn outer() {
        at!(middle()).await;
    }

    async fn middle() {
        let (_sender, mut receiver) = mpsc::channel::<u32>(1);
        at!(leaf(&mut receiver)).await;
    }

    async fn leaf(receiver: &mut Receiver<u32>) -> Option<u32> {
        at!(receiver.recv()).await
    }

    #[test]
    fn waits() {
        waits!(outer(), CHAIN);
    }
}

mod mpsc_send {
    use super::CHAIN;
    use crate::harness::{at, waits};
    use tokio::sync::mpsc::{self, Sender};

    async fn outer() {
        at!(middle()).await;
    }

    async fn middle() {
        let (sender, _receiver) = mpsc::channel(1);
        at!(leaf(sender)).await;
    }

    async fn leaf(sender: Sender<u32>) {
        while at!(sender.send(1)).await.is_ok() {}
    }

    #[test]
    fn waits() {
        waits!(outer(), CHAIN);
    }
}

mod mpsc_unbounded {
    use super::CHAIN;
    use crate::harness::{at, waits};
    use tokio::sync::mpsc::{self, UnboundedReceiver};

    async fn outer() {
        at!(middle()).await;
    }

    async fn middle() {
        let (sender, receiver) = mpsc::unbounded_channel();
        sender.send(1).expect("it is open");
        at!(leaf(receiver)).await;
    }

    async fn leaf(mut receiver: UnboundedReceiver<u32>) {
        while at!(receiver.recv()).await.is_some() {}
    }

    #[test]
    fn waits() {
        // The sender is alive until the end of `middle`.
        waits!(outer(), CHAIN);
    }
}

mod oneshot {
    use super::CHAIN;
    use crate::harness::{at, waits};
    use tokio::sync::oneshot::{self, Receiver};

    async fn outer() {
        at!(middle()).await;
    }

    async fn middle() {
        let (_sender, receiver) = oneshot::channel();
        at!(leaf(receiver)).await;
    }

    async fn leaf(receiver: Receiver<u32>) -> Option<u32> {
        at!(receiver).await.ok()
    }

    #[test]
    fn waits() {
        waits!(outer(), CHAIN);
    }
}

mod watch {
    use super::CHAIN;
    use crate::harness::{at, waits};
    use tokio::sync::watch::{self, Receiver};

    async fn outer() {
        at!(middle()).await;
    }

    async fn middle() {
        let (_sender, mut receiver) = watch::channel(1);
        at!(leaf(&mut receiver)).await;
    }

    async fn leaf(receiver: &mut Receiver<u32>) {
        while at!(receiver.changed()).await.is_ok() {}
    }

    #[test]
    fn waits() {
        waits!(outer(), CHAIN);
    }
}

mod watch_closed {
    use super::CHAIN;
    use crate::harness::{at, waits};
    use tokio::sync::watch::{self, Sender};

    async fn outer() {
        at!(middle()).await;
    }

    async fn middle() {
        let (sender, _receiver) = watch::channel(1);
        at!(leaf(sender)).await;
    }

    async fn leaf(sender: Sender<u32>) {
        at!(sender.closed()).await;
    }

    #[test]
    fn waits() {
        waits!(outer(), CHAIN);
    }
}

mod broadcast {
    use super::CHAIN;
    use crate::harness::{at, waits};
    use tokio::sync::broadcast::{self, Receiver};

    async fn outer() {
        at!(middle()).await;
    }

    async fn middle() {
        let (_sender, mut receiver) = broadcast::channel(1);
        at!(leaf(&mut receiver)).await;
    }

    async fn leaf(receiver: &mut Receiver<u32>) {
        while at!(receiver.recv()).await.is_ok() {}
    }

    #[test]
    fn waits() {
        waits!(outer(), CHAIN);
    }
}

mod futures_mpsc {
    use super::CHAIN;
    use crate::harness::{at, waits};
    use futures::StreamExt;
    use futures::channel::mpsc::{self, Receiver};

    async fn outer() {
        at!(middle()).await;
    }

    async fn middle() {
        let (_sender, receiver) = mpsc::channel(1);
        at!(leaf(receiver)).await;
    }

    async fn leaf(mut receiver: Receiver<u32>) {
        while at!(receiver.next()).await.is_some() {}
    }

    #[test]
    fn waits() {
        waits!(outer(), CHAIN);
    }
}

mod futures_mpsc_send {
    use super::CHAIN;
    use crate::harness::{at, waits};
    use futures::SinkExt;
    use futures::channel::mpsc::{self, Sender};

    async fn outer() {
        at!(middle()).await;
    }

    async fn middle() {
        let (sender, _receiver) = mpsc::channel(1);
        at!(leaf(sender)).await;
    }

    async fn leaf(mut sender: Sender<u32>) {
        while at!(sender.send(1)).await.is_ok() {}
    }

    #[test]
    fn waits() {
        waits!(outer(), CHAIN);
    }
}

mod futures_oneshot {
    use super::CHAIN;
    use crate::harness::{at, waits};
    use futures::channel::oneshot::{self, Receiver};

    async fn outer() {
        at!(middle()).await;
    }

    async fn middle() {
        let (_sender, receiver) = oneshot::channel();
        at!(leaf(receiver)).await;
    }

    async fn leaf(receiver: Receiver<u32>) -> Option<u32> {
        at!(receiver).await.ok()
    }

    #[test]
    fn waits() {
        waits!(outer(), CHAIN);
    }
}

mod async_channel_recv {
    use super::CHAIN;
    use crate::harness::{at, waits};
    use async_channel::Receiver;

    async fn outer() {
        at!(middle()).await;
    }

    async fn middle() {
        let (_sender, receiver) = async_channel::bounded(1);
        at!(leaf(receiver)).await;
    }

    async fn leaf(receiver: Receiver<u32>) {
        while at!(receiver.recv()).await.is_ok() {}
    }

    #[test]
    fn waits() {
        waits!(outer(), CHAIN);
    }
}

mod async_channel_send {
    use super::CHAIN;
    use crate::harness::{at, waits};
    use async_channel::Sender;

    async fn outer() {
        at!(middle()).await;
    }

    async fn middle() {
        let (sender, _receiver) = async_channel::bounded(1);
        at!(leaf(sender)).await;
    }

    async fn leaf(sender: Sender<u32>) {
        while at!(sender.send(1)).await.is_ok() {}
    }

    #[test]
    fn waits() {
        waits!(outer(), CHAIN);
    }
}
