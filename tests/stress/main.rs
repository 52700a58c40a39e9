//! Dumps in a loop at full speed, while tasks are spawned, finish, panic, are aborted and move between two runtimes, and
//! single tasks are asked as well: `cargo run --release -p tests --bin stress [-- --seconds 60] [--tasks 50000]`.
//!
//! Checked all along: every task that is told to end does, in the way it was told to; every request is answered, once; every
//! task is in a dump once at most. Checked at the end: the registry is empty, every waker of ours is released, and what
//! was allocated is freed; and, from ten seconds on, that memory was flat in between. Exit code 1, and a sentence, if anything of that is not so.

#![deny(unsafe_code)]

mod args;
mod asking;
mod counts;
mod driver;
mod leg;
#[allow(unsafe_code)]
mod memory;
mod task;

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bw_core::Registry;
use tokio::runtime::{Builder, Runtime};

use args::Args;
use counts::COUNTS;

/// What whoever waits longest waits for before it says that something is broken.
///
/// Shorter where `ci/lost_wakes` breaks the hook on purpose, since something is broken then.
fn patience() -> Duration {
    let is_broken = std::env::var_os("BW_BROKEN_HOOK").is_some();
    Duration::from_secs(if is_broken { 10 } else { 60 })
}

/// What a dump waits for. With `--cfg bw_every_poll` a dump wakes no task, so most tasks do not answer, and a dump need not wait for them.
fn dump_timeout() -> Duration {
    if cfg!(bw_every_poll) { Duration::from_millis(20) } else { patience() }
}

/// The two runtimes that tasks move between, and what all threads share.
struct World {
    runtimes: [Runtime; 2],
    registry: Registry,
    /// No more tasks are spawned, and those that live are told to end.
    over: AtomicBool,
    /// They have ended. Until then there are dumps.
    empty: AtomicBool,
}

impl World {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn is_empty(&self) -> bool {
        self.empty.load(Ordering::Relaxed)
    }
}

fn main() -> ExitCode {
    let args = match Args::parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(error) => {
            eprintln!("stress: {error}\n\n{}", args::USAGE);
            return ExitCode::from(2);
        }
    };
    task::silence_expected_panics();
    // What is allocated once in a process, and stays.
    let primed = run(&Args { seconds: 0.1, tasks: 1_000 });
    let before = memory::live();
    COUNTS.reset();
    let outcome = primed.and_then(|_| run(&args)).and_then(|samples| {
        println!("{COUNTS}");
        memory_stayed_flat(&args, &samples, before)
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stress: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Gives what was allocated in the course of it, at even times.
fn run(args: &Args) -> Result<Vec<isize>, String> {
    let runtime = |workers| Builder::new_multi_thread().worker_threads(workers).enable_all().build();
    let runtime = |workers| runtime(workers).map_err(|error| format!("no runtime: {error}"));
    let world = World {
        runtimes: [runtime(4)?, runtime(2)?],
        registry: Registry::new(),
        over: AtomicBool::new(false),
        empty: AtomicBool::new(false),
    };
    let samples = thread::scope(|scope| {
        let world = &world;
        let (handles, to_ask) = std::sync::mpsc::sync_channel(256);
        let drivers: Vec<_> = (1..=2)
            .map(|seed| {
                let handles = handles.clone();
                scope.spawn(move || driver::drive(world, args.tasks / 2, seed, &handles))
            })
            .collect();
        drop(handles);
        let dumps = scope.spawn(move || asking::dump_blocking(world));
        let awaits = scope.spawn(move || asking::dump_inside_a_task(world));
        let captures = scope.spawn(move || asking::capture(&to_ask));

        let end = Instant::now() + Duration::from_secs_f64(args.seconds);
        let mut samples = Vec::new();
        while Instant::now() < end && !drivers.iter().any(thread::ScopedJoinHandle::is_finished) {
            samples.push(memory::live());
            thread::park_timeout(Duration::from_millis(5));
        }
        world.over.store(true, Ordering::Relaxed);
        let died = |what: &str| format!("the thread that {what} panicked");
        let drove: Vec<_> = drivers.into_iter().map(thread::ScopedJoinHandle::join).collect();
        world.empty.store(true, Ordering::Relaxed);
        for driver in drove {
            driver.map_err(|_| died("spawns"))??;
        }
        captures.join().map_err(|_| died("asks single tasks"))??;
        awaits.join().map_err(|_| died("awaits dumps"))??;
        dumps.join().map_err(|_| died("takes dumps"))??;
        Ok::<_, String>(samples)
    })?;
    let World { runtimes, registry, .. } = world;
    drop(runtimes);
    if !registry.is_empty() {
        return Err(format!("{} tasks are still registered", registry.len()));
    }
    match (leg::live_relays(), task::live_tickets()) {
        (0, 0) => Ok(samples),
        (relays, tickets) => Err(format!("{relays} wakers and {tickets} tasks were never dropped")),
    }
}

/// Compares the end with the beginning and, if there was time enough, the second quarter of it with the last.
fn memory_stayed_flat(args: &Args, samples: &[isize], before: isize) -> Result<(), String> {
    let quarter = samples.len() / 4;
    // What dumps hold while they are taken comes and goes.
    let least = |samples: &[isize]| samples.iter().copied().min().unwrap_or(0);
    let (early, late) = (least(&samples[quarter..2 * quarter]), least(&samples[3 * quarter..]));
    let left = memory::live() - before;
    println!(
        "memory: at least {early} bytes live in the second quarter, {late} in the last, {} at most; \
         {left} more at the end than before",
        samples.iter().copied().max().unwrap_or(0)
    );
    // Queues of the runtimes make some difference. A short run has too few moments between dumps to compare.
    if args.seconds >= 10.0 && late > early + early / 10 + 2_000_000 {
        return Err("memory grew".into());
    }
    // Slots that are kept for the next capture: 512 KiB at most. And the runtime's threads may still be on their way out.
    if left > 1_000_000 {
        return Err("memory leaked".into());
    }
    Ok(())
}
