//! The timeout is tokio's, and its error says where the future waited.

use std::cell::Cell;
use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use backtrace_waker::tokio::{Elapsed, timeout_traced};
use backtrace_waker::{Registry, TaskDump, TracedExt};
use tokio::sync::{Mutex, oneshot};
use tokio::time::{Instant, advance, sleep};

const SECOND: Duration = Duration::from_secs(1);

async fn waits_for(lock: &Mutex<u32>) -> u32 {
    *lock.lock().await
}

const LOCKED_AT: u32 = line!() - 3;

/// Counts its wakes.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn the_error_says_where_the_future_waited() {
    let lock = Mutex::new(7);
    let held = lock.lock().await;
    let began = Instant::now();
    let elapsed = timeout_traced(5 * SECOND, waits_for(&lock)).await.unwrap_err();
    assert_eq!(began.elapsed().as_secs(), 5);
    drop(held);

    assert_eq!(elapsed.timeout(), 5 * SECOND);
    assert_eq!(elapsed.to_string(), "5s have passed, and the future is not ready");
    let text = format!("{elapsed:#}");
    // Relative to where tests run.
    let file = file!().strip_prefix("tests/").unwrap_or(file!());
    let here = format!("timeouts::timeout_traced::waits_for at {file}:{LOCKED_AT}:");
    assert!(text.starts_with(&format!("{elapsed}; it waits here:\n╼ async fn {here}")), "{text}");
    assert!(text.contains("Mutex<T>::lock"), "{text}");
    assert!(!text.contains("backtrace_waker"), "{text}");
    assert_eq!(elapsed.trace().raw().stacks().count(), 1);
    assert!(!format!("{elapsed:?}").contains("waits_for"), "symbolized by {{:?}}");

    let error = std::io::Error::from(elapsed);
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    assert!(error.get_ref().unwrap().is::<Elapsed>());
}

#[tokio::test(start_paused = true)]
async fn a_future_that_is_ready_in_time_is_not_late() {
    let lock = Mutex::new(7);
    assert_eq!(
        timeout_traced(Duration::ZERO, waits_for(&lock)).await.unwrap(),
        7,
        "at once, whatever the time"
    );
    assert_eq!(timeout_traced(Duration::MAX, waits_for(&lock)).await.unwrap(), 7);
    let later = async {
        sleep(SECOND).await;
        7
    };
    assert_eq!(timeout_traced(2 * SECOND, later).await.unwrap(), 7);
}

#[tokio::test(start_paused = true)]
async fn what_becomes_ready_in_the_very_poll_that_records_is_not_lost() {
    let until = Instant::now() + SECOND;
    let ready_then = poll_fn(|cx| {
        let _waker = cx.waker().clone();
        if Instant::now() >= until { Poll::Ready("the value") } else { Poll::Pending }
    });
    assert_eq!(timeout_traced(SECOND, ready_then).await.unwrap(), "the value");
}

/// Polls by hand: each poll of the timeout is one of the future, whatever happens in it.
#[tokio::test(start_paused = true)]
async fn a_future_is_never_polled_twice_in_one_poll() {
    let polls = Cell::new(0);
    let counts = || {
        poll_fn(|cx| {
            polls.set(polls.get() + 1);
            let _waker = cx.waker().clone();
            Poll::<()>::Pending
        })
    };
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let mut cx = Context::from_waker(&waker);

    let mut late = pin!(timeout_traced(Duration::ZERO, counts()));
    assert!(late.as_mut().poll(&mut cx).is_ready());
    assert_eq!((polls.get(), wakes.0.load(Ordering::Relaxed)), (1, 0), "of one that was late from the start");

    let mut timeout = pin!(timeout_traced(SECOND, counts()));
    for polled in 2..=3 {
        assert!(timeout.as_mut().poll(&mut cx).is_pending());
        assert_eq!(polls.get(), polled);
    }
    advance(2 * SECOND).await;
    assert_eq!((polls.get(), wakes.0.load(Ordering::Relaxed)), (3, 1));
    let Poll::Ready(Err(elapsed)) = timeout.as_mut().poll(&mut cx) else { panic!("not late") };
    assert_eq!((polls.get(), elapsed.trace().raw().stacks().count()), (4, 1));
}

/// The timer fires while the future is polled, on another thread; so that poll is not the recording one any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_time_may_be_up_in_the_middle_of_a_poll() {
    let (soon, later) = (Duration::from_millis(10), Duration::from_millis(20));
    let polls = Arc::new(AtomicUsize::new(0));
    let timeout = tokio::spawn({
        let polls = Arc::clone(&polls);
        async move {
            let is_up = Arc::new(AtomicBool::new(false));
            let timeout = timeout_traced(soon, {
                let is_up = Arc::clone(&is_up);
                poll_fn(move |cx| {
                    if polls.fetch_add(1, Ordering::Relaxed) == 0 {
                        cx.waker().wake_by_ref();
                    }
                    while polls.load(Ordering::Relaxed) == 2 && !is_up.load(Ordering::Relaxed) {
                        std::thread::yield_now();
                    }
                    Poll::<()>::Pending
                })
            });
            tokio::spawn(async move {
                sleep(later).await;
                is_up.store(true, Ordering::Relaxed);
            });
            timeout.await
        }
    });
    assert!(timeout.await.unwrap().is_err());
    assert_eq!(polls.load(Ordering::Relaxed), 3, "the second one found it late, and asked for the third");
}

#[tokio::test(start_paused = true)]
async fn after_the_error_the_future_can_be_waited_for_again() {
    let (sender, mut receiver) = oneshot::channel();
    for _ in 0..2 {
        let elapsed = timeout_traced(SECOND, &mut receiver).await.unwrap_err();
        assert!(!elapsed.trace().raw().is_empty());
    }
    sender.send("kept").unwrap();
    assert_eq!(timeout_traced(SECOND, &mut receiver).await.unwrap(), Ok("kept"));
}

#[tokio::test(start_paused = true)]
async fn timeouts_inside_one_another_all_tell() {
    let inner = async { timeout_traced(SECOND, pending_leaf()).await };
    assert!(timeout_traced(2 * SECOND, inner).await.unwrap().is_err(), "the inner one is the first");

    // Both at once: the outer poll records, the inner error is its value. It is never both lost.
    let inner = async { timeout_traced(SECOND, pending_leaf()).await };
    assert!(timeout_traced(SECOND, inner).await.unwrap().is_err());

    let inner = async { timeout_traced(2 * SECOND, pending_leaf()).await };
    let elapsed = timeout_traced(SECOND, inner).await.unwrap_err();
    assert!(format!("{elapsed:#}").contains("pending_leaf"), "{elapsed:#}");
    // The timer of the inner one is a place where it waits as well.
    assert_eq!(elapsed.trace().raw().stacks().count(), 2);
}

async fn pending_leaf() {
    poll_fn(|cx| {
        let _waker = cx.waker().clone();
        Poll::<()>::Pending
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_future_that_leaves_nothing_to_record_is_late_all_the_same() {
    let elapsed = timeout_traced(SECOND, pending::<()>()).await.unwrap_err();
    assert!(elapsed.trace().raw().is_empty());
    assert!(format!("{elapsed:#}").lines().count() > 1, "{elapsed:#}");
}

#[tokio::test(start_paused = true)]
async fn dropped_or_aborted_it_drops_the_future() {
    let held = Rc::new(());
    let hold = |held: &Rc<()>| {
        let held = Rc::clone(held);
        async move {
            let _held = held;
            pending_leaf().await;
        }
    };
    drop(timeout_traced(SECOND, hold(&held)));
    let local = tokio::task::LocalSet::new();
    let held_by_a_task = Rc::clone(&held);
    local
        .run_until(async move {
            let task = tokio::task::spawn_local(timeout_traced(SECOND, hold(&held_by_a_task)));
            tokio::task::yield_now().await;
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
        })
        .await;
    assert_eq!(Rc::strong_count(&held), 1);
}

/// As tokio's: the future uses up the budget of its task in every poll, and the timer is looked at all the same.
#[tokio::test]
async fn a_future_that_always_uses_up_its_budget_is_late_in_the_end() {
    let busy = async {
        loop {
            tokio::task::consume_budget().await;
        }
    };
    let elapsed = timeout_traced(Duration::from_millis(5), busy).await;
    assert!(elapsed.is_err());
}

#[tokio::test(start_paused = true)]
async fn it_is_no_task_of_dumps_and_hides_none() {
    let registry = Registry::global();
    let task = async {
        let child = tokio::spawn(pending_leaf().traced_as("child of a timeout"));
        pending_leaf().await;
        drop(child);
    };
    let task = tokio::spawn(timeout_traced(3_600 * SECOND, task).traced_as("has a timeout"));
    for _ in 0..4 {
        tokio::task::yield_now().await;
    }
    let dump = TaskDump::take().only(backtrace_waker::TaskFilter::new().name_contains("a timeout")).await;
    let names: Vec<_> = dump.raw().tasks().iter().filter_map(|task| task.name()).collect();
    assert_eq!(names, ["has a timeout", "child of a timeout"]);
    assert_eq!(dump.raw().tasks()[1].parent(), Some(dump.raw().tasks()[0].id()));
    // Where it waits is where the future does, and in its timer; that there is a wrapper is nobody's business.
    let text = dump.to_string();
    assert!(
        text.contains("it_is_no_task_of_dumps_and_hides_none") && !text.contains("TimeoutTraced"),
        "{text}"
    );
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    drop(registry);
}

#[test]
#[should_panic(expected = "timers are disabled")]
fn without_a_timer_it_panics_as_tokios_does() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _ = runtime.block_on(async { timeout_traced(SECOND, pending::<()>()).await });
}

#[test]
fn errors_are_small_and_can_be_sent() {
    fn is_an_error<T: std::error::Error + Send + Sync + 'static>() {}
    is_an_error::<Elapsed>();
    assert_eq!(size_of::<Elapsed>(), size_of::<usize>());
}
