//! The tasks: several shapes of waiting, and three ways to end.

use std::future::poll_fn;
use std::panic;
use std::pin::Pin;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::sync::mpsc::Sender;
use std::task::Poll;
use std::time::Duration;

use bw_core::Registry;
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{Notify, oneshot};

use crate::counts::{COUNTS, count};

/// How a task is to end when it is told to, or did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Finished,
    Panicked,
    Aborted,
}

/// That a task has ended.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) slot: usize,
    pub(crate) ending: Ending,
}

/// What a task holds as long as it lives; dropped, it reports how the task ended.
pub(crate) struct Ticket {
    slot: usize,
    is_finished: bool,
    reports: Sender<Report>,
}

static TICKETS: AtomicIsize = AtomicIsize::new(0);

/// How many tasks have not ended.
pub(crate) fn live_tickets() -> isize {
    TICKETS.load(Ordering::Relaxed)
}

impl Ticket {
    pub(crate) fn new(slot: usize, reports: Sender<Report>) -> Self {
        TICKETS.fetch_add(1, Ordering::Relaxed);
        Self { slot, is_finished: false, reports }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        TICKETS.fetch_sub(1, Ordering::Relaxed);
        let ending = match (self.is_finished, std::thread::panicking()) {
            (true, _) => Ending::Finished,
            (false, true) => Ending::Panicked,
            (false, false) => Ending::Aborted,
        };
        // A driver that gave up is not there any more.
        let _ = self.reports.send(Report { slot: self.slot, ending });
    }
}

/// What tasks panic with when they were told to.
struct Expected;

/// Other panics are printed as usual.
pub(crate) fn silence_expected_panics() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !info.payload().is::<Expected>() {
            usual(info);
        }
    }));
}

/// What a task does until it is told how to end.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// Waits for the order.
    Waits,
    /// Is woken by a timer every few milliseconds.
    Ticks,
    /// Waits inside two traced futures.
    Nests,
    /// Waits for traced children, which a sub-executor polls and only if they were woken.
    Supervises,
    /// Yields after the order, a few times.
    Yields,
}

impl Shape {
    pub(crate) const ALL: [Self; 5] = [Self::Waits, Self::Ticks, Self::Nests, Self::Supervises, Self::Yields];
}

/// A task. Ends as it is ordered to, and finishes if nobody is there to give orders any more.
pub(crate) async fn task(
    shape: Shape,
    registry: Registry,
    order: oneshot::Receiver<Ending>,
    mut ticket: Ticket,
) {
    let ending = wait(shape, &registry, order).await.unwrap_or(Ending::Finished);
    if ending == Ending::Panicked {
        panic::panic_any(Expected);
    }
    ticket.is_finished = true;
}

async fn wait(
    shape: Shape,
    registry: &Registry,
    mut order: oneshot::Receiver<Ending>,
) -> Result<Ending, oneshot::error::RecvError> {
    match shape {
        Shape::Waits => order.await,
        Shape::Ticks => {
            let mut ticks = tokio::time::interval(Duration::from_millis(20));
            loop {
                tokio::select! {
                    ending = &mut order => return ending,
                    _ = ticks.tick() => {}
                }
            }
        }
        Shape::Nests => {
            count(&COUNTS.children);
            count(&COUNTS.children);
            let inner = registry.tracer().named("inner").trace(order);
            registry.tracer().named("outer").trace(inner).await
        }
        Shape::Supervises => {
            let go = Notify::new();
            let child = |_| -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
                count(&COUNTS.children);
                Box::pin(registry.tracer().named("child").trace(async { go.notified().await }))
            };
            let mut children: FuturesUnordered<_> = (0..2).map(child).collect();
            let ending = loop {
                tokio::select! {
                    ending = &mut order => break ending,
                    Some(()) = children.next() => {}
                }
            };
            go.notify_one();
            go.notify_waiters();
            // Each of them was asked through us, perhaps many times; none may have missed its wake for that.
            while children.next().await.is_some() {
                go.notify_one();
            }
            ending
        }
        Shape::Yields => {
            let ending = order.await;
            for _ in 0..3 {
                tokio::task::yield_now().await;
                wake_itself().await;
            }
            ending
        }
    }
}

/// Yields as executors other than tokio do: tokio's own `yield_now` clones the waker.
async fn wake_itself() {
    let mut woken = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut woken, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
