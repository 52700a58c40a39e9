//! A process whose memory is hostile: a look at it must end, within its limits and without a panic.
//!
//! The process is this one, with some tasks, copied once. An input is a list of words that are written to the copy: a byte that says where
//! (in a table of functions, in a task, in unwind information, in code, anywhere), three bytes for the place, a byte for the kind of value, and eight
//! bytes for the value.
#![no_main]

use std::future::pending;
use std::pin::Pin;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use bw_inspect::target::{FrozenCopy, LiveProcess, Mapping, Memory as _, Target as _};
use bw_inspect::{Inspection, Limits, inspect};
use libfuzzer_sys::fuzz_target;

/// Bytes of the copy.
const MOST_BYTES: usize = 512 << 20;
/// Bytes of a task, and of a table of functions, in which words are written.
const TASK_BYTES: u64 = 512;
const TABLE_BYTES: u64 = 88;
/// Bytes of one change.
const CHANGE: usize = 13;

/// The copy, and where changes to it matter.
struct Subject {
    copy: FrozenCopy,
    tables: Vec<u64>,
    tasks: Vec<u64>,
    constants: Vec<Mapping>,
    code: Vec<Mapping>,
    data: Vec<Mapping>,
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.poll_instructions = 20_000;
    limits.all_instructions = 400_000;
    limits
}

fn boxed(depth: u32) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        match depth {
            0 => pending().await,
            _ => boxed(depth - 1).await,
        }
    })
}

fn run_tasks() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let lock = std::sync::Arc::new(tokio::sync::Mutex::new(()));
        let guard = lock.lock().await;
        let waits = lock.clone();
        tokio::spawn(async move { drop(waits.lock().await) });
        tokio::spawn(tokio::time::sleep(Duration::from_secs(1 << 30)));
        tokio::spawn(boxed(3));
        tokio::spawn(async { tokio::join!(boxed(1), tokio::time::sleep(Duration::from_secs(1 << 30))) });
        let () = pending().await;
        drop(guard);
    });
}

/// Tasks with a trace; without what a thread waits for in `block_on`, which has a name.
fn traced(inspection: &Inspection) -> usize {
    inspection.dump().tasks().iter().filter(|task| task.trace().is_ok() && task.name().is_none()).count()
}

fn subject() -> Subject {
    std::thread::spawn(run_tasks);
    let this = LiveProcess::open(std::process::id()).expect("this process may read itself");
    loop {
        let copy = FrozenCopy::of(&this, MOST_BYTES).expect("it may be copied");
        let inspection = inspect(&copy, &Limits::default()).expect("a copy can be read");
        if traced(&inspection) == 4 {
            return Subject::new(copy, &inspection);
        }
    }
}

impl Subject {
    fn new(copy: FrozenCopy, inspection: &Inspection) -> Self {
        let mappings = copy.mappings().expect("a copy has mappings");
        let of = |is_it: &dyn Fn(&Mapping) -> bool| -> Vec<Mapping> {
            mappings.iter().filter(|it| it.is_readable && is_it(it)).cloned().collect()
        };
        let polls: Vec<u64> =
            inspection.dump().tasks().iter().filter_map(|task| inspection.poll_of(task.id())).collect();
        let constants = of(&|it| !it.is_writable && !it.is_executable);
        let code = of(&|it| it.is_executable);
        let data = of(&|it| it.may_hold_tasks());
        let words_at = |mappings: &[Mapping], wanted: &[u64]| -> Vec<u64> {
            let ranges = mappings.iter().flat_map(|mapping| copy.filled(mapping));
            let mut found = Vec::new();
            for range in ranges {
                let mut bytes = vec![0; usize::try_from(range.end - range.start).expect("it was copied")];
                if copy.read(range.start, &mut bytes).is_err() {
                    continue;
                }
                let words = bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word));
                let places = (range.start..).step_by(8).zip(words);
                found.extend(places.filter(|(_, word)| wanted.contains(word)).map(|(place, _)| place));
            }
            found
        };
        let tables = words_at(&constants, &polls);
        let tasks = words_at(&data, &tables).into_iter().map(|place| place - 16).collect();
        assert!(!tables.is_empty());
        Self { copy, tables, tasks, constants, code, data }
    }

    /// The place of a change.
    fn place(&self, kind: u8, number: u64) -> Option<u64> {
        let among = |places: &[u64], bytes: u64| {
            let at = usize::try_from(number / bytes).ok()? % places.len().max(1);
            places.get(at).map(|place| place + number % bytes / 8 * 8)
        };
        let inside = |mappings: &[Mapping]| {
            let at = usize::try_from(number).ok()? % mappings.len().max(1);
            let range = mappings.get(at)?.range.clone();
            Some(range.start + number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (range.end - range.start) / 8 * 8)
        };
        match kind % 8 {
            0 | 1 => among(&self.tables, TABLE_BYTES),
            2..=4 => among(&self.tasks, TASK_BYTES),
            5 => inside(&self.constants),
            6 => inside(&self.code),
            _ => inside(&self.data),
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    static SUBJECT: OnceLock<Mutex<Subject>> = OnceLock::new();

    let mut subject = SUBJECT.get_or_init(|| Mutex::new(subject())).lock().expect("no run panicked");
    let mut before = Vec::new();
    for change in bytes.as_chunks::<CHANGE>().0.iter().take(64) {
        let [kind, a, b, c, value_kind, value @ ..] = *change;
        let Some(place) = subject.place(kind, u64::from(u32::from_le_bytes([a, b, c, 0]))) else { continue };
        let value = u64::from_le_bytes(value);
        // Addresses of the process itself, so that lists become circles; small and huge numbers; anything.
        let value = match value_kind % 5 {
            0 => place.wrapping_add(value % 64),
            1 => subject.place(kind, value & 0xff_ffff).unwrap_or(value),
            2 => subject.place(value_kind / 5, value & 0xff_ffff).unwrap_or(value),
            3 => value % 4096,
            _ => value,
        };
        let mut known = [0; 8];
        if subject.copy.read(place, &mut known).is_ok() && subject.copy.overwrite(place, &value.to_le_bytes()) {
            before.push((place, known));
        }
    }
    let inspection = inspect(&subject.copy, &limits()).expect("a copy does not end");
    assert!(inspection.figures().instructions <= limits().all_instructions + limits().poll_instructions * 2);
    assert!(inspection.dump().tasks().len() < 10_000);
    for (place, known) in before.into_iter().rev() {
        subject.copy.overwrite(place, &known);
    }
});
