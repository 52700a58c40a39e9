//! Wakers that count, gates that open, and an executor of one's own hands.

use std::cell::RefCell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bw_core::{CaptureError, RawTrace, TraceHandle, TracedTask};

/// Long enough for any machine; reached only when something is broken.
pub(crate) const FOREVER: Duration = Duration::from_secs(60);

/// Counts how often it was woken.
#[derive(Default)]
pub(crate) struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Bell {
    pub(crate) fn new() -> (Arc<Self>, Waker) {
        let bell = Arc::new(Self::default());
        (Arc::clone(&bell), Waker::from(bell))
    }

    pub(crate) fn rings(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// A leaf future that waits until it is opened, and stores its waker as leaf futures do.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<Mutex<(bool, Option<Waker>)>>);

impl Gate {
    pub(crate) fn open(&self) {
        let waker = {
            let mut state = self.0.lock().unwrap();
            state.0 = true;
            state.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The waker it stores.
    pub(crate) fn waker(&self) -> Option<Waker> {
        self.0.lock().unwrap().1.clone()
    }
}

impl Future for Gate {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.lock().unwrap();
        if state.0 {
            return Poll::Ready(());
        }
        state.1 = Some(cx.waker().clone());
        Poll::Pending
    }
}

pub(crate) fn poll<F: Future + ?Sized>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

/// An executor that polls in its wake, on the thread of whoever wakes.
pub(crate) struct Inline<F = Gate> {
    pub(crate) task: Mutex<Option<Pin<Box<TracedTask<F>>>>>,
    pub(crate) polls: Mutex<usize>,
}

impl<F> Inline<F> {
    pub(crate) fn new(task: TracedTask<F>) -> Arc<Self> {
        Arc::new(Self { task: Mutex::new(Some(Box::pin(task))), polls: Mutex::new(0) })
    }
}

impl<F: Future<Output = ()> + Send + 'static> Wake for Inline<F> {
    fn wake(self: Arc<Self>) {
        let Ok(mut task) = self.task.try_lock() else { return };
        if let Some(running) = task.as_mut() {
            *self.polls.lock().unwrap() += 1;
            let waker = Waker::from(Arc::clone(&self));
            if poll(running.as_mut(), &waker).is_ready() {
                *task = None;
            }
        }
    }
}

/// Asks, polls the task once, and takes the answer that poll must have given.
pub(crate) fn ask<F: Future + ?Sized>(
    handle: &TraceHandle,
    task: Pin<&mut F>,
) -> (Poll<F::Output>, Result<RawTrace, CaptureError>) {
    let (_, waker) = Bell::new();
    ask_with(handle, task, &waker)
}

/// As [`ask`], with the waker to poll the task with.
pub(crate) fn ask_with<F: Future + ?Sized>(
    handle: &TraceHandle,
    task: Pin<&mut F>,
    waker: &Waker,
) -> (Poll<F::Output>, Result<RawTrace, CaptureError>) {
    let (bell, requester) = Bell::new();
    let mut capture = pin!(handle.capture().no_timeout());
    assert!(poll(capture.as_mut(), &requester).is_pending());
    let polled = poll(task, waker);
    assert_eq!(bell.rings(), 1, "the requester is woken once");
    match poll(capture, &requester) {
        Poll::Ready(answer) => (polled, answer),
        Poll::Pending => panic!("the poll did not answer"),
    }
}

/// The only stack of a trace, as addresses, after checking that it is whole.
pub(crate) fn only_stack(trace: &RawTrace) -> Vec<usize> {
    assert_eq!((trace.stacks().count(), trace.dropped()), (1, 0), "{trace:?}");
    let stack = trace.stacks().next().unwrap();
    assert!(!stack.is_truncated() && !stack.is_foreign(), "{trace:?}");
    assert!(stack.len() >= 2, "at least the hook and the root: {trace:?}");
    stack.addresses().map(bw_core::ReturnAddress::get).collect()
}

thread_local!(static ON_PANIC: RefCell<Option<Box<dyn FnMut()>>> = const { RefCell::new(None) });

/// Does something in the panic hook, when this thread panics, instead of printing. Panics of other threads are printed.
pub(crate) fn on_panic(deed: impl FnMut() + 'static) {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            ON_PANIC.with_borrow_mut(|deed| match deed {
                Some(deed) => deed(),
                None => usual(info),
            });
        }));
    });
    ON_PANIC.set(Some(Box::new(deed)));
}
