//! What is printed of a trace: the lines that say what is awaited, and none that say less.

use std::future::Future;
use std::pin::Pin;

use bw_render::Tree;
use futures::{Stream, StreamExt};

use crate::harness::{capture, symbolize};

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
