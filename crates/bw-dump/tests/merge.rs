//! Raw dumps of many processes, merged: what is the same is, what is not is not, and the order does not show.

// Functions that tests call are no tests to clippy.
#![allow(clippy::unwrap_used)]

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, SystemTime};

use bw_core::{
    NoTrace, PollingThread, RawTaskDump, RawTrace, ReturnAddress, SpawnedAt, StackFlags, TaskId, TaskRecord,
    TaskState, TaskStatus,
};
use bw_dump::{CodeSegment, Merge, MergedDump, Module, ModuleMap, Process, RawDumpFile};
use proptest::prelude::*;

/// A build that processes have loaded: of that name and build id, its first segment at that address in its file.
#[derive(Clone, Copy, Debug)]
struct Build(&'static str, Option<&'static str>, u64);

const SHOP: Build = Build("/srv/shop", Some("c1d0ffee"), 0);
const NEXT: Build = Build("/srv/shop", Some("deadbeef"), 0);
const LIBC: Build = Build("/lib/libc.so.6", Some("00ff"), 0x40_0000);
const PLAIN: Build = Build("/srv/plain", None, 0);
const BYTES: u64 = 0x1_0000;

impl Build {
    fn at(self, start: u64) -> Module {
        let module = Module::new(self.0, start..start + BYTES, start.wrapping_sub(self.2)).unwrap();
        let code = CodeSegment::new(start + 0x100, start + 0x8000, 0x80);
        module.with_build_id(self.1.map(|id| id.parse().unwrap())).with_code(vec![code])
    }
}

/// A suspended task.
fn task(id: u64, millis: u64, trace: Result<u32, NoTrace>) -> TaskRecord {
    of_state(id, TaskState::Suspended, millis, trace)
}

fn of_state(id: u64, state: TaskState, millis: u64, trace: Result<u32, NoTrace>) -> TaskRecord {
    let mut status = TaskStatus::new(state);
    status.in_state = Some(Duration::from_millis(millis));
    let at = SpawnedAt::new("src/main.rs", 10 + u32::try_from(id % 3).unwrap(), 5);
    TaskRecord::new(TaskId::from_u64(id).unwrap(), at, status).with_trace(trace)
}

fn trace(stacks: &[&[u64]]) -> RawTrace {
    let address = |&address: &u64| usize::try_from(address).unwrap();
    RawTrace::from_stacks(
        stacks.iter().map(|stack| (stack.iter().map(address).collect::<Vec<_>>(), StackFlags::default())),
    )
}

fn file(modules: Vec<Module>, tasks: Vec<TaskRecord>, traces: Vec<RawTrace>) -> RawDumpFile<'static> {
    let mut process = Process::new(7);
    process.executable = modules.first().map(|module| module.path().to_owned());
    let dump = RawTaskDump::new(SystemTime::UNIX_EPOCH, Duration::ZERO, tasks, traces);
    RawDumpFile::new(process, ModuleMap::new(modules), Cow::Owned(dump))
}

fn merged(files: &[(&str, &RawDumpFile<'_>)]) -> MergedDump {
    let mut merge = Merge::new();
    for (name, file) in files {
        merge.add(name, file);
    }
    merge.finish()
}

/// Everything that can be seen of it.
fn seen(dump: &MergedDump) -> String {
    let groups = dump.groups().iter().map(|group| {
        format!(
            "{} {:?} {:?} {} in {}, {:?} to {:?}, {:?}, {:?} {} {:?}\n",
            group.program(),
            group.state(),
            group.trace(),
            group.tasks(),
            group.processes(),
            group.youngest(),
            group.oldest(),
            group.together(),
            group.spawned_at().collect::<Vec<_>>(),
            group.is_spawned_elsewhere(),
            group.samples()
        )
    });
    format!(
        "{} {} {} {} {:?} {:?} {:?}\n{:#?}\n{:#?}\n{}",
        dump.dumps(),
        dump.tasks(),
        dump.partial(),
        dump.guessed(),
        dump.coverage(),
        dump.taken(),
        dump.programs(),
        dump.modules(),
        dump.traces(),
        groups.collect::<String>()
    )
}

/// Where an address of a trace is: the build and the address in its file.
fn place(modules: &ModuleMap, address: ReturnAddress) -> (Option<String>, u64) {
    let found = modules.find(address).map(|at| &modules.modules()[at]);
    let build = found.map(|module| {
        let id = module.build_id().map(ToString::to_string);
        id.unwrap_or_else(|| module.path().display().to_string())
    });
    (build, (address.get() as u64).wrapping_sub(found.map_or(0, Module::bias)))
}

type Places = Vec<Vec<(Option<String>, u64)>>;

/// The same of a whole trace, its stacks in an order that means nothing.
fn places(modules: &ModuleMap, trace: &RawTrace) -> Places {
    let stack = |stack: bw_core::RawStack<'_>| stack.addresses().map(|at| place(modules, at)).collect();
    let mut stacks: Places = trace.stacks().map(stack).collect();
    stacks.sort();
    stacks
}

#[test]
fn one_build_at_several_addresses_is_one_and_is_symbolized_once() {
    let waits = |start: u64| {
        file(
            vec![SHOP.at(start)],
            vec![task(1, 500, Ok(0)), task(2, 700, Ok(0))],
            vec![trace(&[&[start + 0x201, start + 0x301]])],
        )
    };
    let (a, b) = (waits(0x5000_0000), waits(0x7fff_5000_0000));
    let dump = merged(&[("a", &a), ("b", &b)]);
    assert_eq!((dump.dumps(), dump.tasks(), dump.traces().len(), dump.programs().len()), (2, 4, 1, 1));
    let [group] = dump.groups() else { panic!("{}", seen(&dump)) };
    assert_eq!((group.tasks(), group.processes(), group.trace()), (4, 2, Ok(0)));
    assert_eq!(
        (group.youngest(), group.oldest()),
        (Some(Duration::from_millis(500)), Some(Duration::from_millis(700)))
    );
    assert_eq!(group.together(), Duration::from_millis(2_400));
    assert_eq!(places(dump.modules(), &dump.traces()[0]), places(a.modules(), &a.dump().traces()[0]));
    let module = &dump.modules().modules()[0];
    let code = &module.code()[0];
    assert_eq!((code.start - module.range().start, code.file_offset), (0x100, 0x80), "code moves with it");
    let samples: Vec<_> =
        group.samples().iter().map(|task| (task.dump(), task.id().get(), task.pid())).collect();
    assert_eq!(
        samples,
        [("a", 2, 7), ("b", 2, 7), ("a", 1, 7), ("b", 1, 7)],
        "those that wait longest first"
    );
}

#[test]
fn two_builds_at_the_same_addresses_stay_two() {
    let of = |build: Build| {
        file(vec![build.at(0x5000_0000)], vec![task(1, 500, Ok(0))], vec![trace(&[&[0x5000_0201]])])
    };
    let dump = merged(&[("a", &of(SHOP)), ("b", &of(NEXT))]);
    assert_eq!((dump.traces().len(), dump.groups().len(), dump.modules().modules().len()), (2, 2, 2));
    let builds: Vec<_> =
        dump.programs().iter().map(|program| program.build_id().unwrap().to_string()).collect();
    assert_eq!(builds, ["c1d0ffee", "deadbeef"]);
    assert_eq!(dump.guessed(), 0);
}

#[test]
fn a_library_that_two_programs_share_is_one_and_their_tasks_are_not() {
    let of = |build: Build, start: u64| {
        file(
            vec![build.at(0x1000_0000), LIBC.at(start)],
            vec![task(1, 500, Ok(0))],
            vec![trace(&[&[start + 0x201]])],
        )
    };
    let dump = merged(&[("a", &of(SHOP, 0x7000_0000)), ("b", &of(NEXT, 0x7100_0000))]);
    assert_eq!((dump.traces().len(), dump.groups().len(), dump.modules().modules().len()), (1, 2, 3));
    assert_eq!(dump.processes_of([0, 1]), 2);
    assert_eq!(
        place(dump.modules(), dump.traces()[0].stacks().next().unwrap().addresses().next().unwrap()).1,
        0x40_0201
    );
}

#[test]
fn without_a_build_id_path_and_size_have_to_do_and_that_is_told() {
    let of = |module: Module| file(vec![module], vec![task(1, 500, Ok(0))], vec![trace(&[&[0x5000_0201]])]);
    let (plain, same) = (of(PLAIN.at(0x5000_0000)), of(PLAIN.at(0x5000_0000)));
    let larger = of(Module::new("/srv/plain", 0x5000_0000..0x6000_0000, 0x5000_0000).unwrap());
    let elsewhere = of(Module::new("/opt/plain", 0x5000_0000..0x5001_0000, 0x5000_0000).unwrap());
    let dump = merged(&[("a", &plain), ("b", &same)]);
    assert_eq!((dump.groups().len(), dump.guessed()), (1, 2));
    assert_eq!(merged(&[("a", &plain), ("b", &larger)]).groups().len(), 2);
    assert_eq!(merged(&[("a", &plain), ("b", &elsewhere)]).groups().len(), 2);
}

#[test]
fn in_which_order_a_poll_recorded_its_stacks_does_not_matter() {
    let of = |trace| file(vec![SHOP.at(0x5000_0000)], vec![task(1, 500, Ok(0))], vec![trace]);
    let (one, other) = (0x5000_0201, 0x5000_0301);
    let dump = merged(&[("a", &of(trace(&[&[one], &[other]]))), ("b", &of(trace(&[&[other], &[one]])))]);
    assert_eq!(dump.traces().len(), 1);
    // But how often it did, and how.
    let mark = StackFlags::default().with_yield(true);
    let yields = RawTrace::from_stacks([(vec![0x5000_0201_usize], mark)]);
    let (once, twice) = (of(trace(&[&[one]])), of(trace(&[&[one], &[one]])));
    let dropped = of(trace(&[&[one]]).with_dropped(1));
    let dump = merged(&[("a", &once), ("b", &twice), ("c", &of(yields)), ("d", &dropped)]);
    assert_eq!(dump.traces().len(), 4);
}

#[test]
fn code_without_a_module_is_never_taken_for_a_modules() {
    // Where merged modules are put, and everywhere else.
    let hostile: Vec<u64> = (0..64).map(|bit| (1_u64 << bit) + 0x201).chain([1, u64::MAX]).collect();
    let stacks: Vec<&[u64]> = hostile.chunks(1).collect();
    let a = file(vec![SHOP.at(0x10_0000)], vec![task(1, 500, Ok(0))], vec![trace(&stacks)]);
    let dump = merged(&[("a", &a)]);
    let known = |file: &ModuleMap, trace: &RawTrace| {
        let addresses = trace.stacks().flat_map(|stack| stack.addresses().collect::<Vec<_>>());
        addresses.filter(|&address| file.find(address).is_some()).count()
    };
    assert_eq!(known(dump.modules(), &dump.traces()[0]), known(a.modules(), &a.dump().traces()[0]));
}

#[test]
fn modules_that_take_all_addresses_do_not_overflow() {
    let huge = |path: &str, range| Module::new(path, range, 0).unwrap();
    let modules = vec![huge("/a", 1..u64::MAX), huge("/b", 2..u64::MAX - 1)];
    let a = file(modules, vec![task(1, 500, Ok(0))], vec![trace(&[&[0x5000]])]);
    let many: Vec<_> = (0..5_000).map(|at: u64| huge("/c", at << 40..(at + 1) << 40)).collect();
    let b = file(many, vec![task(1, 500, Ok(0))], vec![trace(&[&[0x5000, 0x77_0000_0000_0001]])]);
    let dump = merged(&[
        ("a", &a),
        ("b", &b),
        ("shop", &file(vec![SHOP.at(0x5000_0000)], vec![task(1, 1, Ok(0))], vec![trace(&[&[0x5000_0201]])])),
    ]);
    let modules = dump.modules().modules();
    assert!(modules.iter().zip(&modules[1..]).all(|(a, b)| a.range().end <= b.range().start));
    assert!(modules.iter().any(|module| module.path().ends_with("shop")));
    assert_eq!(dump.tasks(), 3);
}

#[test]
fn tasks_without_a_trace_are_told_apart_by_reason_and_place() {
    let thread = || TaskState::Polling(PollingThread::elsewhere(Some("worker".into()), Some(4711)));
    let of = |tasks| file(vec![SHOP.at(0x5000_0000)], tasks, Vec::new());
    let a = of(vec![
        of_state(3, TaskState::NeverPolled, 5, Err(NoTrace::NeverPolled)),
        of_state(6, TaskState::NeverPolled, 5, Err(NoTrace::NeverPolled)),
        of_state(7, TaskState::NeverPolled, 5, Err(NoTrace::NeverPolled)),
        of_state(9, thread(), 5, Err(NoTrace::NotPolled)),
    ]);
    let dump = merged(&[("a", &a), ("b", &a)]);
    let mut counts: Vec<_> =
        dump.groups().iter().map(|it| (it.state().name(), it.trace(), it.tasks(), it.processes())).collect();
    counts.sort_by_key(|it| (it.0, it.2));
    let never = Err(NoTrace::NeverPolled);
    assert_eq!(
        counts,
        [
            ("never_polled", never, 2, 2),
            ("never_polled", never, 4, 2),
            ("polling", Err(NoTrace::NotPolled), 2, 2)
        ]
    );
    assert_eq!(dump.partial(), 2);
}

#[test]
fn nothing_is_nothing() {
    let dump = merged(&[]);
    assert_eq!((dump.dumps(), dump.tasks(), dump.groups().len(), dump.taken()), (0, 0, 0, None));
}

/// What a dump is made of: where modules are, what stacks there are (module, offset), and tasks (state, trace, millis).
type Parts = (Vec<u64>, Vec<Vec<Vec<(usize, u64)>>>, Vec<(bool, u32, u64)>);

fn parts() -> impl Strategy<Value = Parts> {
    let stack = prop::collection::vec((0_usize..5, 1_u64..4), 0..3);
    (
        prop::collection::vec(1_u64..1_000, 4),
        prop::collection::vec(prop::collection::vec(stack, 0..3), 1..4),
        prop::collection::vec((any::<bool>(), 0_u32..5, 0_u64..3), 0..8),
    )
}

fn built((starts, traces, tasks): &Parts, number: usize) -> RawDumpFile<'static> {
    let start = |at: usize| 0x1_0000_0000 * (at as u64 + 1) + 0x1_0000 * starts[at];
    let program = if number.is_multiple_of(2) { SHOP } else { NEXT };
    let modules = [program, LIBC, PLAIN, Build("/lib/x.so", Some("0a"), 0x1000)];
    let modules = modules.iter().enumerate().map(|(at, build)| build.at(start(at))).collect();
    let address =
        |&(module, offset): &(usize, u64)| if module < 4 { start(module) + offset * 0x100 } else { offset };
    let traces = traces.iter().map(|stacks| {
        let stacks: Vec<Vec<u64>> = stacks.iter().map(|stack| stack.iter().map(address).collect()).collect();
        trace(&stacks.iter().map(Vec::as_slice).collect::<Vec<_>>())
    });
    let tasks = tasks.iter().zip(1..).map(|(&(is_woken, trace, millis), id)| {
        let state = if is_woken { TaskState::Woken } else { TaskState::Suspended };
        of_state(id, state, millis, if trace < 4 { Ok(trace) } else { Err(NoTrace::NotPolled) })
    });
    file(modules, tasks.collect(), traces.collect())
}

proptest! {
    /// However files are ordered, the same comes out.
    #[test]
    fn the_order_of_files_does_not_show(all in prop::collection::vec(parts(), 0..6), seed in any::<u64>()) {
        let files: Vec<_> = all.iter().enumerate().map(|(number, parts)| (format!("dump {number}"), built(parts, number))).collect();
        let mut order: Vec<_> = files.iter().map(|(name, file)| (&**name, file)).collect();
        let before = seen(&merged(&order));
        order.reverse();
        prop_assert_eq!(&seen(&merged(&order)), &before);
        order.sort_by_key(|(name, _)| seed.wrapping_mul(name.len() as u64 + u64::from(name.as_bytes()[5])).rotate_left(17));
        prop_assert_eq!(&seen(&merged(&order)), &before);
    }

    /// Groups are those of all tasks, counted the plain way, and no address moved in its module.
    #[test]
    fn groups_are_those_of_all_tasks(all in prop::collection::vec(parts(), 0..5)) {
        type Plain = (String, &'static str, Result<Places, (NoTrace, SpawnedAt)>);
        let files: Vec<_> = all.iter().enumerate().map(|(number, parts)| built(parts, number)).collect();
        let mut plain: BTreeMap<String, (usize, HashSet<usize>)> = BTreeMap::new();
        for (number, file) in files.iter().enumerate() {
            let program = place(file.modules(), ReturnAddress::new(usize::try_from(file.modules().modules()[0].range().start).unwrap() + 1).unwrap());
            for task in file.dump().tasks() {
                let waits = match file.dump().trace_of(task) {
                    Some(trace) => Ok(places(file.modules(), trace)),
                    None => Err((task.trace().unwrap_err(), task.spawned_at().clone())),
                };
                let key: Plain = (program.0.clone().unwrap(), task.status().state.name(), waits);
                let entry = plain.entry(format!("{key:?}")).or_default();
                entry.0 += 1;
                entry.1.insert(number);
            }
        }
        let plain: BTreeMap<_, _> = plain.into_iter().map(|(key, (tasks, dumps))| (key, (tasks, dumps.len()))).collect();
        let names: Vec<_> = (0..files.len()).map(|number| number.to_string()).collect();
        let dump = merged(&names.iter().map(String::as_str).zip(&files).collect::<Vec<_>>());
        let groups: BTreeMap<_, _> = dump.groups().iter().map(|group| {
            let waits = match group.trace() {
                Ok(trace) => Ok(places(dump.modules(), &dump.traces()[trace])),
                Err(reason) => Err((reason, group.spawned_at().next().unwrap().clone())),
            };
            let program = dump.programs()[group.program()].build_id().unwrap().to_string();
            let key: Plain = (program, group.state().name(), waits);
            (format!("{key:?}"), (group.tasks(), group.processes()))
        }).collect();
        prop_assert_eq!(groups, plain);
        prop_assert_eq!(dump.tasks(), files.iter().map(|file| file.dump().tasks().len()).sum::<usize>());
    }
}
