//! One poll that records where a future waits, without a task around it.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use crate::hook::recording_waker::Hook;
use crate::hook::slot::Slot;
use crate::hook::slot_pool;
use crate::thread::thread_slot;
use crate::trace::counters;
use crate::trace::raw_trace::RawTrace;
use crate::unwind::stack_pointer;

/// Polls a future once, as its own poll with all effects, and records where it waits.
///
/// For whoever has the future at hand and wants to know at one moment: a timeout that fires, a test that gives up. Before that
/// moment the future costs nothing more than itself, and it is in no registry. Everybody else wraps it with
/// [`traced`](crate::traced), and asks from anywhere.
///
/// Cost: the walk of the stack for each clone of the waker, as in any traced poll, and one allocation of the trace. Takes one lock
/// for a moment before and after the poll. There is room for about 160 stacks; the trace counts what had none.
///
/// # Errors
///
/// If it is not ready: where it waits.
///
/// # Panics
///
/// If the future's poll does.
///
/// ```
/// use std::task::{Context, Waker};
///
/// let (_sender, receiver) = tokio::sync::oneshot::channel::<u32>();
/// let mut future = std::pin::pin!(async { receiver.await });
/// let mut cx = Context::from_waker(Waker::noop());
/// let trace = bw_core::poll_traced(future.as_mut(), &mut cx).unwrap_err();
/// assert_eq!(trace.stacks().count(), 1);
/// ```
// Never inlined: its frame is the root of every stack it records.
#[inline(never)]
pub fn poll_traced<F: Future + ?Sized>(
    future: Pin<&mut F>,
    cx: &mut Context<'_>,
) -> Result<F::Output, RawTrace> {
    let thread = thread_slot::current_or_register();
    // What unwinds frees it.
    let slot = slot_pool::take(Slot::WORDS, thread.number());
    let poll = {
        let hook = Hook::new(cx.waker(), &slot, stack_pointer::current(), thread.stack());
        let waker = hook.waker();
        future.poll(&mut Context::from_waker(&waker))
    };
    counters::add(slot.counts());
    let result = match poll {
        Poll::Ready(output) => Ok(output),
        Poll::Pending => Err(slot.recorded().trace()),
    };
    slot_pool::put(slot, thread.number());
    result
}

#[cfg(all(test, not(bw_loom)))]
mod tests {
    use std::future::{pending, poll_fn, ready};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::{Wake, Waker};

    use super::*;

    struct Nobody;

    impl Wake for Nobody {
        fn wake(self: Arc<Self>) {}
    }

    /// Pending, with a clone of its waker for each time it is polled.
    fn polled_with(wakers: &mut Vec<Waker>) -> impl Future<Output = ()> {
        poll_fn(move |cx| {
            wakers.push(cx.waker().clone());
            Poll::Pending
        })
    }

    #[test]
    fn it_polls_once_and_the_future_keeps_the_executors_waker() {
        let waker = Waker::from(Arc::new(Nobody));
        let mut kept = Vec::new();
        let trace = poll_traced(pin!(polled_with(&mut kept)), &mut Context::from_waker(&waker)).unwrap_err();
        assert_eq!(trace.stacks().count(), 1);
        assert!(trace.stacks().all(|stack| stack.len() > 1 && !stack.is_truncated() && !stack.is_foreign()));
        assert!(matches!(&*kept, [kept] if kept.will_wake(&waker)));
    }

    #[test]
    fn what_is_ready_is_handed_on() {
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(poll_traced(pin!(ready(7)), &mut cx).ok(), Some(7));
        assert!(poll_traced(pin!(pending::<()>()), &mut cx).unwrap_err().is_empty());
    }

    #[test]
    fn inside_a_traced_poll_both_record() {
        let waker = Waker::from(Arc::new(Nobody));
        let (mut kept, mut inner) = (Vec::new(), None);
        let outer = {
            let mut future = pin!(polled_with(&mut kept));
            let around = poll_fn(|cx| {
                inner = poll_traced(future.as_mut(), cx).err();
                Poll::<()>::Pending
            });
            poll_traced(pin!(around), &mut Context::from_waker(&waker)).unwrap_err()
        };
        let addresses = |trace: &RawTrace| trace.stacks().map(|stack| stack.len()).collect::<Vec<_>>();
        let (outer, inner) = (addresses(&outer), addresses(&inner.unwrap()));
        assert!(outer.len() == 1 && inner.len() == 1 && outer[0] > inner[0], "{outer:?} {inner:?}");
        assert!(kept[0].will_wake(&waker));
    }

    #[test]
    fn a_panic_passes_and_the_next_one_records() {
        let mut cx = Context::from_waker(Waker::noop());
        let panics = catch_unwind(AssertUnwindSafe(|| {
            poll_traced(pin!(poll_fn(|_| -> Poll<()> { panic!("on purpose") })), &mut cx).is_err()
        }));
        assert!(panics.is_err());
        let trace = poll_traced(pin!(polled_with(&mut Vec::new())), &mut cx).unwrap_err();
        assert_eq!(trace.stacks().count(), 1);
    }
}
