//! The shapes people write futures in: boxes, traits, closures, blocks, streams, hand-written polls, long names.

use tokio::time::sleep;

use crate::harness::{HOUR, at};

/// The end of every chain below.
const LEAF: &str = "async fn accuracy::shapes::leaf";

async fn leaf() {
    at!(sleep(HOUR)).await;
}

mod recursion {
    use super::{LEAF, leaf};
    use crate::harness::{at, waits};
    use futures::future::Either;
    use std::pin::Pin;

    fn boxed(depth: u32) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            let next = if depth == 0 { Either::Left(leaf()) } else { Either::Right(boxed(depth - 1)) };
            at!(next).await;
        })
    }

    #[test]
    fn through_a_box_of_dyn_future() {
        let mut stack = vec!["async block in self::boxed"; 20];
        stack.push(LEAF);
        waits!(boxed(19), stack);
    }

    async fn direct(depth: u32) {
        let next = if depth == 0 { Either::Left(leaf()) } else { Either::Right(Box::pin(direct(depth - 1))) };
        at!(next).await;
    }

    #[test]
    fn of_an_async_fn() {
        let mut stack = vec!["async fn self::direct"; 20];
        stack.push(LEAF);
        waits!(direct(19), stack);
    }

    async fn even(depth: u32) {
        let next = if depth == 0 { Either::Left(leaf()) } else { Either::Right(odd(depth - 1)) };
        at!(next).await;
    }

    fn odd(depth: u32) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(even(depth - 1))
    }

    #[test]
    fn of_an_async_fn_through_a_function() {
        let mut stack = vec!["async fn self::even"; 4];
        stack.push(LEAF);
        waits!(even(6), stack);
    }
}

mod traits {
    use super::{LEAF, leaf};
    use crate::harness::{at, waits};
    use async_trait::async_trait;

    #[async_trait]
    trait Handler: Send + Sync {
        async fn handle(&self);

        async fn provided(&self) {
            at!(self.handle()).await;
        }
    }

    struct Connection {
        number: u32,
    }

    #[async_trait]
    impl Handler for Connection {
        async fn handle(&self) {
            at!(self.read()).await;
        }
    }

    impl Connection {
        async fn read(&self) -> u32 {
            at!(leaf()).await;
            self.number
        }
    }

    async fn serve(handler: Box<dyn Handler>) {
        at!(handler.provided()).await;
    }

    #[test]
    fn async_trait_behind_dyn() {
        waits!(
            serve(Box::new(Connection { number: 1 })),
            [
                "async fn self::serve",
                "async block in self::Handler::provided",
                "async block in <self::Connection as self::Handler>::handle",
                "async fn self::Connection::read",
                LEAF,
            ]
        );
    }

    trait Native {
        fn native(&self) -> impl Future<Output = u32> + Send;
    }

    impl Native for Connection {
        async fn native(&self) -> u32 {
            at!(self.read()).await
        }
    }

    async fn generic(native: impl Native + Send + Sync) -> u32 {
        at!(native.native()).await
    }

    #[test]
    fn an_async_fn_in_a_trait() {
        waits!(
            generic(Connection { number: 1 }),
            [
                "async fn self::generic",
                "async fn <self::Connection as self::Native>::native",
                "async fn self::Connection::read",
                LEAF,
            ]
        );
    }
}

mod closures {
    use super::{LEAF, leaf};
    use crate::harness::{at, capture, list, of_this_program, symbolize, waits};

    async fn blocks() {
        let outer = async {
            let inner = async {
                at!(leaf()).await;
            };
            at!(inner).await;
        };
        at!(outer).await;
    }

    #[test]
    fn a_block_in_a_block() {
        waits!(
            blocks(),
            [
                "async fn self::blocks",
                "async block in async fn self::blocks",
                "async block in async block in async fn self::blocks",
                LEAF,
            ]
        );
    }

    const ABOVE_SIBLINGS: u32 = line!();
    async fn siblings() {
        let inner = async {
            leaf().await;
        };
        let outer = async {
            inner.await;
        };
        outer.await;
    }

    #[test]
    fn only_their_lines_tell_blocks_of_one_function_apart() {
        for trace in capture(siblings) {
            let trace = symbolize(&trace);
            let frames = of_this_program(&trace.stacks[0]);
            let lines = frames.iter().map(|frame| frame.location.as_ref()?.line?.checked_sub(ABOVE_SIBLINGS));
            // The last frame is `leaf`, which is above.
            assert_eq!(lines.take(3).collect::<Vec<_>>(), [8, 6, 3].map(Some), "{}", list(&trace.stacks[0]));
        }
    }

    async fn closure() {
        let closure = async |times: u32| {
            for _ in 0..times {
                at!(leaf()).await;
            }
        };
        at!(closure(2)).await;
    }

    #[test]
    fn an_async_closure() {
        waits!(closure(), ["async fn self::closure", "async closure in async fn self::closure", LEAF]);
    }

    async fn call(closure: impl AsyncFn(u32) -> u32) -> u32 {
        at!(closure(1)).await
    }

    fn call_with_block() -> impl Future<Output = u32> + Send {
        let closure = |number: u32| async move {
            at!(leaf()).await;
            number
        };
        call(closure)
    }

    #[test]
    fn a_closure_that_returns_a_block() {
        waits!(
            call_with_block(),
            ["async fn self::call", "async block in closure in self::call_with_block", LEAF]
        );
    }
}

mod streams {
    use super::{LEAF, leaf};
    use crate::harness::{at, waits};
    use futures::stream::{self, Stream, StreamExt};

    fn numbers() -> impl Stream<Item = u32> + Send {
        stream::unfold(0, step)
    }

    async fn step(number: u32) -> Option<(u32, u32)> {
        at!(leaf()).await;
        Some((number, number + 1))
    }

    async fn consume(stream: impl Stream<Item = u32>) {
        let mut stream = std::pin::pin!(stream);
        while at!(stream.next()).await.is_some() {}
    }

    #[test]
    fn next_of_a_stream() {
        waits!(consume(numbers()), ["async fn self::consume", "async fn self::step", LEAF]);
    }

    #[test]
    fn adapters_around_a_stream() {
        let adapted =
            || numbers().map(|number| number + 1).filter(|_| std::future::ready(true)).skip(1).boxed();
        waits!(consume(adapted()), ["async fn self::consume", "async fn self::step", LEAF]);
    }

    async fn per_item(number: u32) -> u32 {
        at!(leaf()).await;
        number
    }

    async fn collect() -> u32 {
        at!(stream::iter(0..3).then(per_item).fold(0, async |a, b| a + b)).await
    }

    #[test]
    fn a_future_for_each_item() {
        waits!(collect(), ["async fn self::collect", "async fn self::per_item", LEAF]);
    }
}

mod by_hand {
    use super::{LEAF, leaf};
    use crate::harness::{at, waits};
    use std::pin::Pin;
    use std::task::{Context, Poll, ready};

    /// A future that does something with what another one gives.
    struct Double<F>(Pin<Box<F>>);

    impl<F: Future<Output = u32>> Future for Double<F> {
        type Output = u32;

        fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<u32> {
            let number = ready!(at!(self.0.as_mut()).poll(context));
            Poll::Ready(number * 2)
        }
    }

    async fn one() -> u32 {
        at!(leaf()).await;
        1
    }

    async fn two() -> u32 {
        at!(Double(Box::pin(one()))).await
    }

    #[test]
    fn a_future_with_a_poll_of_its_own() {
        let double = "<self::Double<F> as core::future::future::Future>::poll";
        waits!(two(), ["async fn self::two", double, "async fn self::one", LEAF]);
        waits!(Double(Box::pin(one())), [double, "async fn self::one", LEAF]);
    }
}
