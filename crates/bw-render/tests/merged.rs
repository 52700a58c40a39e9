//! Dumps of many processes, from hand-built data, in every form.

// Functions that tests call are no tests to clippy.
#![allow(clippy::unwrap_used)]

mod hand_built;

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use bw_core::{
    NoTrace, PollingThread, RawTaskDump, RawTrace, SpawnedAt, StackFlags, TaskId, TaskRecord, TaskState,
    TaskStatus,
};
use bw_dump::{Merge, MergedDump, Module, ModuleMap, Process, RawDumpFile};
use bw_render::{Detail, DumpText, MergedTrees, Paths, Text, Tree};
use hand_built::{user, waits};
use insta::assert_snapshot;

fn state(number: u64, state: TaskState, millis: u64, trace: Result<u32, NoTrace>) -> TaskRecord {
    let mut status = TaskStatus::new(state);
    status.in_state = Some(Duration::from_millis(millis));
    let spawned_at = SpawnedAt::new("/home/me/app/src/main.rs", 10 + u32::try_from(number % 3).unwrap(), 5);
    TaskRecord::new(TaskId::from_u64(number).unwrap(), spawned_at, status).with_trace(trace)
}

fn task(number: u64, millis: u64, trace: Result<u32, NoTrace>) -> TaskRecord {
    state(number, TaskState::Suspended, millis, trace)
}

/// A dump of a process that waits in `read` at two addresses, and in `write`.
fn file(minute: u64, build_id: Option<&str>, tasks: Vec<TaskRecord>) -> RawDumpFile<'static> {
    let mut process = Process::new(u32::try_from(4_711 + minute).unwrap());
    process.executable = Some("/srv/shop".into());
    let start = 0x5000_0000 + 0x1_0000 * usize::try_from(minute).unwrap();
    let module = Module::new("/srv/shop", start as u64..start as u64 + 0x1000, start as u64).unwrap();
    let module = module.with_build_id(build_id.map(|id| id.parse().unwrap()));
    let traces = [0x21, 0x41, 0x61].map(|at| RawTrace::from_stacks([([start + at], StackFlags::default())]));
    let taken_at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000 + 60 * minute);
    let dump = RawTaskDump::new(taken_at, Duration::from_millis(84), tasks, traces.into());
    let dump = if minute < 2 { dump.with_registered(10).with_alive(1_000) } else { dump };
    RawDumpFile::new(process, ModuleMap::new(vec![module]), Cow::Owned(dump))
}

fn all() -> MergedDump {
    let thread = || TaskState::Polling(PollingThread::elsewhere(Some("worker".into()), Some(4711)));
    let mut merge = Merge::new();
    let old = vec![
        task(1, 7_500_000, Ok(2)).with_name("accept"),
        task(2, 300, Ok(0)).with_name("conn \u{1b}[31m"),
        task(3, 4_200, Ok(1)),
        task(4, 4_200, Ok(0)),
        state(5, TaskState::NeverPolled, 100, Err(NoTrace::NeverPolled)),
    ];
    merge.add("web-1.gz", &file(0, Some("c1d0ffee"), old.clone()));
    merge.add("web-2.gz", &file(1, Some("c1d0ffee"), old));
    let new = vec![
        task(7, 4_500, Ok(1)),
        state(9, thread(), 14_000, Err(NoTrace::NotPolled)).with_name("the culprit"),
    ];
    merge.add("web-3\u{1b}[31m.gz", &file(2, Some("deadbeef"), new));
    merge.finish()
}

/// A tree for each trace, by where it was: two that print the same, and one that does not.
fn trees(dump: &MergedDump) -> Vec<Tree> {
    let tree = |trace: &RawTrace| {
        let address = trace.stacks().next().unwrap().addresses().next().unwrap();
        let modules = dump.modules();
        let offset = address.get() as u64 - modules.modules()[modules.find(address).unwrap()].bias();
        let (name, line) = if offset == 0x61 { ("write", 40) } else { ("read", 30) };
        hand_built::tree(vec![waits(&[user(10, "run", 20), user(address.get(), name, line)], 50)])
    };
    dump.traces().iter().map(tree).collect()
}

fn text() -> DumpText {
    DumpText::new(Text::new().paths(Paths::default().relative_to("/home/me/app")))
}

#[test]
fn as_text() {
    let dump = all();
    let trees = trees(&dump);
    assert_snapshot!(text().merged(MergedTrees::new(&dump, &trees)).to_string());
}

#[test]
fn as_text_across_builds() {
    let dump = all();
    let trees = trees(&dump);
    assert_snapshot!(text().merged(MergedTrees::new(&dump, &trees).across_builds(true)).to_string());
}

#[test]
fn as_json() {
    let dump = all();
    let trees = trees(&dump);
    let json = MergedTrees::new(&dump, &trees).to_json(true);
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let counts = value["groups"].as_array().unwrap().iter().map(|group| group["count"].as_u64().unwrap());
    assert_eq!(counts.sum::<u64>(), 12);
    assert_snapshot!(json);
}

#[test]
fn folded() {
    let dump = all();
    let trees = trees(&dump);
    assert_snapshot!(MergedTrees::new(&dump, &trees).folded(Detail::User).to_string());
}

/// Two groups of one process that print the same are one group of one process.
#[test]
fn a_process_that_has_tasks_in_two_traces_that_print_the_same_is_counted_once() {
    let dump = all();
    let trees = trees(&dump);
    let json = MergedTrees::new(&dump, &trees).to_json(false);
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let reads = value["groups"].as_array().unwrap().iter().find(|group| {
        let trace =
            group["trace"].as_u64().and_then(|trace| value["traces"].get(usize::try_from(trace).ok()?));
        trace.is_some_and(|trace| trace.to_string().contains("app::read"))
            && group["count"].as_u64() > Some(1)
    });
    assert_eq!((&reads.unwrap()["count"], &reads.unwrap()["processes"]), (&6.into(), &2.into()));
}

#[test]
fn what_cannot_be_known_is_told() {
    let mut merge = Merge::new();
    merge.add("a", &file(0, None, Vec::new()));
    let dump = merge.finish();
    let printed = text().merged(MergedTrees::new(&dump, &[])).to_string();
    assert!(printed.contains("NO TASK IS TRACED"), "{printed}");
    assert!(printed.contains("1 dump of programs without a build id"), "{printed}");
    assert!(printed.contains("1 dump of shop, no build id"), "{printed}");
}

#[test]
fn tasks_whose_trees_are_missing_have_no_trace() {
    let dump = all();
    let trees = MergedTrees::new(&dump, &[]);
    assert!(text().merged(trees).to_string().contains("no trace"));
    assert!(trees.to_json(false).contains("not_asked"));
    assert!(trees.folded(Detail::User).to_string().contains("not_asked"));
}
