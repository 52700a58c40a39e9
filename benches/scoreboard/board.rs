//! The figures that were taken, as a table and as JSON.

use std::fmt;
use std::process::Command;
use std::time::{Duration, Instant};

use benches::measure::dump::{self, PARTS};
use benches::measure::name;
use benches::{Effort, Entrant, Figure, Measure, Target, median, play};

use crate::args::CHILD;

/// All rows so far.
#[derive(Default)]
pub(crate) struct Board {
    rows: Vec<Row>,
    /// The dumps of the last number of tasks.
    dumps: Option<Dumps>,
}

/// What the processes took that dumped so many tasks, by contestant and by part.
struct Dumps {
    tasks: usize,
    taken: Vec<(&'static str, [Option<f64>; PARTS])>,
}

struct Row {
    figure: Figure,
    values: Vec<(&'static str, f64)>,
}

impl Board {
    /// Takes a figure of everybody.
    ///
    /// # Errors
    ///
    /// When a process that should have taken a sample did not.
    pub(crate) fn take(&mut self, figure: Figure, effort: &Effort) -> Result<(), String> {
        let values = match figure.measure {
            Measure::Here(entrants) => play(entrants(effort), effort.rounds),
            Measure::Child { times, names, .. } => {
                let entrant = |&name| {
                    // Once to see that it works, and so that the program is in memory.
                    let key = figure.key;
                    number_of_a_process(key, name)?;
                    // A process that worked once works again, or is left out.
                    let round = move || number_of_a_process(key, name).unwrap_or(f64::NAN);
                    Ok(Entrant { name, round: Box::new(round) })
                };
                let entrants = names().iter().map(entrant).collect::<Result<_, String>>()?;
                play(entrants, times(effort))
            }
            Measure::Dump { tasks, part } => {
                if self.dumps.as_ref().is_none_or(|dumps| dumps.tasks != tasks) {
                    self.dumps = Some(Dumps::take(figure.key, tasks, effort));
                }
                let taken = self.dumps.iter().flat_map(|dumps| &dumps.taken);
                taken.filter_map(|(name, parts)| Some((*name, parts[part as usize]?))).collect()
            }
        };
        self.rows.push(Row { figure, values });
        Ok(())
    }

    /// `{"figure": {"contestant": number, ...}, ...}`, one figure a line.
    #[must_use]
    pub(crate) fn json(&self) -> String {
        let rows: Vec<_> =
            self.rows.iter().map(|row| format!("  \"{}\": {}", row.figure.key, row.json())).collect();
        format!("{{\n{}\n}}\n", rows.join(",\n"))
    }
}

impl Dumps {
    /// In turns. Who fails at first is left out, with a word on the terminal; who takes long is not asked again.
    fn take(key: &str, tasks: usize, effort: &Effort) -> Self {
        const LONG: Duration = Duration::from_secs(10);
        let mut entrants: Vec<_> =
            dump::names(tasks, effort).into_iter().map(|name| (name, Vec::new(), true)).collect();
        for _ in 0..effort.dumps {
            for (name, samples, plays_on) in &mut entrants {
                if !*plays_on {
                    continue;
                }
                let began = Instant::now();
                match in_a_process(key, name) {
                    Ok(numbers) => samples.push(numbers),
                    Err(error) => eprintln!("{error}"),
                }
                *plays_on = !samples.is_empty() && began.elapsed() < LONG;
            }
        }
        let parts = |samples: &Vec<Vec<f64>>| {
            std::array::from_fn(|part| {
                let numbers = samples.iter().filter_map(|sample| sample.get(part).copied());
                let middle = median(numbers.collect());
                // Who failed has not a number; who does not do this gave one that is none.
                (middle.is_finite() || samples.is_empty()).then_some(middle)
            })
        };
        let taken = entrants.iter().map(|(name, samples, _)| (*name, parts(samples))).collect();
        Self { tasks, taken }
    }
}

fn number_of_a_process(key: &str, name: &str) -> Result<f64, String> {
    match in_a_process(key, name)?[..] {
        [number] => Ok(number),
        ref numbers => Err(format!("the process for {key} of {name} gave {} numbers", numbers.len())),
    }
}

/// Starts this program again, to take one sample: a number a line.
fn in_a_process(key: &str, name: &str) -> Result<Vec<f64>, String> {
    let program = std::env::current_exe().map_err(|error| format!("cannot find itself: {error}"))?;
    let output = Command::new(program)
        .args([CHILD, key, name])
        .output()
        .map_err(|error| format!("cannot start itself: {error}"))?;
    let numbers = String::from_utf8_lossy(&output.stdout).lines().map(|line| line.parse().ok()).collect();
    let numbers: Option<Vec<_>> = numbers;
    numbers.filter(|_| output.status.success()).ok_or_else(|| {
        let stderr = String::from_utf8_lossy(&output.stderr);
        format!("the process for {key} of {name} failed ({}):\n{stderr}", output.status)
    })
}

impl Row {
    fn value(&self, name: &str) -> Option<f64> {
        self.values.iter().find(|(of, _)| *of == name).map(|&(_, value)| value)
    }

    /// What tracing adds: all of it where nothing is bare.
    fn added(&self, name: &str) -> Option<f64> {
        Some(self.value(name)? - self.value(name::BARE).unwrap_or(0.0))
    }

    fn json(&self) -> String {
        let values = self.values.iter().map(|(name, value)| {
            // JSON has no NaN.
            let value = if value.is_finite() { format!("{value:.3}") } else { "null".into() };
            format!("\"{name}\": {value}")
        });
        format!("{{{}}}", values.collect::<Vec<_>>().join(", "))
    }

    fn cell(&self, name: &str) -> String {
        let Some(value) = self.value(name) else { return "-".into() };
        if name == name::BARE || self.value(name::BARE).is_none() {
            return number(value);
        }
        let added = self.added(name).unwrap_or(f64::NAN);
        format!("{} ({}{})", number(value), if added < 0.0 { "" } else { "+" }, number(added))
    }

    /// How many times ours the peer most like us takes: of what tracing adds.
    fn ratio(&self) -> String {
        let peer = [name::TASKTRACE, name::BACKTRACE].into_iter().find_map(|name| self.added(name));
        match (self.added(name::OURS), peer) {
            (Some(ours), Some(peer)) if ours > 0.0 => format!("{:.1}", peer / ours),
            _ => "-".into(),
        }
    }

    /// What was wanted, and whether it is so.
    fn target(&self) -> String {
        let tasktrace =
            |added: fn(&Self, &str) -> Option<f64>| added(self, name::TASKTRACE).unwrap_or(f64::NAN);
        let (text, most, is) = match self.figure.target {
            Target::None => return "-".into(),
            Target::AtMost(most) => (format!("≤ {}", number(most)), most, self.value(name::OURS)),
            Target::OverBare(most) => (format!("≤ +{}", number(most)), most, self.added(name::OURS)),
            Target::OverBareOfTasktrace(part) => {
                let most = tasktrace(Self::added) * part;
                (
                    format!("≤ +{}: tasktrace's/{}", number(most), number(1.0 / part)),
                    most,
                    self.added(name::OURS),
                )
            }
            Target::OfTasktrace(part) => {
                let most = tasktrace(Self::value) * part;
                (
                    format!("≤ {}: tasktrace's/{}", number(most), number(1.0 / part)),
                    most,
                    self.value(name::OURS),
                )
            }
        };
        format!("{text}, {}", if is.is_some_and(|is| is <= most) { "met" } else { "MISSED" })
    }
}

/// Three digits or so: more would be noise.
fn number(value: f64) -> String {
    match value.abs() {
        _ if value.is_nan() => "failed".into(),
        _ if value.fract() == 0.0 => format!("{value}"),
        0.0..10.0 => format!("{value:.2}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

impl fmt::Display for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let taking_part = |name: &&str| self.rows.iter().any(|row| row.value(name).is_some());
        let names: Vec<_> = name::ALL.into_iter().filter(taking_part).collect();
        let mut table = vec![
            ["figure"].iter().chain(&names).chain(&["ratio", "target"]).map(ToString::to_string).collect(),
        ];
        for row in &self.rows {
            let mut cells = vec![row.figure.key.to_string()];
            cells.extend(names.iter().map(|name| row.cell(name)));
            cells.extend([row.ratio(), row.target()]);
            table.push(cells);
        }
        let width =
            |column: usize| table.iter().map(|cells: &Vec<String>| cells[column].chars().count()).max();
        let widths: Vec<_> = (0..table[0].len()).map(|column| width(column).unwrap_or(0)).collect();
        for cells in &table {
            let mut line = String::new();
            for (column, (cell, width)) in cells.iter().zip(&widths).enumerate() {
                // Names and targets begin in line, numbers end in line.
                let left = column == 0 || column + 1 == cells.len();
                let cell = if left { format!("{cell:<width$}") } else { format!("{cell:>width$}") };
                line.push_str(&cell);
                line.push_str("  ");
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        writeln!(f)?;
        for row in &self.rows {
            writeln!(f, "{}: {}", row.figure.key, row.figure.about)?;
        }
        f.write_str(FOOTNOTES)
    }
}

const FOOTNOTES: &str = "
Medians over rounds in which the contestants take turns. (+x) is what tracing adds to the bare poll; ratio is tasktrace's
(or backtrace's) cost over ours, of what tracing adds.
tasktrace: its dependency scoped-trace is compiled without optimization (profile.*.package.scoped-trace in the root
manifest), since its traces are empty otherwise. Most of its time is spent in the unwinder, which is optimized.
async-backtrace, await-tree: one annotated level in idle_*; await-tree has every level annotated in request_to_raw_us,
and answers with a copy of a tree it keeps up to date in every poll.
backtrace: backtrace::trace without symbols, the walk that the peers build on.
tokio: Trace::root and Trace::capture, and Handle::dump in dump_*; only with --features taskdump and
RUSTFLAGS=\"--cfg tokio_unstable\".
dump_*: on two tokio workers, tasks of eight async levels at four different places, asked by a thread outside; each contestant
in processes of its own. No peer groups tasks that look alike: its text is of every task, and stands beside grouped and full.
Each of their texts is looked at and dropped; ours of every task is kept. Whoever takes longer than five seconds for the
first text is not asked for another. In async-backtrace and await-tree every await is annotated. peak is resident memory.
";
