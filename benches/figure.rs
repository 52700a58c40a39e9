//! The scoreboard's rows, and how a row is measured.

use std::time::Duration;

use crate::Sampler;
use crate::measure::dump::Part;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use crate::measure::inspect;
use crate::measure::{
    allocations, clones, first_capture, idle, name, raw_dump, request, spawn, symbols, two_threads,
};

/// One row of the scoreboard, and one object in its JSON.
#[derive(Debug)]
pub struct Figure {
    /// Its name, with the unit.
    pub key: &'static str,
    /// What it is, for the legend.
    pub about: &'static str,
    /// What we want of it.
    pub target: Target,
    /// How to take it.
    pub measure: Measure,
}

/// What we want of a figure.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// Nothing was promised.
    None,
    /// Ours, at most.
    AtMost(f64),
    /// Ours without the bare one, at most.
    OverBare(f64),
    /// Ours without the bare one, at most this part of tasktrace's without the bare one.
    OverBareOfTasktrace(f64),
    /// Ours, at most this part of tasktrace's.
    OfTasktrace(f64),
}

/// How a figure is taken.
#[derive(Debug)]
pub enum Measure {
    /// In this process, in turns with the others.
    Here(fn(&Effort) -> Vec<Entrant>),
    /// Each time in a new process.
    Child {
        /// How often; the numbers of a count do not differ.
        times: fn(&Effort) -> usize,
        /// Who takes part.
        names: fn() -> &'static [&'static str],
        /// What the process does; `None` for a name that takes no part.
        child: fn(&str) -> Option<f64>,
    },
    /// Of suspended tasks, by processes that take all the parts in one go, as suspending the tasks takes long.
    Dump {
        /// How many tasks.
        tasks: usize,
        /// Which of what they take.
        part: Part,
    },
}

/// A contestant of one figure.
#[allow(missing_debug_implementations)] // Closures have none.
pub struct Entrant {
    /// One of [`name::ALL`](crate::measure::name::ALL).
    pub name: &'static str,
    /// Gives the figure, from one short sample.
    pub round: Box<dyn FnMut() -> f64>,
}

/// How much time to spend.
#[derive(Debug)]
pub struct Effort {
    /// Samples of each contestant.
    pub rounds: usize,
    /// How long each should be.
    pub sample: Duration,
    /// Child processes for each contestant.
    pub children: usize,
    /// The same, where each suspends many tasks.
    pub dumps: usize,
    /// The most tasks that contestants are asked about who take minutes for a hundred thousand.
    pub slow_dumps: usize,
}

impl Effort {
    /// For figures to quote: under four minutes.
    pub const FULL: Self = Self {
        rounds: 151,
        sample: Duration::from_millis(4),
        children: 11,
        dumps: 3,
        slow_dumps: usize::MAX,
    };
    /// To see that everything runs: under a minute.
    pub const QUICK: Self =
        Self { rounds: 15, sample: Duration::from_millis(2), children: 3, dumps: 1, slow_dumps: 1_000 };
}

/// Every row. To add one: a measurement in [`measure`](crate::measure), and a line here.
#[must_use]
pub fn figures() -> Vec<Figure> {
    use Measure::{Child, Here};
    let mut figures = vec![
        Figure {
            key: "idle_hot_ns",
            about: "a poll nobody asked for, of one task",
            target: Target::OverBare(3.0),
            measure: Here(|effort| idle_polls(1, effort)),
        },
        Figure {
            key: "idle_1k_ns",
            about: "the same, of 1,000 tasks in shuffled order",
            target: Target::OverBare(4.0),
            measure: Here(|effort| idle_polls(1_000, effort)),
        },
        Figure {
            key: "idle_100k_ns",
            about: "the same, of 100,000 tasks in shuffled order",
            target: Target::OverBareOfTasktrace(1.0 / 8.0),
            measure: Here(|effort| idle_polls(100_000, effort)),
        },
        Figure {
            key: "idle_changing_waker_ns",
            about: "the same of one task that is polled with another waker each time",
            target: Target::None,
            measure: Here(|effort| {
                let entrant = |&(name, make): &idle::Kind| {
                    let mut sampler = idle::polls_with_changing_wakers(make(1));
                    let polls = iterations(&mut sampler, effort.sample);
                    Entrant { name, round: nanos(sampler, polls) }
                };
                idle::KINDS.iter().map(entrant).collect()
            }),
        },
        Figure {
            key: "hook_24_frames_ns",
            about: "a clone and drop of the waker in a traced poll, 24 physical frames below the root",
            target: Target::AtMost(300.0),
            measure: Here(|effort| hooks(effort, |hook, effort| timed(hook(24), effort))),
        },
        Figure {
            key: "hook_ns_per_frame",
            about: "each further frame, from 24 and 72",
            target: Target::AtMost(12.0),
            measure: Here(|effort| hooks(effort, per_frame)),
        },
        Figure {
            key: "two_threads_ratio",
            about: "a clone at 24 frames on each of two threads at once, over one thread alone",
            target: Target::AtMost(1.1),
            measure: Here(|effort| {
                hooks(effort, |hook, effort| {
                    // Short, since a round takes many.
                    let captures = iterations(&mut hook(24), effort.sample / 4);
                    Box::new(two_threads::ratio(hook, 24, captures))
                })
            }),
        },
        Figure {
            key: "first_capture_us",
            about: "the first request of a process, to its raw trace; 8 async levels, polled by hand",
            target: Target::AtMost(150.0),
            measure: Child {
                times: |effort| effort.children,
                names: || first_capture::names(first_capture::Part::Request),
                child: |name| first_capture::microseconds(first_capture::Part::Request, name),
            },
        },
        Figure {
            key: "first_hook_us",
            about: "the clone in it",
            target: Target::None,
            measure: Child {
                times: |effort| effort.children,
                names: || first_capture::names(first_capture::Part::Hook),
                child: |name| first_capture::microseconds(first_capture::Part::Hook, name),
            },
        },
        Figure {
            key: "request_to_raw_us",
            about: "from a request to the raw trace; 8 async levels on tokio's current-thread runtime",
            target: Target::AtMost(3.0),
            measure: Here(|effort| {
                let micros = |(name, sampler)| {
                    let mut nanos = timed(sampler, effort);
                    Entrant { name, round: Box::new(move || nanos() / 1e3) }
                };
                request::samplers().into_iter().map(micros).collect()
            }),
        },
        Figure {
            key: "raw_dump_100k_ms",
            about: "a dump of 100,000 tasks to a raw dump file, after the capture: no debug information is read",
            target: Target::AtMost(50.0),
            measure: Here(|_| {
                let mut write = raw_dump::sampler();
                let round = move || write(1).as_secs_f64() * 1e3;
                vec![Entrant { name: name::OURS, round: Box::new(round) }]
            }),
        },
        Figure {
            key: "allocations_per_task",
            about: "allocations to wrap a task and poll it first",
            target: Target::AtMost(1.0),
            measure: Child {
                times: |_| 1,
                names: || allocations::names(allocations::Part::Task),
                child: |name| allocations::count(allocations::Part::Task, name),
            },
        },
        Figure {
            key: "allocations_in_hook",
            about: "allocations in a clone of the waker in a traced poll",
            target: Target::AtMost(0.0),
            measure: Child {
                times: |_| 1,
                names: || allocations::names(allocations::Part::Hook),
                child: |name| allocations::count(allocations::Part::Hook, name),
            },
        },
        Figure {
            key: "allocations_per_trace",
            about: "allocations a raw trace of one stack holds",
            target: Target::AtMost(1.0),
            measure: Child {
                times: |_| 1,
                names: || allocations::names(allocations::Part::Trace),
                child: |name| allocations::count(allocations::Part::Trace, name),
            },
        },
        Figure {
            key: "spawn_2_threads_ns",
            about: "to wrap a task and to drop an older one, on each of two threads at once",
            target: Target::None,
            measure: Here(|effort| {
                let entrant = |&(name, make): &spawn::Kind| {
                    let iterations = iterations(&mut make(), effort.sample);
                    Entrant { name, round: Box::new(two_threads::nanos(make, iterations)) }
                };
                spawn::KINDS.iter().map(entrant).collect()
            }),
        },
        symbols::figure(symbols::Part::First),
        symbols::figure(symbols::Part::Cold),
        symbols::figure(symbols::Part::Cached),
        symbols::figure(symbols::Part::Memory),
    ];
    figures.extend(dumps());
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    figures.extend(inspections());
    figures
}

/// A look at a process from outside.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn inspections() -> [Figure; 4] {
    macro_rules! row {
        ($key:literal, $about:literal, $most:literal, $part:ident, $tasks:literal) => {
            Figure {
                key: $key,
                about: $about,
                target: Target::AtMost($most),
                measure: Measure::Child {
                    times: |effort| effort.dumps.max(effort.children / 2),
                    names: inspect::names,
                    child: |name| inspect::$part($key, $tasks, name),
                },
            }
        };
    }
    [
        row!(
            "inspect_1k_ms",
            "1,000 tasks of a process that nobody prepared, from its memory to text; gdb: the stacks of its threads",
            150.0,
            text,
            1_000
        ),
        row!("inspect_100k_ms", "the same of 100,000 tasks", 2_000.0, text, 100_000),
        row!(
            "inspect_pause_1k_ms",
            "for how long its threads stand still with `--stop`; gdb: how long it runs",
            5.0,
            pause,
            1_000
        ),
        row!("inspect_pause_100k_ms", "the same of 100,000 tasks", 50.0, pause, 100_000),
    ]
}

/// The rows of a dump: five for each number of tasks.
fn dumps() -> impl Iterator<Item = Figure> {
    let row = |tasks, part, key, about, target| Figure {
        key,
        about,
        target,
        measure: Measure::Dump { tasks, part },
    };
    let met = |tasks, most| if tasks == 100_000 { Target::AtMost(most) } else { Target::None };
    [
        (
            1_000,
            [
                "dump_1k_grouped_first_ms",
                "dump_1k_grouped_ms",
                "dump_1k_capture_ms",
                "dump_1k_full_ms",
                "dump_1k_peak_mb",
            ],
        ),
        (
            10_000,
            [
                "dump_10k_grouped_first_ms",
                "dump_10k_grouped_ms",
                "dump_10k_capture_ms",
                "dump_10k_full_ms",
                "dump_10k_peak_mb",
            ],
        ),
        (
            100_000,
            [
                "dump_100k_grouped_first_ms",
                "dump_100k_grouped_ms",
                "dump_100k_capture_ms",
                "dump_100k_full_ms",
                "dump_100k_peak_mb",
            ],
        ),
    ]
    .into_iter()
    .flat_map(move |(tasks, [first, grouped, capture, full, peak])| {
        [
            row(
                tasks,
                Part::GroupedFirst,
                first,
                "all suspended tasks of two workers, request to text, the first in a process",
                if tasks == 1_000 { Target::AtMost(8.0) } else { met(tasks, 200.0) },
            ),
            row(tasks, Part::Grouped, grouped, "the same, later", met(tasks, 120.0)),
            row(
                tasks,
                Part::Capture,
                capture,
                "the same without text; bare is every task woken and polled once",
                met(tasks, 100.0),
            ),
            row(
                tasks,
                Part::Full,
                full,
                "as grouped, but every task with a text of its own",
                met(tasks, 1_000.0),
            ),
            row(
                tasks,
                Part::Peak,
                peak,
                "by how much the first text raised resident memory, at most",
                met(tasks, 64.0),
            ),
        ]
    })
}

fn idle_polls(tasks: usize, effort: &Effort) -> Vec<Entrant> {
    let entrant = |&(name, make): &idle::Kind| {
        let mut sampler = idle::polls(make(tasks));
        let mut polls = iterations(&mut sampler, effort.sample);
        if tasks > 1 {
            // Whole rounds of all tasks, so that each is as long unpolled as the others.
            polls = polls.next_multiple_of(tasks as u64);
        }
        Entrant { name, round: nanos(sampler, polls) }
    };
    idle::KINDS.iter().map(entrant).collect()
}

type Hook = fn(usize) -> Sampler;

fn hooks(effort: &Effort, round: impl Fn(Hook, &Effort) -> Box<dyn FnMut() -> f64>) -> Vec<Entrant> {
    clones::HOOKS.iter().map(|&(name, hook)| Entrant { name, round: round(hook, effort) }).collect()
}

fn per_frame(hook: Hook, effort: &Effort) -> Box<dyn FnMut() -> f64> {
    let (mut few, mut many) = (timed(hook(24), effort), timed(hook(72), effort));
    Box::new(move || (many() - few()) / 48.0)
}

/// A round of as many iterations as take the time of a sample.
fn timed(mut sampler: Sampler, effort: &Effort) -> Box<dyn FnMut() -> f64> {
    let iterations = iterations(&mut sampler, effort.sample);
    nanos(sampler, iterations)
}

fn nanos(mut sampler: Sampler, iterations: u64) -> Box<dyn FnMut() -> f64> {
    // Below 2^52, so exact.
    #[allow(clippy::cast_precision_loss)]
    Box::new(move || sampler(iterations).as_secs_f64() * 1e9 / iterations as f64)
}

/// How many iterations take about so long. Warms the sampler up as well.
fn iterations(sampler: &mut Sampler, sample: Duration) -> u64 {
    let mut iterations = 1;
    while sampler(iterations) < sample / 2 {
        iterations *= 2;
    }
    iterations
}

/// Lets the contestants take samples in turn, so that what disturbs the machine meanwhile disturbs all, and gives the
/// median of each.
#[must_use]
pub fn play(mut entrants: Vec<Entrant>, rounds: usize) -> Vec<(&'static str, f64)> {
    let mut samples = vec![Vec::with_capacity(rounds); entrants.len()];
    let count = entrants.len();
    for round in 0..rounds {
        // Each begins in turn: a sample begins with the caches of the one before.
        for turn in 0..count {
            let at = (round + turn) % count;
            samples[at].push((entrants[at].round)());
        }
    }
    entrants.iter().zip(samples).map(|(entrant, samples)| (entrant.name, median(samples))).collect()
}

/// The middle one, or the upper of the two; NaN where there is none. Rounds that gave no number are left out.
#[must_use]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.retain(|value| value.is_finite());
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
