//! Raw dumps of processes that there are not.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use bw_core::{
    NoTrace, PollingThread, RawTaskDump, RawTrace, ReturnAddress, SpawnedAt, TaskId, TaskRecord, TaskState,
    TaskStatus,
};
use bw_dump::{CodeSegment, Module, ModuleMap, Process, RawDumpFile};

/// Traces that few tasks have, each made of a real one.
const RARE: usize = 50;

/// A program that was loaded, and what its tasks wait for.
pub(crate) struct Template {
    modules: ModuleMap,
    program: usize,
    traces: Vec<RawTrace>,
}

impl Template {
    /// This program, with the traces of that dump of it.
    pub(crate) fn new(dump: &RawTaskDump) -> Option<Self> {
        let file = RawDumpFile::of_this_process(dump);
        let modules = file.modules().clone();
        let program = modules.program(file.process())?;
        let mut traces = dump.traces().to_vec();
        let kinds = traces.len();
        // The same stacks with the root's call a few bytes on: other traces.
        for number in 0..RARE {
            let like = &traces[number % kinds];
            let moved = like.stacks().map(|stack| {
                let last = stack.len().saturating_sub(1);
                let move_last = move |(at, address): (usize, ReturnAddress)| {
                    address.get() + usize::from(at == last) * (number + 1)
                };
                (stack.addresses().enumerate().map(move_last).collect::<Vec<_>>(), stack.flags())
            });
            traces.push(RawTrace::from_stacks(moved));
        }
        Some(Self { modules, program, traces })
    }

    /// The dump of process `number`, the same each time.
    pub(crate) fn process(&self, number: usize) -> RawDumpFile<'static> {
        let random = &mut Random(number as u64);
        let tasks = 1_000 + random.below(9_001);
        self.with_tasks(number, tasks)
    }

    /// The same with so many tasks.
    pub(crate) fn with_tasks(&self, number: usize, tasks: u64) -> RawDumpFile<'static> {
        let random = &mut Random(!(number as u64));
        // Six of ten are of this build, three of the next, one of the one after.
        let build = [0, 0, 0, 0, 0, 0, 1, 1, 1, 2][number % 10];
        let shifts: Vec<u64> = self.modules.modules().iter().map(|_| random.below(1 << 16) << 12).collect();
        let modules = self.modules.modules().iter().zip(&shifts).enumerate();
        let modules = modules.filter_map(|(at, (module, &shift))| {
            let module_of = shifted(module, shift)?;
            let is_other = at == self.program && build > 0;
            Some(if is_other {
                module_of.with_build_id(format!("{build:040}").parse().ok())
            } else {
                module_of
            })
        });
        let modules: Vec<_> = modules.collect();
        let shift = |address: ReturnAddress| {
            let shift = self.modules.find(address).map_or(0, |module| shifts[module]);
            address.get() + usize::try_from(shift).unwrap_or(0)
        };
        let traces = self.traces.iter().map(|trace| {
            let stacks =
                trace.stacks().map(|stack| (stack.addresses().map(shift).collect::<Vec<_>>(), stack.flags()));
            RawTrace::from_stacks(stacks)
        });
        let tasks = (1..=tasks).filter_map(|id| task(id, self.traces.len(), random)).collect();
        let taken_at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000 + number as u64);
        let dump = RawTaskDump::new(taken_at, Duration::from_millis(20), tasks, traces.collect());
        let mut process = Process::new(u32::try_from(number).unwrap_or(0) + 1);
        process.executable = Some(self.modules.modules()[self.program].path().to_owned());
        RawDumpFile::new(process, ModuleMap::new(modules), Cow::Owned(dump))
    }
}

/// The module as it is loaded elsewhere.
fn shifted(module: &Module, shift: u64) -> Option<Module> {
    let range = module.range();
    let code =
        module.code().iter().map(|at| CodeSegment { start: at.start + shift, end: at.end + shift, ..*at });
    let elsewhere = Module::new(
        module.path(),
        range.start + shift..range.end + shift,
        module.bias().wrapping_add(shift),
    )?;
    Some(elsewhere.with_code(code.collect()).with_build_id(module.build_id().cloned()))
}

fn task(id: u64, traces: usize, random: &mut Random) -> Option<TaskRecord> {
    let common = (traces - RARE) as u64;
    let (state, trace) = match random.below(1_000) {
        0 => (
            TaskState::Polling(PollingThread::elsewhere(Some("worker".into()), Some(id))),
            Err(NoTrace::NotPolled),
        ),
        1..=10 => (TaskState::NeverPolled, Err(NoTrace::NeverPolled)),
        11..=30 => (TaskState::Suspended, Ok(common + random.below(RARE as u64))),
        // The first kinds have most.
        _ => {
            let most = random.below(common) + 1;
            (TaskState::Suspended, Ok(random.below(most)))
        }
    };
    let mut status = TaskStatus::new(state);
    status.in_state = Some(Duration::from_micros(random.below(3_600_000_000)));
    status.age = Some(Duration::from_secs(7_200));
    status.polls = random.below(1_000);
    let line = u32::try_from(random.below(8)).ok()? * 10 + 10;
    let trace = trace.map(|trace| u32::try_from(trace).unwrap_or(u32::MAX));
    let record = TaskRecord::new(TaskId::from_u64(id)?, SpawnedAt::new("src/main.rs", line, 5), status)
        .with_trace(trace);
    Some(match random.below(4) {
        0 => record.with_name("worker"),
        1 => record.with_name(format!("connection {id}")),
        _ => record,
    })
}

/// Numbers without a pattern, the same each time: splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}
