//! Dumps of tasks whose wakers panic, or call us back.

#![allow(unsafe_code)]

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker};
use std::time::Duration;

use bw_core::{NoTrace, Registry, TaskFilter, TaskState, TraceHandle, TracedTask};

use crate::harness::{Bell, FOREVER, Gate, on_panic, only_stack, poll};

/// Which of its functions a waker panics in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum In {
    Clone,
    Wake,
    Drop,
}

/// A waker that panics where it is told to, as soon as it is told to. Kept for ever: its clones point to it.
struct Panics {
    place: In,
    armed: AtomicUsize,
    panics: AtomicUsize,
}

impl Panics {
    fn new(place: In) -> (&'static Self, Waker) {
        let panics: &Self =
            Box::leak(Box::new(Self { place, armed: AtomicUsize::new(0), panics: AtomicUsize::new(0) }));
        // Not lost, which leak checkers would tell from kept.
        KEPT.lock().unwrap().push(panics);
        // SAFETY: the data is a `&'static Panics`, which is what the functions of the vtable expect, and `Sync`.
        let waker = unsafe { Waker::new(std::ptr::from_ref(panics).cast(), &VTABLE) };
        (panics, waker)
    }

    fn arm(&self, armed: bool) {
        self.armed.store(usize::from(armed), Ordering::SeqCst);
    }

    fn panics(&self) -> usize {
        self.panics.load(Ordering::SeqCst)
    }

    fn at(&self, place: In) {
        if place == self.place && self.armed.load(Ordering::SeqCst) == 1 {
            self.panics.fetch_add(1, Ordering::SeqCst);
            std::panic::panic_any(place);
        }
    }
}

static KEPT: Mutex<Vec<&'static Panics>> = Mutex::new(Vec::new());

static VTABLE: RawWakerVTable = RawWakerVTable::new(
    |data| {
        at(data, In::Clone);
        RawWaker::new(data, &VTABLE)
    },
    // By value, so that it is the end of the waker as well.
    |data| at(data, In::Wake),
    |data| at(data, In::Wake),
    |data| at(data, In::Drop),
);

fn at(data: *const (), place: In) {
    // SAFETY: only `Panics::new` makes wakers with this vtable, with a `&'static Panics`.
    let panics: &'static Panics = unsafe { &*data.cast() };
    panics.at(place);
}

type Task = Pin<Box<TracedTask<Gate>>>;

/// A task that was polled once with that waker, its gate, and two harmless ones.
fn among_others(registry: &Registry, waker: &Waker) -> (Task, Gate, [Task; 2]) {
    let gate = Gate::default();
    let mut task = Box::pin(registry.tracer().named("hostile").trace(gate.clone()));
    let mut others = [(); 2].map(|()| Box::pin(registry.tracer().trace(Gate::default())));
    assert!(poll(task.as_mut(), waker).is_pending());
    for other in &mut others {
        assert!(poll(other.as_mut(), Waker::noop()).is_pending());
    }
    (task, gate, others)
}

#[test]
#[cfg_attr(bw_every_poll, ignore = "it needs the wake of a request")]
fn a_task_waker_that_panics_when_cloned_does_not_panic_a_future_that_never_clones_it() {
    let (panics, waker) = Panics::new(In::Clone);
    panics.arm(true);
    let (ready, _) = bw_core::traced(std::future::ready(7));
    assert_eq!(poll(pin!(ready), &waker), Poll::Ready(7));
    let (silent, handle) = bw_core::traced(std::future::pending::<()>());
    let mut silent = pin!(silent);
    assert!(poll(silent.as_mut(), &waker).is_pending());
    assert_eq!(panics.panics(), 2, "each task tried once");
    // The next poll has a waker that can be kept, so the task can be asked.
    let (bell, harmless) = Bell::new();
    assert!(poll(silent.as_mut(), &harmless).is_pending());
    let mut capture = pin!(handle.capture().no_timeout());
    assert!(poll(capture.as_mut(), Waker::noop()).is_pending());
    assert_eq!(bell.rings(), 1);
    assert!(poll(silent.as_mut(), &harmless).is_pending());
    assert!(matches!(poll(capture, Waker::noop()), Poll::Ready(Ok(trace)) if trace.is_empty()));
}

#[test]
#[cfg_attr(bw_every_poll, ignore = "it needs the wake of a request")]
fn a_task_waker_that_panics_when_woken_does_not_harm_the_dump() {
    let registry = Registry::new();
    let (panics, waker) = Panics::new(In::Wake);
    let (mut task, gate, mut others) = among_others(&registry, &waker);
    panics.arm(true);
    let mut dump = pin!(registry.dump().timeout(FOREVER));
    assert!(poll(dump.as_mut(), Waker::noop()).is_pending());
    assert_eq!(panics.panics(), 1);
    for other in &mut others {
        assert!(poll(other.as_mut(), Waker::noop()).is_pending());
    }
    // Its executor did not learn of it, so it answers when it is polled for another reason.
    assert!(poll(dump.as_mut(), Waker::noop()).is_pending());
    assert!(poll(task.as_mut(), &waker).is_pending());
    let Poll::Ready(dump) = poll(dump, Waker::noop()) else { panic!("everybody has answered") };
    assert_eq!((dump.tasks().len(), dump.is_partial()), (3, false));
    panics.arm(false);
    gate.open();
    assert!(poll(task.as_mut(), &waker).is_ready());
}

#[test]
#[cfg_attr(bw_every_poll, ignore = "it needs the wake of a request")]
fn a_task_waker_that_panics_when_woken_is_not_woken_for_ever_by_a_panic_hook_that_asks() {
    let registry = Registry::new();
    let (panics, waker) = Panics::new(In::Wake);
    let (mut task, _gate, _others) = among_others(&registry, &waker);
    let handle = task.handle();
    on_panic({
        let handle = handle.clone();
        // Asks while the waker is lent to whoever wakes: that one is to wake again.
        move || assert!(handle.capture_blocking(Duration::ZERO).is_err())
    });
    panics.arm(true);
    assert!(handle.capture_blocking(Duration::ZERO).unwrap_err().is_timeout());
    assert_eq!(panics.panics(), 2, "once more, as somebody asked, and then no more");
    panics.arm(false);
    // And it was given back.
    let mut capture = pin!(handle.capture().no_timeout());
    assert!(poll(capture.as_mut(), Waker::noop()).is_pending());
    assert!(poll(task.as_mut(), &waker).is_pending());
    assert!(poll(capture, Waker::noop()).is_ready());
}

#[test]
fn a_task_waker_that_panics_when_cloned_does_not_harm_the_dump() {
    let registry = Registry::new();
    let (panics, waker) = Panics::new(In::Clone);
    let (mut task, _gate, mut others) = among_others(&registry, &waker);
    let mut dump = pin!(registry.dump().timeout(FOREVER));
    assert!(poll(dump.as_mut(), Waker::noop()).is_pending());
    panics.arm(true);
    // The leaf clones it in the traced poll, through the hook: the task panics, as it would without us.
    let payload = catch_unwind(AssertUnwindSafe(|| poll(task.as_mut(), &waker))).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&In::Clone));
    for other in &mut others {
        assert!(poll(other.as_mut(), Waker::noop()).is_pending());
    }
    let Poll::Ready(dump) = poll(dump, Waker::noop()) else { panic!("everybody has answered") };
    let hostile = &dump.tasks()[0];
    assert_eq!((&hostile.status().state, hostile.trace()), (&TaskState::Panicked, Err(NoTrace::Over)));
    assert_eq!(dump.traces().len(), 1);
}

#[test]
fn a_task_waker_that_panics_when_dropped_does_not_harm_the_dump() {
    let registry = Registry::new();
    let (panics, waker) = Panics::new(In::Drop);
    let (mut task, _gate, mut others) = among_others(&registry, &waker);
    let mut dump = pin!(registry.dump().timeout(FOREVER));
    assert!(poll(dump.as_mut(), Waker::noop()).is_pending());
    panics.arm(true);
    // The cell lets the old one go: that is ours to contain. What the leaf drops is the leaf's, so it is spared.
    let (_, other_waker) = Bell::new();
    let leafs = catch_unwind(AssertUnwindSafe(|| poll(task.as_mut(), &other_waker))).unwrap_err();
    assert_eq!((leafs.downcast_ref(), panics.panics()), (Some(&In::Drop), 2), "ours, and the leaf's");
    panics.arm(false);
    for other in &mut others {
        assert!(poll(other.as_mut(), Waker::noop()).is_pending());
    }
    let Poll::Ready(dump) = poll(dump, Waker::noop()) else { panic!("everybody has answered") };
    assert_eq!((dump.tasks().len(), dump.is_partial()), (3, false));
    std::mem::forget(waker);
}

#[test]
fn a_requesters_waker_that_panics_harms_neither_the_dump_nor_the_tasks() {
    for place in [In::Wake, In::Drop] {
        let registry = Registry::new();
        let (_, harmless) = Bell::new();
        let (mut task, _gate, mut others) = among_others(&registry, &harmless);
        let (panics, waker) = Panics::new(place);
        let mut dump = pin!(registry.dump().timeout(FOREVER));
        assert!(poll(dump.as_mut(), &waker).is_pending());
        panics.arm(true);
        // Another waker: the first is dropped. Then the first again, to be woken.
        assert!(poll(dump.as_mut(), Waker::noop()).is_pending());
        assert!(poll(dump.as_mut(), &waker).is_pending());
        assert!(poll(task.as_mut(), &harmless).is_pending());
        for other in &mut others {
            assert!(poll(other.as_mut(), Waker::noop()).is_pending());
        }
        let Poll::Ready(dump) = poll(dump, Waker::noop()) else { panic!("everybody has answered") };
        assert!(!dump.is_partial());
        assert!(panics.panics() > 0, "{place:?}");
        panics.arm(false);
    }
}

#[test]
fn a_requester_that_unwinds_with_a_waker_that_panics_does_not_abort_the_process() {
    let registry = Registry::new();
    let (mut task, _gate, _others) = among_others(&registry, &Bell::new().1);
    let handle = task.handle();
    let (panics, waker) = Panics::new(In::Drop);
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let mut dump = Box::pin(registry.dump().timeout(FOREVER));
        let mut capture = Box::pin(handle.capture());
        assert!(poll(dump.as_mut(), &waker).is_pending());
        assert!(poll(capture.as_mut(), &waker).is_pending());
        panics.arm(true);
        // Drops both, with their wakers, while it unwinds. A panic that left a destructor now would be the end.
        std::panic::panic_any("the requester's own");
    }));
    panics.arm(false);
    assert_eq!(unwound.unwrap_err().downcast_ref(), Some(&"the requester's own"));
    assert_eq!(panics.panics(), 2);
    assert!(poll(task.as_mut(), &Bell::new().1).is_pending());
}

#[test]
fn a_finished_task_that_is_polled_with_a_waker_that_panics_when_dropped() {
    let (task, _handle) = bw_core::traced(std::future::poll_fn(|_| Poll::Ready(())));
    let mut task = pin!(task);
    assert!(poll(task.as_mut(), &Bell::new().1).is_ready());
    let (panics, waker) = Panics::new(In::Drop);
    panics.arm(true);
    assert!(poll(task.as_mut(), &waker).is_ready(), "what the future does, it does");
    assert_eq!(panics.panics(), 1, "the clone that nobody needs");
    panics.arm(false);
}

/// Does something when it is woken by reference, and something when it is dropped: once each.
struct CallsBack {
    when_woken: Mutex<Option<Deed>>,
    when_dropped: Mutex<Option<Deed>>,
}

type Deed = Box<dyn FnOnce() + Send>;

impl CallsBack {
    fn waker(
        when_woken: impl FnOnce() + Send + 'static,
        when_dropped: impl FnOnce() + Send + 'static,
    ) -> Waker {
        let deeds: [Deed; 2] = [Box::new(when_woken), Box::new(when_dropped)];
        let [when_woken, when_dropped] = deeds.map(|deed| Mutex::new(Some(deed)));
        Waker::from(Arc::new(Self { when_woken, when_dropped }))
    }
}

fn run(deed: &Mutex<Option<Deed>>) {
    let deed = deed.lock().unwrap().take();
    if let Some(deed) = deed {
        deed();
    }
}

impl Wake for CallsBack {
    fn wake(self: Arc<Self>) {
        run(&self.when_woken);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        run(&self.when_woken);
    }
}

impl Drop for CallsBack {
    fn drop(&mut self) {
        run(&self.when_dropped);
    }
}

/// Everything that locks anything of ours.
fn call_everything(registry: &Registry, handle: &TraceHandle) {
    let _ = (
        registry.len(),
        registry.get(handle.id()),
        registry.look(&TaskFilter::new()),
        format!("{registry:?}"),
    );
    let task = registry.tracer().trace(Gate::default());
    let new = task.handle();
    let mut task = Box::pin(task);
    assert!(poll(task.as_mut(), Waker::noop()).is_pending());
    let _ = (new.status(), handle.status(), handle.parent());
    let _ = handle.capture_blocking(Duration::ZERO);
    let mut capture = Box::pin(handle.capture());
    let _ = poll(capture.as_mut(), Waker::noop());
    let _ = registry.dump().timeout(Duration::ZERO).blocking();
    let mut dump = Box::pin(registry.dump());
    let _ = poll(dump.as_mut(), Waker::noop());
    drop((capture, dump, task));
}

#[test]
#[cfg_attr(bw_every_poll, ignore = "it needs the wake of a request")]
fn a_waker_that_calls_us_back_when_it_is_woken_and_dropped() {
    let registry = Registry::new();
    let task = Arc::new(Mutex::new(Some(Box::pin(registry.tracer().trace(Gate::default())))));
    let handle = task.lock().unwrap().as_ref().unwrap().handle();
    let calls = Arc::new(AtomicUsize::new(0));
    let deed = || {
        let (registry, handle, calls) = (registry.clone(), handle.clone(), Arc::clone(&calls));
        move || {
            call_everything(&registry, &handle);
            calls.fetch_add(1, Ordering::SeqCst);
        }
    };
    let poll_task = |waker: &Waker| {
        let mut task = task.lock().unwrap();
        assert!(poll(task.as_mut().unwrap().as_mut(), waker).is_pending());
    };
    let waker = CallsBack::waker(deed(), deed());
    poll_task(&waker);
    drop(waker);
    let mut dump = pin!(registry.dump().timeout(FOREVER));
    assert!(poll(dump.as_mut(), Waker::noop()).is_pending());
    assert_eq!(calls.load(Ordering::SeqCst), 1, "woken");
    // Another waker: the leaf and the cell let the old one go.
    poll_task(&Bell::new().1);
    assert_eq!(calls.load(Ordering::SeqCst), 2, "dropped");
    let Poll::Ready(dump) = poll(dump, Waker::noop()) else { panic!("everybody has answered") };
    only_stack(dump.trace_of(&dump.tasks()[0]).unwrap());
}

/// Takes a dump whenever it is woken.
struct Dumps {
    registry: Registry,
    wakes: AtomicUsize,
}

impl Wake for Dumps {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::SeqCst);
        assert!(self.registry.dump().timeout(Duration::ZERO).blocking().is_partial());
    }
}

#[test]
#[cfg_attr(bw_every_poll, ignore = "it needs the wake of a request")]
fn wakers_that_take_a_dump_whenever_they_are_woken_are_not_woken_for_ever() {
    let registry = Registry::new();
    let wakers = [(); 2].map(|()| Arc::new(Dumps { registry: registry.clone(), wakes: AtomicUsize::new(0) }));
    let mut tasks = wakers.each_ref().map(|waker| {
        let mut task = Box::pin(registry.tracer().trace(Gate::default()));
        assert!(poll(task.as_mut(), &Waker::from(Arc::clone(waker))).is_pending());
        task
    });
    let mut dump = pin!(registry.dump().timeout(FOREVER));
    assert!(poll(dump.as_mut(), Waker::noop()).is_pending());
    assert!(wakers.iter().all(|waker| waker.wakes.load(Ordering::SeqCst) >= 2));
    for (task, waker) in tasks.iter_mut().zip(&wakers) {
        assert!(poll(task.as_mut(), &Waker::from(Arc::clone(waker))).is_pending());
    }
    let Poll::Ready(dump) = poll(dump, Waker::noop()) else { panic!("everybody has answered") };
    assert!(!dump.is_partial());
}

#[test]
#[cfg_attr(bw_every_poll, ignore = "it needs the wake of a request")]
fn a_waker_that_drops_the_last_task_when_it_is_woken() {
    let registry = Registry::new();
    let task = Arc::new(Mutex::new(Some(Box::pin(registry.tracer().trace(Gate::default())))));
    let waker = {
        let (task, registry) = (Arc::clone(&task), registry.clone());
        CallsBack::waker(move || drop(task.lock().unwrap().take()), move || assert!(registry.is_empty()))
    };
    assert!(poll(task.lock().unwrap().as_mut().unwrap().as_mut(), &waker).is_pending());
    drop(waker);
    let dump = registry.dump().timeout(FOREVER).blocking();
    assert_eq!(dump.tasks()[0].status().state, TaskState::Dropped);
    assert_eq!(dump.tasks()[0].trace(), Err(NoTrace::Over));
    assert!(registry.is_empty() && task.lock().unwrap().is_none());
}

#[test]
fn a_requesters_waker_that_calls_us_back_from_inside_the_traced_poll() {
    let registry = Registry::new();
    let mut task = Box::pin(registry.tracer().trace(Gate::default()));
    let handle = task.handle();
    assert!(poll(task.as_mut(), Waker::noop()).is_pending());
    let done = Arc::new(AtomicUsize::new(0));
    let deed = || {
        let (registry, handle, done) = (registry.clone(), handle.clone(), Arc::clone(&done));
        move || {
            call_everything(&registry, &handle);
            done.fetch_add(1, Ordering::SeqCst);
        }
    };
    let mut dump = pin!(registry.dump().timeout(FOREVER));
    assert!(poll(dump.as_mut(), &CallsBack::waker(deed(), deed())).is_pending());
    assert!(poll(task.as_mut(), Waker::noop()).is_pending());
    assert_eq!(done.load(Ordering::SeqCst), 2);
    assert!(poll(dump, Waker::noop()).is_ready());
}

/// Polls the dump when it is woken, on the thread of whoever wakes.
struct PollsDump {
    dump: Mutex<Option<Pin<Box<bw_core::DumpFuture>>>>,
    tasks: AtomicUsize,
}

impl Wake for PollsDump {
    fn wake(self: Arc<Self>) {
        let Ok(mut slot) = self.dump.try_lock() else { return };
        let waker = Waker::from(Arc::clone(&self));
        if let Some(dump) = slot.as_mut()
            && let Poll::Ready(dump) = dump.as_mut().poll(&mut Context::from_waker(&waker))
        {
            self.tasks.store(dump.tasks().len(), Ordering::SeqCst);
            *slot = None;
        }
    }
}

#[test]
fn a_dump_that_is_polled_where_its_tasks_answer() {
    let registry = Registry::new();
    let mut tasks: Vec<_> = (0..20).map(|_| Box::pin(registry.tracer().trace(Gate::default()))).collect();
    for task in &mut tasks {
        assert!(poll(task.as_mut(), Waker::noop()).is_pending());
    }
    let dump = Box::pin(registry.dump().at_once(3).timeout(FOREVER));
    let dump = Arc::new(PollsDump { dump: Mutex::new(Some(dump)), tasks: AtomicUsize::new(0) });
    Arc::clone(&dump).wake();
    for task in &mut tasks {
        assert!(poll(task.as_mut(), Waker::noop()).is_pending());
    }
    assert_eq!(dump.tasks.load(Ordering::SeqCst), 20, "the last one's poll ended it");
}
