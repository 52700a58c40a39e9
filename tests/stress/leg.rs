//! A future that moves from one runtime to another while it waits, as something to spawn on each.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures::task::AtomicWaker;
use tokio::runtime::Handle;

use crate::counts::{COUNTS, count};

/// A traced task that moves.
pub(crate) type Traveller = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Polls it here, and sends it on after a few polls.
pub(crate) struct Leg {
    traveller: Option<Traveller>,
    /// Where it is, and where it goes next.
    runtimes: [Handle; 2],
    polls: u32,
    legs_left: u32,
    relay: Option<Arc<Relay>>,
}

/// The waker of a leg: one that we can count, and that is another on each leg.
struct Relay {
    outer: AtomicWaker,
}

static RELAYS: AtomicIsize = AtomicIsize::new(0);

/// How many wakers of legs there are.
pub(crate) fn live_relays() -> isize {
    RELAYS.load(Ordering::Relaxed)
}

impl Relay {
    fn new() -> Arc<Self> {
        RELAYS.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self { outer: AtomicWaker::new() })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        RELAYS.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        self.outer.wake();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.outer.wake();
    }
}

impl Leg {
    pub(crate) fn new(traveller: Traveller, runtimes: [Handle; 2], legs_left: u32) -> Self {
        Self { traveller: Some(traveller), runtimes, polls: 0, legs_left, relay: None }
    }
}

impl Future for Leg {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let relay = Arc::clone(self.relay.get_or_insert_with(Relay::new));
        relay.outer.register(cx.waker());
        let Some(traveller) = &mut self.traveller else { return Poll::Ready(()) };
        if traveller.as_mut().poll(&mut Context::from_waker(&Waker::from(relay))).is_ready() {
            return Poll::Ready(());
        }
        self.polls += 1;
        if self.legs_left == 0 || self.polls < 2 {
            return Poll::Pending;
        }
        // Polled there at once, so it misses nothing. Whoever was about to wake it here wakes nobody.
        let Some(traveller) = self.traveller.take() else { return Poll::Ready(()) };
        let [here, there] = self.runtimes.clone();
        count(&COUNTS.moved);
        there.clone().spawn(Self::new(traveller, [there, here], self.legs_left - 1));
        Poll::Ready(())
    }
}
