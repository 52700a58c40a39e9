//! Keeps tasks alive: tells some to end, waits until they have, and puts others in their place.

use std::sync::mpsc::{self, Sender, SyncSender};

use bw_core::TraceHandle;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use crate::counts::{COUNTS, count};
use crate::leg::Leg;
use crate::task::{Ending, Report, Shape, Ticket, task};
use crate::{World, patience};

/// Tasks that are told to end before any of them is waited for.
const BATCH: usize = 512;

/// A task's place.
struct Slot {
    handle: TraceHandle,
    order: Option<oneshot::Sender<Ending>>,
    /// `None` if it moves.
    abort: Option<AbortHandle>,
    /// What it was told.
    told: Option<Ending>,
}

/// xorshift64: which tasks do what is the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Until the world is over; then ends every task.
pub(crate) fn drive(
    world: &World,
    tasks: usize,
    seed: u64,
    handles: &SyncSender<TraceHandle>,
) -> Result<(), String> {
    let mut random = Random(seed);
    let (reports, ended) = mpsc::channel();
    let mut slots: Vec<_> = (0..tasks).map(|slot| spawn(world, slot, &reports, &mut random)).collect();
    let end = |slots: &mut [Slot], from: usize, count: usize, random: &mut Random| {
        for at in from..from + count {
            let slot = &mut slots[at % tasks];
            // Some are asked on their own while they end. Not waited for: the asker has enough to do.
            if random.below(64) == 0 {
                let _ = handles.try_send(slot.handle.clone());
            }
            slot.tell(random);
        }
    };
    let wait = |slots: &[Slot]| -> Result<Report, String> {
        let Ok(report) = ended.recv_timeout(patience()) else { return Err(stranded(slots)) };
        let told = slots[report.slot].told;
        if told != Some(report.ending) {
            return Err(format!("a task was told {told:?}, and it {:?}", report.ending));
        }
        count(match report.ending {
            Ending::Finished => &COUNTS.finished,
            Ending::Panicked => &COUNTS.panicked,
            Ending::Aborted => &COUNTS.aborted,
        });
        Ok(report)
    };
    let mut at = 0;
    while !world.is_over() {
        end(&mut slots, at, BATCH.min(tasks), &mut random);
        at += BATCH;
        for _ in 0..BATCH.min(tasks) {
            let report = wait(&slots)?;
            slots[report.slot] = spawn(world, report.slot, &reports, &mut random);
            // And some while they begin.
            if random.below(64) == 0 {
                let _ = handles.try_send(slots[report.slot].handle.clone());
            }
        }
    }
    end(&mut slots, 0, tasks, &mut random);
    (0..tasks).try_for_each(|_| wait(&slots).map(drop))
}

fn spawn(world: &World, slot: usize, reports: &Sender<Report>, random: &mut Random) -> Slot {
    count(&COUNTS.spawned);
    let (order, ordered) = oneshot::channel();
    let shape = Shape::ALL[usize::try_from(random.below(5)).unwrap_or(0)];
    let ticket = Ticket::new(slot, reports.clone());
    let task =
        world.registry.tracer().named("task").trace(task(shape, world.registry.clone(), ordered, ticket));
    let handle = task.handle();
    let mut runtimes: [Handle; 2] = [world.runtimes[0].handle().clone(), world.runtimes[1].handle().clone()];
    if random.below(4) == 0 {
        runtimes.reverse();
    }
    let abort = if random.below(4) == 0 {
        runtimes[0].clone().spawn(Leg::new(Box::pin(task), runtimes, 6));
        None
    } else {
        Some(runtimes[0].spawn(task).abort_handle())
    };
    Slot { handle, order: Some(order), abort, told: None }
}

impl Slot {
    fn tell(&mut self, random: &mut Random) {
        let ending = match (random.below(5), &self.abort) {
            (0, Some(abort)) => {
                // First the note, then the deed: it may end before this returns. Nobody looks but this thread.
                abort.abort();
                Ending::Aborted
            }
            (1, _) => Ending::Panicked,
            _ => Ending::Finished,
        };
        self.told = Some(ending);
        if ending != Ending::Aborted
            && let Some(order) = self.order.take()
        {
            // It is there: it ends only when it is told to.
            let _ = order.send(ending);
        }
    }
}

/// Who was told to end and has not.
fn stranded(slots: &[Slot]) -> String {
    let mut stranded = slots.iter().filter(|slot| slot.told.is_some()).map(|slot| &slot.handle);
    let count = stranded.clone().count();
    format!("stranded: {count} tasks did not end within {:?}, such as {:?}", patience(), stranded.next())
}
