//! Whether threads that do the same thing at the same time hinder one another.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::Sampler;

/// Samples in one round. The fastest counts: others on the machine can only make it slower.
const SAMPLES: usize = 6;
/// Tries until as many have run at the same time.
const TRIES: usize = 60;
/// Of the time from the first begin to the last end, the least that two threads must share. Below it they ran one after
/// the other, which tells nothing.
const SHARED: f64 = 0.8;

/// A thread with a sampler of its own, since samplers are not `Send`.
struct Worker {
    orders: Sender<Order>,
    reports: Receiver<Report>,
}

struct Order {
    iterations: u64,
    /// How many threads have yet to arrive.
    missing: Arc<AtomicUsize>,
}

struct Report {
    took: Duration,
    from: Instant,
    to: Instant,
}

impl Worker {
    fn new(make: impl FnOnce() -> Sampler + Send + 'static) -> Self {
        let (orders, ordered) = channel::<Order>();
        let (report, reports) = channel();
        // Ends when the worker is dropped.
        thread::spawn(move || {
            let mut sampler = make();
            for Order { iterations, missing } in ordered {
                missing.fetch_sub(1, Ordering::AcqRel);
                // Awake when the other arrives: a thread that slept here would begin late.
                while missing.load(Ordering::Acquire) > 0 {
                    std::hint::spin_loop();
                }
                let from = Instant::now();
                let took = sampler(iterations);
                if report.send(Report { took, from, to: Instant::now() }).is_err() {
                    break;
                }
            }
        });
        Self { orders, reports }
    }

    fn report(&self) -> Report {
        self.reports.recv().expect("a worker that did not panic")
    }
}

fn at_once<const N: usize>(workers: [&Worker; N], iterations: u64) -> [Report; N] {
    let missing = Arc::new(AtomicUsize::new(N));
    for worker in workers {
        let order = Order { iterations, missing: Arc::clone(&missing) };
        worker.orders.send(order).expect("a worker that runs");
    }
    workers.map(Worker::report)
}

/// One round: the time of a capture on each of two threads at once, over that on one thread alone. 1 is ideal, 2 is
/// what a lock around the whole capture gives at least. NaN where two threads did not run at the same time.
pub fn ratio(make: fn(usize) -> Sampler, frames: usize, captures: u64) -> impl FnMut() -> f64 {
    let [a, b] = [(); 2].map(|()| Worker::new(move || make(frames)));
    move || {
        let (mut both, mut alone, mut samples) = (f64::INFINITY, f64::INFINITY, 0);
        for _ in 0..TRIES {
            let reports = at_once([&a, &b], captures);
            if together(&reports) {
                both = both.min(reports.map(|report| report.took.as_secs_f64()).iter().sum());
                // Each alone too: cores differ.
                let reports = [&a, &b].map(|worker| at_once([worker], captures));
                alone = alone.min(reports.map(|[report]| report.took.as_secs_f64()).iter().sum());
                samples += 1;
                if samples == SAMPLES {
                    break;
                }
            }
        }
        both / alone
    }
}

/// One round: the nanoseconds of an iteration on each of two threads at once. NaN where they did not run at the same time.
pub fn nanos(make: fn() -> Sampler, iterations: u64) -> impl FnMut() -> f64 {
    let [a, b] = [Worker::new(make), Worker::new(make)];
    move || {
        let reports = (0..TRIES).map(|_| at_once([&a, &b], iterations)).find(together);
        let took = reports.map(|reports| reports.map(|report| report.took.as_secs_f64()).iter().sum::<f64>());
        // Below 2^52, so exact.
        #[allow(clippy::cast_precision_loss)]
        took.map_or(f64::NAN, |took| took * 1e9 / 2.0 / iterations as f64)
    }
}

/// Each of two threads does it so many times, and how long that took one of them on average. The fewer the times, the less of
/// it they spend at the same time.
#[must_use]
pub fn on_both(make: fn() -> Sampler) -> Sampler {
    let [a, b] = [Worker::new(make), Worker::new(make)];
    Box::new(move |iterations| {
        at_once([&a, &b], iterations).iter().map(|report| report.took).sum::<Duration>() / 2
    })
}

fn together([a, b]: &[Report; 2]) -> bool {
    let shared = a.to.min(b.to).saturating_duration_since(a.from.max(b.from));
    shared >= (a.to.max(b.to) - a.from.min(b.from)).mul_f64(SHARED)
}
