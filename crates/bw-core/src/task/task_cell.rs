//! The task cell: what a traced task and everybody who asks about it share. One allocation per traced task.
//!
//! # Who may do what
//!
//! The *poller* (whoever has `Pin<&mut TracedTask>`) attends to requests at the start of a poll, and ends the task.
//! *Requesters* (any thread, any number) add requests and wake. The *timer* and a requester that gives up take a
//! request off the list. All of it happens under one lock that is held for a few instructions and never while
//! anybody else's code runs: wakers are cloned, woken and dropped outside it, answers are given outside it.
//!
//! # The waker
//!
//! | waker slot | meaning | left by |
//! |---|---|---|
//! | `Empty` | never polled, or over | `attend`: held |
//! | `Held` | the waker of the last poll | a requester takes it out to wake: lent · `attend` with another · `end`: empty |
//! | `Lent` | a requester is waking through it, outside the lock | that requester gives it back: held · `attend`, `end` |
//! | `Lent`, noted | as before, and a later request needs a wake too | that requester wakes once more |
//!
//! Loans are numbered. A requester may come back when its waker was replaced, and the new one lent out in turn; it must
//! not take that loan for its own and put the old waker in its place.
//!
//! A requester that finds the waker lent leaves a note instead of cloning it: the clone would be the executor's code
//! under our lock. The one that has it wakes again after every such note, so no request is without a wake that came
//! after it. But for one case: a waker that itself asks this task, whenever it is woken (or panics, in a program whose panic
//! hook takes dumps), would be woken for ever. A note of the thread that has the waker can only come from inside the wake, and
//! is good for one more wake, not for another after that.
//!
//! # Why no request is lost
//!
//! A request is on the list before its wake. The poll which that wake causes sees the new generation (see
//! [`generation`]), so it attends. A waker that changes is stored, and the list emptied, under one lock: a request
//! either is on that list, or comes later and finds the new waker. A task that is over answers at once, under the
//! same lock that ended it.

use std::panic::Location;
use std::ptr;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::hook::recorded::Outcome;
use crate::hook::slot::Slot;
use crate::sync::Mutex;
use crate::task::every_poll::EVERY_POLL;
use crate::task::generation;
use crate::task::inbox::Inbox;
#[cfg(all(target_pointer_width = "64", not(bw_loom)))]
use crate::task::layout_table;
use crate::task::registry::{PlaceInShard, Registry};
use crate::task::request::Request;
use crate::task::requester::{Requester, Requesters};
use crate::task::wake;
use crate::thread::os_thread::{self, ThreadKey};
use crate::thread::thread_slot::{self, Polling};
use crate::time::clock::{self, Tick};
use crate::time::stamp::StampRef;
use crate::trace::error::CaptureError;
use crate::trace::id::TaskId;
use crate::trace::name::Name;
use crate::trace::state::{TaskState, TaskStatus};

/// How far a task has come. What it does while it is `Alive` the thread slots know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Unpolled,
    Alive,
    /// A poll panicked. A later poll, should somebody dare, makes it `Alive` again.
    Panicked,
    Finished,
    Dropped,
}

pub(crate) struct TaskCell {
    pub(crate) id: TaskId,
    pub(crate) name: Option<Name>,
    pub(crate) spawned_at: &'static Location<'static>,
    /// The type of the future, as the compiler writes it.
    pub(crate) type_name: &'static str,
    /// The registry it is in, and where.
    pub(crate) registry: Registry,
    pub(crate) place: PlaceInShard,
    pub(crate) born: Tick,
    /// The traced task in whose poll it was wrapped.
    pub(crate) wrapped_in: Option<TaskId>,
    shared: Mutex<Shared>,
}

struct Shared {
    stage: Stage,
    /// The traced task in whose poll the last poll was that took the slow path.
    polled_in: Option<TaskId>,
    waker: WakerSlot,
    /// The number of the last loan. Wrapping is harmless: no requester is away for so many.
    loan: usize,
    requesters: Requesters,
    /// How many words the slot of the next traced poll needs.
    slot_words: usize,
    /// Since when a wake of ours is without a poll.
    woken: Tick,
    /// From the first poll until the task is dropped.
    stamp: Option<StampRef>,
    /// When a request first polled it, and the count of the stamp at that time: a poll of the task's own has another count.
    requested: (Tick, u32),
    /// What the stamp cannot tell: polls before it started over, and all of them once it is gone.
    polls: u64,
}

enum WakerSlot {
    Empty,
    Held(Waker),
    Lent { loan: usize, to: ThreadKey, note: Note },
}

/// What a requester left that found the waker lent.
enum Note {
    None,
    /// The one that has the waker left it itself, from inside the wake.
    OfItself,
    Left,
}

impl Shared {
    /// When a request first polled the task since the poll of that count; the default if none has.
    fn requested_since(&self, polls: u32) -> Tick {
        if self.requested.1 == polls { self.requested.0 } else { Tick::default() }
    }
}

impl WakerSlot {
    fn take(&mut self) -> Option<Waker> {
        match std::mem::replace(self, Self::Empty) {
            Self::Held(waker) => Some(waker),
            Self::Empty | Self::Lent { .. } => None,
        }
    }
}

/// Those whom one poll answers, all with the same trace.
#[derive(Default)]
pub(crate) struct Batch {
    requesters: Requesters,
    pub(crate) slot_words: usize,
}

impl Batch {
    pub(crate) fn is_empty(&self) -> bool {
        self.requesters.is_empty()
    }

    /// Answers everybody. Wakes the requesters, whose panics end here.
    pub(crate) fn answer(self, outcome: &Outcome<'_>) {
        self.requesters.answer(outcome);
    }
}

/// What can be seen of a task without asking it, all at one moment.
pub(crate) struct Observation {
    pub(crate) status: TaskStatus,
    /// See [`TraceHandle::parent`](crate::TraceHandle::parent).
    pub(crate) parent: Option<TaskId>,
    /// Whether the parent polls it.
    pub(crate) nested: bool,
}

/// A waker, lent to wake a task that was asked; for [`TaskCell::wake`].
#[must_use = "the task is asked, and nobody has woken it"]
pub(crate) struct Loan {
    waker: Waker,
    number: usize,
}

impl TaskCell {
    /// A new task of that registry; it still has to be inserted there.
    pub(crate) fn new(
        registry: Registry,
        name: Option<Name>,
        spawned_at: &'static Location<'static>,
        type_name: &'static str,
    ) -> Self {
        #[cfg(all(target_pointer_width = "64", not(bw_loom)))]
        layout_table::keep();
        Self {
            id: TaskId::next(),
            name,
            spawned_at,
            type_name,
            registry,
            place: PlaceInShard::nowhere(),
            born: clock::now(),
            wrapped_in: thread_slot::innermost(),
            shared: Mutex::new(Shared {
                stage: Stage::Unpolled,
                polled_in: None,
                waker: WakerSlot::Empty,
                loan: 0,
                requesters: Requesters::default(),
                slot_words: Slot::WORDS,
                woken: Tick::default(),
                stamp: None,
                requested: (Tick::default(), 0),
                polls: 0,
            }),
        }
    }

    /// Requester: asks for a trace, and wakes the task if it was ever polled.
    ///
    /// Answered at once if the task is over.
    pub(crate) fn request(&self, request: &Arc<Request>) {
        let loan = self.ask(Requester::One(Arc::clone(request)));
        generation::bump();
        if let Some(loan) = loan {
            self.wake(loan);
        }
    }

    /// Requester: puts somebody on the list, or answers them if the task is over. Whoever gets a loan must bump the
    /// [`generation`], and then [`wake`](Self::wake): for many tasks at once, one bump will do.
    pub(crate) fn ask(&self, requester: Requester) -> Option<Loan> {
        let mut shared = self.shared.lock();
        if let Some(over) = shared.stage.over() {
            drop(shared);
            requester.answer(&Outcome::Over(over));
            return None;
        }
        shared.requesters.push(requester);
        let number = shared.loan.wrapping_add(1);
        match std::mem::replace(
            &mut shared.waker,
            WakerSlot::Lent { loan: number, to: os_thread::key(), note: Note::None },
        ) {
            WakerSlot::Held(waker) => {
                shared.loan = number;
                if shared.woken == Tick::default() {
                    shared.woken = clock::now();
                }
                Some(Loan { waker, number })
            }
            WakerSlot::Empty => {
                // The first poll attends in any case.
                shared.waker = WakerSlot::Empty;
                None
            }
            WakerSlot::Lent { loan, to, note } => {
                // Before the other requester can see the note: the wake that it asks for must come after the bump.
                generation::bump();
                let note = match note {
                    Note::None | Note::OfItself if to == os_thread::key() => Note::OfItself,
                    _ => Note::Left,
                };
                shared.waker = WakerSlot::Lent { loan, to, note };
                None
            }
        }
    }

    /// Requester: wakes the task, and gives the waker back.
    pub(crate) fn wake(&self, Loan { waker, number }: Loan) {
        let mut woken_for_itself = false;
        loop {
            if !EVERY_POLL {
                wake::wake_by_ref(&waker);
            }
            let mut shared = self.shared.lock();
            match &mut shared.waker {
                WakerSlot::Lent { loan, note, .. } if *loan == number => {
                    match std::mem::replace(note, Note::None) {
                        Note::Left => {}
                        Note::OfItself if !woken_for_itself => woken_for_itself = true,
                        Note::OfItself | Note::None => {
                            shared.waker = WakerSlot::Held(waker);
                            return;
                        }
                    }
                }
                // Replaced by a poll, which took every request before it, or cleared by the end.
                _ => {
                    drop(shared);
                    return wake::discard(Some(waker));
                }
            }
        }
    }

    /// Takes a request off the list: its requester gave up or is gone. Does nothing if a poll has taken it.
    pub(crate) fn forget(&self, request: &Request) {
        self.forget_requester(
            |requester| matches!(requester, Requester::One(other) if ptr::eq(Arc::as_ptr(other), request)),
        );
    }

    /// Takes a dump off the list, as [`forget`](Self::forget) does a request.
    pub(crate) fn forget_dump(&self, inbox: &Arc<Inbox>) {
        self.forget_requester(
            |requester| matches!(requester, Requester::Dump(other, _) if Arc::ptr_eq(other, inbox)),
        );
    }

    fn forget_requester(&self, is_it: impl Fn(&Requester) -> bool) {
        let requester = self.shared.lock().requesters.remove(is_it);
        // Dropped outside the lock: it may be the last that knows of a waker.
        drop(requester);
    }

    /// Timer or blocked requester: the timeout has passed.
    pub(crate) fn expire(&self, request: &Request, timeout: Duration) {
        self.forget(request);
        request.answer(Err(CaptureError::timeout(timeout, self.status())));
    }

    /// Poller: takes the requests of this poll, and the waker if it is another than the last one.
    ///
    /// `None` if the task is over: there is nothing to track any more. Otherwise the cell keeps the stamp until it is told
    /// that the task was dropped.
    pub(crate) fn attend(&self, fresh: Option<Waker>, stamp: impl FnOnce() -> StampRef) -> Option<Batch> {
        let mut shared = self.shared.lock();
        match shared.stage {
            Stage::Alive => {}
            Stage::Unpolled | Stage::Panicked => shared.stage = Stage::Alive,
            Stage::Finished | Stage::Dropped => {
                drop(shared);
                wake::discard(fresh);
                return None;
            }
        }
        let polls = shared.stamp.get_or_insert_with(stamp).read().polls;
        if !shared.requesters.is_empty() && shared.requested_since(polls) == Tick::default() {
            shared.requested = (clock::now(), polls);
        }
        // Again each time: it may have moved to another parent, or away from one.
        shared.polled_in = thread_slot::innermost();
        shared.woken = Tick::default();
        let stale = fresh.and_then(|fresh| {
            let stale = shared.waker.take();
            shared.waker = WakerSlot::Held(fresh);
            stale
        });
        let batch =
            Batch { requesters: std::mem::take(&mut shared.requesters), slot_words: shared.slot_words };
        drop(shared);
        wake::discard(stale);
        Some(batch)
    }

    /// Poller: so many words were not enough.
    pub(crate) fn ask_for_more_room(&self, words: usize) {
        self.shared.lock().slot_words = words.saturating_mul(4).min(Slot::MAX_WORDS);
    }

    /// Poller: 2^32 polls have returned since the last time.
    #[cold]
    pub(crate) fn note_polls_started_over(&self) {
        self.shared.lock().polls += 1 << 32;
    }

    /// Poller: the task finished, panicked or is dropped. Answers everybody who waits, and lets the waker go.
    ///
    /// Waker, task, future and cell hold each other otherwise.
    pub(crate) fn end(&self, stage: Stage) {
        let mut shared = self.shared.lock();
        match (shared.stage, stage) {
            (Stage::Finished | Stage::Dropped, _) | (Stage::Panicked, Stage::Dropped) => {}
            _ => shared.stage = stage,
        }
        // From here on the stamp may be gone.
        if stage == Stage::Dropped
            && let Some(stamp) = shared.stamp.take()
        {
            shared.polls += u64::from(stamp.read().polls);
        }
        let Some(over) = shared.stage.over() else { return };
        let batch = Batch { requesters: std::mem::take(&mut shared.requesters), slot_words: 0 };
        let waker = shared.waker.take();
        drop(shared);
        if stage != Stage::Panicked {
            self.registry.remove(self);
        }
        batch.answer(&Outcome::Over(over));
        wake::discard(waker);
    }

    /// The task in whose poll it is polled, or else was wrapped, and whether it is the former.
    pub(crate) fn parent(&self) -> (Option<TaskId>, bool) {
        self.parent_of(self.shared.lock().polled_in)
    }

    fn parent_of(&self, polled_in: Option<TaskId>) -> (Option<TaskId>, bool) {
        (polled_in.or(self.wrapped_in), polled_in.is_some())
    }

    /// What the task is doing. Asks nobody and wakes nobody.
    pub(crate) fn status(&self) -> TaskStatus {
        self.observe(Instant::now(), thread_slot::polling).status
    }

    /// What can be seen of the task without asking it, given the time and who polls what: for many tasks at once. One lock.
    pub(crate) fn observe(
        &self,
        now: Instant,
        polling: impl FnOnce(TaskId) -> Option<Polling>,
    ) -> Observation {
        // The stage first: a task that ends meanwhile is then at worst said to be suspended, which it was.
        let shared = self.shared.lock();
        let (stage, woken, polled_in) = (shared.stage, shared.woken, shared.polled_in);
        let stamped = shared.stamp.as_ref().map(StampRef::read).unwrap_or_default();
        let polls = shared.polls + u64::from(stamped.polls);
        let requested = shared.requested_since(stamped.polls);
        drop(shared);
        let (state, since) = match stage {
            Stage::Finished => (TaskState::Finished, Tick::default()),
            Stage::Dropped => (TaskState::Dropped, Tick::default()),
            Stage::Panicked => (TaskState::Panicked, Tick::default()),
            Stage::Unpolled => (TaskState::NeverPolled, self.born),
            Stage::Alive => match polling(self.id) {
                Some(Polling { thread, since, .. }) => (TaskState::Polling(thread), since),
                None if woken != Tick::default() => (TaskState::Woken, woken),
                None => (TaskState::Suspended, stamped.tick),
            },
        };
        let since_request = requested.elapsed_at(now).filter(|_| state == TaskState::Suspended);
        let (parent, nested) = self.parent_of(polled_in);
        let (in_state, age) = (since.elapsed_at(now), self.born.elapsed_at(now));
        let status = TaskStatus { state, in_state, since_request, age, polls };
        Observation { status, parent, nested }
    }
}

impl Stage {
    /// The answer of a task that is over.
    fn over(self) -> Option<CaptureError> {
        match self {
            Self::Unpolled | Self::Alive => None,
            Self::Panicked => Some(CaptureError::panicked()),
            Self::Finished => Some(CaptureError::finished()),
            Self::Dropped => Some(CaptureError::dropped()),
        }
    }
}
