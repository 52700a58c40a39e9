//! Wrapping and asking change nothing: random trees of futures, driven by hand, with and without requests in between.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bw_core::{CaptureFuture, TraceHandle, traced};
use proptest::prelude::*;

/// A future, as data.
#[derive(Clone, Debug)]
enum Plan {
    Ready,
    /// Yields so many times by waking itself.
    Yield(u8),
    /// Waits for an event, and stores its waker anew at each poll.
    Wait,
    /// Waits for an event, and keeps its waker while `will_wake` says that it will do.
    WaitCached,
    Sequence(Vec<Plan>),
    Join(Vec<Plan>),
    /// The first that is ready wins; the others are dropped.
    Select(Vec<Plan>),
    Boxed(Box<Plan>),
    /// Wrapped by itself, so that it can be asked as well.
    Traced(Box<Plan>),
}

fn plans() -> impl Strategy<Value = Plan> {
    let leaf = prop_oneof![
        Just(Plan::Ready),
        (0..3_u8).prop_map(Plan::Yield),
        Just(Plan::Wait),
        Just(Plan::WaitCached),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let several = || proptest::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            several().prop_map(Plan::Sequence),
            several().prop_map(Plan::Join),
            several().prop_map(Plan::Select),
            inner.clone().prop_map(|plan| Plan::Boxed(Box::new(plan))),
            inner.prop_map(|plan| Plan::Traced(Box::new(plan))),
        ]
    })
}

/// Everything a run shows.
type Log = Rc<RefCell<Vec<String>>>;

/// What the futures of one run share.
#[derive(Clone, Default)]
struct World {
    log: Log,
    /// Wakers of those that wait, by the order in which they began to.
    events: Rc<RefCell<Vec<Event>>>,
    handles: Rc<RefCell<Vec<TraceHandle>>>,
    /// Whether `Plan::Traced` is wrapped.
    wrap: bool,
}

#[derive(Default)]
struct Event {
    set: bool,
    waker: Option<Waker>,
}

/// Logs when it is dropped, and by that in which order.
struct Dropped(&'static str, usize, Log);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.2.borrow_mut().push(format!("{} {} dropped", self.0, self.1));
    }
}

fn build(plan: &Plan, world: &World, next: &mut usize) -> Pin<Box<dyn Future<Output = usize>>> {
    let id = *next;
    *next += 1;
    let log = Rc::clone(&world.log);
    match plan {
        Plan::Ready => Box::pin(async move { id }),
        &Plan::Yield(times) => Box::pin(async move {
            let _dropped = Dropped("yield", id, log);
            let mut left = times;
            std::future::poll_fn(|cx| {
                if left == 0 {
                    return Poll::Ready(id);
                }
                left -= 1;
                cx.waker().wake_by_ref();
                Poll::Pending
            })
            .await
        }),
        Plan::Wait | Plan::WaitCached => {
            let cached = matches!(plan, Plan::WaitCached);
            let events = Rc::clone(&world.events);
            Box::pin(async move {
                let _dropped = Dropped("wait", id, log);
                let index = {
                    let mut events = events.borrow_mut();
                    events.push(Event::default());
                    events.len() - 1
                };
                std::future::poll_fn(|cx| {
                    let event = &mut events.borrow_mut()[index];
                    if event.set {
                        return Poll::Ready(id);
                    }
                    if !cached || !event.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                        event.waker = Some(cx.waker().clone());
                    }
                    Poll::Pending
                })
                .await
            })
        }
        Plan::Sequence(plans) => {
            let parts: Vec<_> = plans.iter().map(|plan| build(plan, world, next)).collect();
            Box::pin(async move {
                let _dropped = Dropped("sequence", id, Rc::clone(&log));
                let mut sum = 0;
                for part in parts {
                    sum += part.await;
                    log.borrow_mut().push(format!("sequence {id}: {sum}"));
                }
                sum
            })
        }
        Plan::Join(plans) => {
            let parts: Vec<_> = plans.iter().map(|plan| build(plan, world, next)).collect();
            Box::pin(async move {
                let _dropped = Dropped("join", id, Rc::clone(&log));
                let all = futures::future::join_all(parts).await;
                log.borrow_mut().push(format!("join {id}: {all:?}"));
                all.into_iter().sum()
            })
        }
        Plan::Select(plans) => {
            let parts: Vec<_> = plans.iter().map(|plan| build(plan, world, next)).collect();
            Box::pin(async move {
                let _dropped = Dropped("select", id, Rc::clone(&log));
                let (value, index, rest) = futures::future::select_all(parts).await;
                log.borrow_mut().push(format!("select {id}: {index} with {value}"));
                drop(rest);
                value
            })
        }
        Plan::Boxed(plan) => build(plan, world, next),
        Plan::Traced(plan) => {
            let inner = build(plan, world, next);
            if !world.wrap {
                return inner;
            }
            let (task, handle) = traced(inner);
            world.handles.borrow_mut().push(handle);
            Box::pin(task)
        }
    }
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn poll<F: Future + ?Sized>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

/// Polls the future only when it is woken. When it is not, sets an event: which of those that are waited for, `choices`
/// says, by how many were set before. So polls in between cannot change which event comes when.
///
/// Before each poll, and before each event, asks one of the traced futures in turn if `asks` says so, and now and then
/// withdraws.
fn run(plan: &Plan, choices: &[u8], wrap: bool, asks: &[bool]) -> (Option<usize>, Vec<String>) {
    let world = World { wrap, ..World::default() };
    let mut task = build(plan, &world, &mut 0);
    if wrap {
        let (wrapped, handle) = traced(task);
        world.handles.borrow_mut().push(handle);
        task = Box::pin(wrapped);
    }
    let flag = Arc::new(Flag(AtomicBool::new(true)));
    let waker = Waker::from(Arc::clone(&flag));
    let mut choices = choices.iter().cycle();
    // Not at every step, or the task would never be at rest.
    let mut asks = asks.iter().chain([&false]).cycle();
    let mut waiting: VecDeque<Pin<Box<CaptureFuture>>> = VecDeque::new();
    let mut output = None;
    for step in 0..10_000 {
        if wrap && asks.next() == Some(&true) {
            let handles = world.handles.borrow();
            let mut capture = Box::pin(handles[step % handles.len()].capture().no_timeout());
            if poll(capture.as_mut(), Waker::noop()).is_pending() {
                waiting.push_back(capture);
            }
            if step % 5 == 0 {
                waiting.pop_front();
            }
        }
        if flag.0.swap(false, Ordering::SeqCst) {
            if let Poll::Ready(value) = poll(task.as_mut(), &waker) {
                output = Some(value);
                break;
            }
            continue;
        }
        let waker = {
            let mut events = world.events.borrow_mut();
            let unset: Vec<_> = (0..events.len()).filter(|&at| !events[at].set).collect();
            let Some(&choice) = choices.next().filter(|_| !unset.is_empty()) else { break };
            let event = &mut events[unset[usize::from(choice) % unset.len()]];
            event.set = true;
            event.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
    drop(task);
    for mut capture in waiting {
        assert!(poll(capture.as_mut(), Waker::noop()).is_ready(), "a request without an answer");
    }
    let log = world.log.borrow().clone();
    (output, log)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn outputs_completions_and_drops_are_the_same(
        plan in plans(),
        choices in proptest::collection::vec(any::<u8>(), 1..20),
        asks in proptest::collection::vec(any::<bool>(), 1..20),
    ) {
        let bare = run(&plan, &choices, false, &[]);
        prop_assert!(bare.0.is_some(), "every plan finishes");
        prop_assert_eq!(&run(&plan, &choices, true, &[]), &bare, "wrapped");
        prop_assert_eq!(&run(&plan, &choices, true, &asks), &bare, "wrapped and asked");
    }
}
