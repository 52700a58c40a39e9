//! Profiles, read back with the messages they are written with. `ci/pprof` reads them with somebody else's.

// Functions that tests call are no tests to clippy.
#![allow(clippy::unwrap_used)]

mod hand_built;
#[allow(dead_code, unreachable_pub)]
#[path = "../src/format/pprof/proto.rs"]
mod proto;

use std::collections::HashSet;
use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bw_core::{
    NoTrace, PollingThread, RawTaskDump, RawTrace, SpawnedAt, StackFlags, TaskId, TaskRecord, TaskState,
    TaskStatus,
};
use bw_dump::{CodeSegment, Module, ModuleMap, Process};
use bw_render::{Detail, Paths, Pprof, TaskTrees, Tree};
use bw_symbolize::PhysicalFrame;
use flate2::read::GzDecoder;
use hand_built::{physical, user, waits};
use proptest::prelude::*;
use prost::Message;

/// A profile that was checked, and can be looked up in.
struct ReadBack(proto::Profile);

impl ReadBack {
    fn new(bytes: &[u8]) -> Self {
        let mut raw = Vec::new();
        GzDecoder::new(bytes).read_to_end(&mut raw).unwrap();
        let read = Self(proto::Profile::decode(&*raw).unwrap());
        read.check();
        read
    }

    /// Whatever `profile.proto` demands.
    fn check(&self) {
        let profile = &self.0;
        assert_eq!(profile.string_table[0], "");
        let strings: HashSet<_> = profile.string_table.iter().collect();
        assert_eq!(strings.len(), profile.string_table.len(), "each text once");
        let ids = |ids: Vec<u64>| {
            assert!(
                ids.iter().enumerate().all(|(at, &id)| id == at as u64 + 1),
                "unique, dense, from 1: {ids:?}"
            );
            ids.len() as u64
        };
        let mappings = ids(profile.mapping.iter().map(|it| it.id).collect());
        let locations = ids(profile.location.iter().map(|it| it.id).collect());
        let functions = ids(profile.function.iter().map(|it| it.id).collect());
        for location in &profile.location {
            assert!(location.mapping_id <= mappings);
            assert!(location.line.iter().all(|line| (1..=functions).contains(&line.function_id)));
            if let Some(at) = location.mapping_id.checked_sub(1) {
                let mapping = &profile.mapping[usize::try_from(at).unwrap()];
                assert!((mapping.memory_start..mapping.memory_limit).contains(&location.address));
            }
        }
        for sample in &profile.sample {
            assert_eq!(sample.value.len(), profile.sample_type.len());
            assert!(!sample.location_id.is_empty());
            assert!(sample.location_id.iter().all(|id| (1..=locations).contains(id)));
            for label in &sample.label {
                assert!(label.key != 0 && (label.str == 0) != (label.num == 0), "{label:?}");
                self.text(label.key);
            }
        }
        for at in &profile.comment {
            assert!(!self.text(*at).is_empty());
        }
    }

    fn text(&self, at: i64) -> &str {
        &self.0.string_table[usize::try_from(at).unwrap()]
    }

    fn name(&self, line: &proto::Line) -> &str {
        self.text(self.0.function[usize::try_from(line.function_id).unwrap() - 1].name)
    }

    /// The stack of a sample, leaf first: `inlined < function` for each location, or its address.
    fn stack(&self, sample: usize) -> Vec<String> {
        let location = |id: &u64| {
            let location = &self.0.location[usize::try_from(*id).unwrap() - 1];
            let names: Vec<_> = location.line.iter().map(|line| self.name(line)).collect();
            if names.is_empty() { format!("{:#x}", location.address) } else { names.join(" < ") }
        };
        self.0.sample[sample].location_id.iter().map(location).collect()
    }

    fn label(&self, sample: usize, key: &str) -> Option<String> {
        let label = self.0.sample[sample].label.iter().find(|label| self.text(label.key) == key)?;
        Some(if label.str == 0 { label.num.to_string() } else { self.text(label.str).into() })
    }
}

fn id(number: u64) -> TaskId {
    TaskId::from_u64(number).unwrap()
}

fn task(number: u64, state: TaskState, trace: Result<u32, NoTrace>) -> TaskRecord {
    let mut status = TaskStatus::new(state);
    status.in_state = Some(Duration::from_millis(number * 1_000));
    TaskRecord::new(id(number), SpawnedAt::new("/home/me/app/src/main.rs", 12, 5), status).with_trace(trace)
}

fn suspended(number: u64, trace: u32) -> TaskRecord {
    task(number, TaskState::Suspended, Ok(trace))
}

fn raw(addresses: &[usize]) -> RawTrace {
    RawTrace::from_stacks([(addresses.to_vec(), StackFlags::default())])
}

fn dump(tasks: Vec<TaskRecord>) -> RawTaskDump {
    let taken_at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_790_000_000_123);
    RawTaskDump::new(
        taken_at,
        Duration::from_millis(84),
        tasks,
        vec![raw(&[900, 40, 30, 1]), raw(&[900]), raw(&[])],
    )
}

/// `app` has its code at 0x14 to 0x28 of its range, and another library is in front of it.
fn modules() -> ModuleMap {
    let code = CodeSegment::new(0x14, 0x400, 0x1014);
    let app = Module::new("/usr/bin/app", 0x10..0x400, 0x10).unwrap().with_code(vec![code]);
    let lib = Module::new("/lib/a\u{1b}.so", 1..9, 1).unwrap();
    ModuleMap::new(vec![app.with_build_id("c1d0ffee".parse().ok()), lib])
}

fn process() -> Process {
    let mut process = Process::new(4711);
    process.executable = Some("/usr/bin/app".into());
    process
}

fn profile(dump: &RawTaskDump, trees: &[Tree]) -> ReadBack {
    with(dump, trees, |settings| settings)
}

fn with(dump: &RawTaskDump, trees: &[Tree], set: impl FnOnce(Pprof<'_>) -> Pprof<'_>) -> ReadBack {
    let (process, modules) = (process(), modules());
    let settings = set(Pprof::new(&process, &modules).paths(Paths::default().relative_to("/home/me/app")));
    ReadBack::new(&TaskTrees::new(dump, trees).to_pprof(&settings))
}

/// A task that waits in `read`, called by `run`.
fn reads() -> Tree {
    hand_built::tree(vec![waits(&[user(0x30, "run", 20), user(0x40, "read", 30)], 0x50)])
}

#[test]
fn a_task_is_a_sample_with_its_labels() {
    let thread = PollingThread::elsewhere(Some("worker".into()), Some(4712));
    let dump = dump(vec![
        suspended(1, 0).with_name("accept"),
        suspended(2, 0).with_parent(id(1)),
        task(3, TaskState::Polling(thread), Err(NoTrace::NotPolled)),
        task(4, TaskState::NeverPolled, Err(NoTrace::NeverPolled)),
    ]);
    let read = profile(&dump, &[reads()]);
    assert_eq!(read.stack(0), ["async fn app::read", "async fn app::run"]);
    assert_eq!(read.0.sample[0].location_id, read.0.sample[1].location_id, "what they share is there once");
    assert_eq!(
        [read.stack(2), read.stack(3)],
        [["not_polled", "(no trace)"], ["never_polled", "(no trace)"]]
    );
    let values: Vec<_> = read.0.sample.iter().map(|sample| sample.value.clone()).collect();
    assert_eq!(values, [[1, 1_000_000_000], [1, 2_000_000_000], [1, 0], [1, 0]]);
    for (sample, key, value) in [
        (0, "state", Some("suspended")),
        (0, "name", Some("accept")),
        (0, "task id", Some("1")),
        (0, "parent id", None),
        (0, "spawned_at", Some("src/main.rs:12:5")),
        (0, "thread", None),
        (1, "name", None),
        (1, "parent id", Some("1")),
        (2, "state", Some("polling")),
        (2, "thread", Some("worker")),
        (2, "thread id", Some("4712")),
        (3, "state", Some("never_polled")),
    ] {
        assert_eq!(read.label(sample, key).as_deref(), value, "{sample} {key}");
    }
}

#[test]
fn the_profile_is_of_a_moment_and_counts_tasks() {
    let dump = dump(vec![suspended(1, 0), task(2, TaskState::Suspended, Err(NoTrace::NotAsked))]);
    let read = profile(&dump, &[reads()]);
    let types = read.0.sample_type.iter().map(|it| (read.text(it.r#type), read.text(it.unit)));
    assert_eq!(types.collect::<Vec<_>>(), [("tasks", "count"), ("suspended", "nanoseconds")]);
    assert_eq!(read.0.period_type, Some(read.0.sample_type[0]));
    assert_eq!(read.text(read.0.default_sample_type), "tasks");
    assert_eq!((read.0.period, read.0.duration_nanos), (1, 0));
    assert_eq!(read.0.time_nanos, 1_790_000_000_123_000_000);
    let comments: Vec<_> = read.0.comment.iter().map(|&at| read.text(at)).collect();
    assert_eq!(
        comments,
        [
            "backtrace-waker: async tasks of process 4711, /usr/bin/app",
            "the dump took 84 ms",
            "partial: 1 of 2 tasks had not answered by the deadline"
        ]
    );
}

/// As a symbolizer has them: all but the last are inlined.
fn inlined(address: usize, names: &[&str]) -> Arc<PhysicalFrame> {
    let functions: Vec<_> = names.iter().map(|name| (*name, *name, hand_built::MAIN, 7)).collect();
    let mut frame = (*physical(address, &functions)).clone();
    let last = frame.frames.len() - 1;
    frame.frames[..last].iter_mut().for_each(|frame| frame.inlined = true);
    Arc::new(frame)
}

#[test]
fn inlined_functions_share_a_location_with_what_they_are_inlined_into() {
    let stack = hand_built::stack(vec![
        inlined(0x30, &["app::b", "app::a"]),
        inlined(0x40, &["app::e", "app::d", "app::c"]),
    ]);
    let (dump, trees) = (dump(vec![suspended(1, 0)]), [hand_built::tree(vec![stack])]);
    let read = profile(&dump, &trees);
    assert_eq!(read.stack(0), ["app::e < app::d < app::c", "app::b < app::a"]);
    let location = &read.0.location[0];
    assert_eq!((location.address, location.line[0].line, location.line[0].column), (0x3f, 7, 5));
    let function = &read.0.function[0];
    assert_eq!(read.text(function.filename), "src/main.rs");
    // Named as the system has it, `go tool pprof` would print `<A as B>::c` as `::c`.
    assert_eq!(function.system_name, 0);
    let whole = with(&dump, &trees, |settings| settings.paths(Paths::full()));
    assert_eq!(whole.text(whole.0.function[0].filename), hand_built::MAIN);
}

#[test]
fn a_function_has_the_compilers_name_where_it_is_another() {
    let read = profile(&dump(vec![suspended(1, 0)]), &[reads()]);
    assert_eq!(read.text(read.0.function[0].name), "async fn app::read");
    assert_eq!(read.text(read.0.function[0].system_name), "app::read::{{closure}}");
}

#[test]
fn mappings_are_those_of_the_code_and_the_program_is_first() {
    let read = profile(&dump(vec![suspended(1, 0)]), &[reads()]);
    let [app] = &read.0.mapping[..] else { panic!("{:?}", read.0.mapping) };
    assert_eq!((app.memory_start, app.memory_limit, app.file_offset), (0x14, 0x400, 0x1014));
    assert_eq!((read.text(app.filename), read.text(app.build_id)), ("/usr/bin/app", "c1d0ffee"));
    assert!(app.has_functions && app.has_filenames && app.has_line_numbers && app.has_inline_frames);
    // In the library, in front of the program and with no segments known.
    let tree = hand_built::tree(vec![hand_built::stack(vec![user(5, "run", 1)])]);
    let read = profile(&dump(vec![suspended(1, 0)]), &[tree]);
    let [app, lib] = &read.0.mapping[..] else { panic!("{:?}", read.0.mapping) };
    assert_eq!((read.text(app.filename), app.has_functions), ("/usr/bin/app", false));
    assert_eq!((lib.memory_start, lib.memory_limit, lib.file_offset, lib.build_id), (1, 9, 0, 0));
    assert_eq!(read.text(lib.filename), "/lib/a\\u{1b}.so");
    assert_eq!(read.0.location[0].address, 4, "the call, not what it returns to");
}

#[test]
fn a_mapping_with_one_unknown_name_does_not_claim_to_have_them() {
    let tree = hand_built::tree(vec![hand_built::stack(vec![user(0x30, "run", 20), physical(0x40, &[])])]);
    let read = profile(&dump(vec![suspended(1, 0)]), &[tree]);
    assert_eq!(read.stack(0), ["0x3f", "async fn app::run"]);
    let app = &read.0.mapping[0];
    assert!(!app.has_functions && !app.has_filenames && !app.has_line_numbers && !app.has_inline_frames);
}

#[test]
fn without_symbols_there_are_addresses_and_no_tree_is_looked_at() {
    let dump = dump(vec![suspended(1, 0), suspended(2, 1), suspended(3, 2)]);
    let read = with(&dump, &[], |settings| settings.symbols(false));
    // All but the waker's, unless it is all there is.
    assert_eq!(read.stack(0), ["0x27", "0x1d", "0x0"]);
    assert_eq!(read.stack(1), ["0x383"]);
    assert_eq!(read.stack(2), ["(no stack)"]);
    assert!(!read.0.mapping[0].has_functions);
    assert_eq!(read.0.function.len(), 1);
}

#[test]
fn a_task_that_waits_at_two_places_has_two_samples_and_twice_at_one_place_one() {
    let at = |address| waits(&[user(0x30, "run", 20), user(address, "read", 30)], 0x50);
    let twice = hand_built::tree(vec![at(0x40), at(0x40)]);
    let alike = hand_built::tree(vec![at(0x40), at(0x48)]);
    let other = waits(&[user(0x30, "run", 20), user(0x44, "write", 30)], 0x50);
    let two = hand_built::tree(vec![at(0x40), other]);
    let dump = dump(vec![suspended(1, 0), suspended(2, 1), suspended(3, 2)]);
    let read = profile(&dump, &[twice, alike, two]);
    let of = |task: &str| {
        let of_task = |&at: &usize| read.label(at, "task id").as_deref() == Some(task);
        let samples = (0..read.0.sample.len()).filter(of_task);
        samples.map(|at| read.stack(at)[0].clone()).collect::<Vec<_>>()
    };
    assert_eq!(of("1"), ["async fn app::read"]);
    // Siblings that look alike are one, as everywhere.
    assert_eq!(of("2"), ["async fn app::read"]);
    assert_eq!(of("3"), ["async fn app::read", "async fn app::write"]);
}

#[test]
fn the_stack_of_a_thread_that_blocks_keeps_its_leaf() {
    let blocked = StackFlags::default().with_blocked(true);
    let traces = vec![RawTrace::from_stacks([(vec![900, 40, 30, 1], blocked)])];
    let dump = RawTaskDump::new(SystemTime::UNIX_EPOCH, Duration::ZERO, vec![suspended(1, 0)], traces);
    let read = with(&dump, &[], |settings| settings.symbols(false));
    assert_eq!(read.stack(0), ["0x383", "0x27", "0x1d", "0x0"]);
}

#[test]
fn tasks_that_wait_alike_may_share_a_sample() {
    let alike =
        |number, trace| suspended(number, trace).with_name(format!("connection {number}")).with_parent(id(9));
    let woken = task(4, TaskState::Woken, Ok(0));
    let other = hand_built::tree(vec![waits(&[user(0x30, "run", 20), user(0x44, "write", 40)], 0x50)]);
    let dump = dump(vec![alike(1, 0), alike(2, 1), alike(3, 0), woken]);
    let read = with(&dump, &[reads(), other], |settings| settings.each_task(false));
    let values: Vec<_> = read.0.sample.iter().map(|sample| sample.value.clone()).collect();
    assert_eq!(values, [[2, 4_000_000_000], [1, 2_000_000_000], [1, 0]]);
    assert_eq!(read.stack(1)[0], "async fn app::write");
    for at in 0..3 {
        let keys: Vec<_> = read.0.sample[at].label.iter().map(|label| read.text(label.key)).collect();
        assert_eq!(keys, ["state", "spawned_at"]);
    }
}

/// Pyroscope refuses a profile with a label whose name is none in Prometheus.
#[test]
fn labels_of_text_have_names_that_servers_take() {
    let thread = PollingThread::elsewhere(Some("worker".into()), Some(4712));
    let polled = task(3, TaskState::Polling(thread), Err(NoTrace::NotPolled));
    let read =
        profile(&dump(vec![suspended(1, 0).with_name("accept").with_parent(id(3)), polled]), &[reads()]);
    for label in read.0.sample.iter().flat_map(|sample| &sample.label).filter(|label| label.str != 0) {
        let key = read.text(label.key);
        assert!(key.bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase()), "{key}");
    }
}

#[test]
fn the_order_in_which_traces_arrived_does_not_show() {
    let write = hand_built::tree(vec![waits(&[user(0x30, "run", 20), user(0x44, "write", 40)], 0x50)]);
    let bytes = |first: u32, trees: &[Tree]| {
        let dump = dump(vec![suspended(1, first), suspended(2, 1 - first)]);
        let (process, modules) = (process(), modules());
        TaskTrees::new(&dump, trees).to_pprof(&Pprof::new(&process, &modules))
    };
    assert_eq!(bytes(0, &[reads(), write.clone()]), bytes(1, &[write, reads()]));
}

#[test]
fn hostile_names_are_escaped_and_cut() {
    let name = format!("[31m\u{1b}\u{202e}{}", "é".repeat(1_000_000));
    let tree = hand_built::tree(vec![hand_built::stack(vec![physical(0x30, &[(&name, &name, &name, 1)])])]);
    let thread = PollingThread::elsewhere(Some("w\u{1b}".into()), None);
    let polled = task(2, TaskState::Polling(thread), Err(NoTrace::NotPolled)).with_name("a\u{1b}b");
    let read = profile(&dump(vec![suspended(1, 0).with_name(name), polled]), &[tree]);
    for text in &read.0.string_table {
        assert!(text.len() < 20_000 && !text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
    }
    assert_eq!(read.label(1, "name").as_deref(), Some("a\\u{1b}b"));
    assert_eq!(read.label(1, "thread").as_deref(), Some("w\\u{1b}"));
}

#[test]
fn ids_that_differ_only_beyond_63_bits_stay_apart() {
    let read = profile(&dump(vec![suspended(u64::MAX / 1_000_000, 0)]), &[reads()]);
    assert_eq!(read.0.sample[0].value[1], i64::MAX, "584 years");
    let dump = dump(vec![task(1, TaskState::Woken, Ok(0)).with_parent(id(u64::MAX))]);
    assert_eq!(profile(&dump, &[reads()]).label(0, "parent id").as_deref(), Some("-1"));
}

#[test]
fn a_process_whose_modules_are_not_known_has_no_mappings() {
    let (process, modules) = (Process::new(1), ModuleMap::default());
    let (dump, trees) = (dump(vec![suspended(1, 0)]), [reads()]);
    let read = ReadBack::new(&TaskTrees::new(&dump, &trees).to_pprof(&Pprof::new(&process, &modules)));
    assert!(read.0.mapping.is_empty());
    assert_eq!(read.stack(0), ["async fn app::read", "async fn app::run"]);
}

proptest! {
    /// Whatever the stacks, the profile is well-formed, and no task is lost.
    #[test]
    fn every_profile_is_well_formed(
        traces in prop::collection::vec(prop::collection::vec(prop::collection::vec((1_usize..0x500, 0_usize..4), 0..6), 0..4), 1..4),
        of in prop::collection::vec(prop::option::of(0_u32..5), 0..8),
        symbols in any::<bool>(),
        full in any::<bool>(),
    ) {
        const NAMES: [&str; 4] = ["app::a", "app::b", "tokio::c", "core::d"];
        let frame = |&(address, names): &(usize, usize)| inlined(address, &NAMES[..names.max(1)]);
        let stack = |frames: &Vec<_>| hand_built::stack(frames.iter().map(frame).collect());
        let trees: Vec<_> = traces.iter().map(|stacks| hand_built::tree(stacks.iter().map(stack).collect())).collect();
        let raws = traces.iter().map(|stacks| {
            RawTrace::from_stacks(stacks.iter().map(|frames| (frames.iter().map(|it| it.0), StackFlags::default())))
        });
        let tasks = of.iter().zip(1..).map(|(&trace, number)| task(number, TaskState::Suspended, trace.ok_or(NoTrace::Over)));
        let dump = RawTaskDump::new(SystemTime::UNIX_EPOCH, Duration::ZERO, tasks.collect(), raws.collect());
        let detail = if full { Detail::Full } else { Detail::User };
        let read = with(&dump, &trees, |settings| settings.symbols(symbols).detail(detail));
        let told: HashSet<_> = (0..read.0.sample.len()).map(|at| read.label(at, "task id")).collect();
        prop_assert_eq!(told.len(), of.len());
    }
}

#[test]
fn of_many_processes_a_group_is_a_sample_with_as_many_tasks() {
    let mut merge = bw_dump::Merge::new();
    for start in [0x5000_0000_usize, 0x6000_0000] {
        let module = Module::new("/srv/shop", start as u64..start as u64 + 0x1000, start as u64).unwrap();
        let modules = ModuleMap::new(vec![module.with_build_id("c1d0ffee".parse().ok())]);
        let tasks = vec![
            suspended(1, 0),
            suspended(2, 0),
            task(3, TaskState::NeverPolled, Err(NoTrace::NeverPolled)),
        ];
        let traces = vec![raw(&[start + 0x900, start + 0x40, start + 0x30])];
        let dump = RawTaskDump::new(SystemTime::UNIX_EPOCH, Duration::ZERO, tasks, traces);
        let mut process = Process::new(7);
        process.executable = Some("/srv/shop".into());
        merge.add("a", &bw_dump::RawDumpFile::new(process, modules, std::borrow::Cow::Owned(dump)));
    }
    let dump = merge.finish();
    let process = Process::default();
    let settings = Pprof::new(&process, dump.modules()).symbols(false);
    let read = ReadBack::new(&bw_render::MergedTrees::new(&dump, &[]).to_pprof(&settings));
    let values: Vec<_> = read.0.sample.iter().map(|sample| sample.value.clone()).collect();
    assert_eq!(values, [vec![2, 0], vec![4, 6_000_000_000]]);
    assert_eq!(read.stack(0), ["never_polled", "(no trace)"]);
    assert_eq!(read.0.sample[1].location_id.len(), 2);
    for (key, value) in
        [("program", "shop"), ("build_id", "c1d0ffee"), ("state", "suspended"), ("processes", "2")]
    {
        assert_eq!(read.label(1, key).as_deref(), Some(value));
    }
    assert_eq!(read.0.mapping.len(), 1);
    // After those of the frames that are no code.
    let offsets = read.0.location[2..].iter().map(|it| it.address - read.0.mapping[0].memory_start);
    assert_eq!(offsets.collect::<Vec<_>>(), [0x3f, 0x2f]);
}
