//! Raw dump files: what is written is read, what was written once is read for ever, and garbage is told from it.

// Functions that tests call are no tests to clippy.
#![allow(clippy::unwrap_used)]

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use bw_core::{
    DumpSource, NoTrace, PollingThread, RawTaskDump, RawTrace, SpawnedAt, StackFlags, TaskId, TaskRecord,
    TaskState, TaskStatus,
};
use bw_dump::{CodeSegment, Module, ModuleMap, Process, RawDumpError, RawDumpFile, RawDumpReader};
use proptest::prelude::*;

fn id(number: u64) -> TaskId {
    TaskId::from_u64(number).unwrap()
}

fn task(number: u64, state: TaskState, trace: Result<u32, NoTrace>) -> TaskRecord {
    let mut status = TaskStatus::new(state);
    status.polls = number ^ 7;
    TaskRecord::new(id(number), SpawnedAt::new("src/main.rs", 12, 9), status).with_trace(trace)
}

fn module(path: &str, start: u64, bias: u64) -> Module {
    Module::new(path, start..start + 0x1000, bias).unwrap()
}

/// Everything the format knows, once.
fn everything() -> RawDumpFile<'static> {
    let mut process = Process::new(4711);
    process.executable = Some("/srv/shop".into());
    process.started_at = Some(SystemTime::UNIX_EPOCH + Duration::from_millis(1_789_990_000_120));
    process.os = "linux".into();
    process.architecture = "x86_64".into();
    let modules = ModuleMap::new(vec![
        module("/lib/libc.so.6", 0x7f00_0000, 0x7eff_0000).with_build_id("00ff".parse().ok()),
        module("/srv/shop", 0x5000_0000, 0x5000_0000).with_build_id("c1d0ffee".parse().ok()).with_code(vec![
            CodeSegment::new(0x5000_0000, 0x5000_0800, 0),
            CodeSegment::new(0x5000_0a00, 0x5000_1000, 0x900),
        ]),
        // Linked at the end of the address space.
        module("linux-vdso.so.1", 0x7fff_0000, 0x7fff_0000_u64.wrapping_sub(0xffff_ffff_ff70_0000)),
    ]);
    let cut = StackFlags::default().with_truncated(true);
    let foreign = StackFlags::default().with_foreign(true).with_yield(true);
    let whole = StackFlags::default();
    let (at, other) = (vec![0x5000_0010, 0x5000_0fff, 0x5000_1000], vec![0x7f00_0001, 0x7fff_0800, 0x1234]);
    let traces = vec![
        RawTrace::from_stacks([(other.clone(), cut), (at.clone(), whole), (at.clone(), whole)])
            .with_dropped(3),
        RawTrace::from_stacks([(at.clone(), whole)]),
        RawTrace::from_stacks([(Vec::new(), foreign), (at.clone(), foreign)]),
        RawTrace::from_stacks(Vec::<(Vec<usize>, StackFlags)>::new()),
        // No task has it.
        RawTrace::from_stacks([(vec![0x77], whole)]),
    ];
    let mut known = TaskStatus::new(TaskState::Suspended);
    known.in_state = Some(Duration::new(7, 1));
    known.age = Some(Duration::from_secs(60));
    known.polls = u64::MAX;
    let thread =
        |name: Option<&str>, id| TaskState::Polling(PollingThread::elsewhere(name.map(Into::into), id));
    let tasks = vec![
        TaskRecord::new(id(1), SpawnedAt::new("src/net.rs", 1, 2), known).with_trace(Ok(1)),
        task(2, TaskState::Woken, Ok(0)).with_name("conn \u{1b}[31m \"é\"").with_parent(id(1)),
        task(3, TaskState::NeverPolled, Err(NoTrace::NeverPolled)).with_parent(id(99)),
        task(4, thread(Some("worker"), Some(4712)), Err(NoTrace::NotPolled)).with_poller(id(1)),
        task(5, thread(None, None), Ok(2)).with_parent(id(5)),
        task(6, TaskState::Finished, Err(NoTrace::Over)),
        task(7, TaskState::Dropped, Err(NoTrace::NotAsked)),
        task(8, TaskState::Panicked, Err(NoTrace::AsksItself)),
        task(9, TaskState::Suspended, Err(NoTrace::NoTimer)),
        task(10, TaskState::Suspended, Ok(3)).with_name(""),
        task(u64::MAX, TaskState::Suspended, Ok(1)),
    ];
    let taken_at = SystemTime::UNIX_EPOCH + Duration::new(1_790_000_000, 123_456_789);
    let dump = RawTaskDump::new(taken_at, Duration::from_millis(84), tasks, traces)
        .with_registered(1_200)
        .with_uncounted(7, 30)
        .with_alive(1_040_000);
    RawDumpFile::new(process, modules, Cow::Owned(dump))
}

fn written(file: &RawDumpFile<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    file.write(&mut bytes).unwrap();
    bytes
}

/// The same, but for the numbers of traces, which mean nothing.
fn assert_same(a: &RawDumpFile<'_>, b: &RawDumpFile<'_>) {
    assert_eq!(a.process(), b.process());
    assert_eq!(a.modules(), b.modules());
    let (a, b) = (a.dump(), b.dump());
    assert_eq!(
        (a.taken_at(), a.took(), a.registered(), a.nested(), a.unpolled(), a.alive()),
        (b.taken_at(), b.took(), b.registered(), b.nested(), b.unpolled(), b.alive())
    );
    assert_eq!(a.tasks().len(), b.tasks().len());
    for (one, other) in a.tasks().iter().zip(b.tasks()) {
        assert_eq!(a.trace_of(one), b.trace_of(other), "{one:?}");
        assert_eq!(one.trace().err(), other.trace().err());
        assert_eq!(one.clone().with_trace(Ok(0)), other.clone().with_trace(Ok(0)));
    }
}

#[test]
fn a_dump_that_was_read_from_memory_loses_that_or_what_is_missing_in_it() {
    let task = |number: u64, trace| {
        let id = TaskId::from_u64(number).unwrap();
        TaskRecord::new(id, SpawnedAt::unknown(), TaskStatus::new(TaskState::Suspended)).with_trace(trace)
    };
    let reasons = [NoTrace::Running, NoTrace::Queued, NoTrace::Retained, NoTrace::Moved, NoTrace::Incomplete];
    let mut tasks: Vec<_> =
        reasons.into_iter().zip(1..).map(|(reason, number)| task(number, Err(reason))).collect();
    tasks.push(task(6, Ok(0)).with_incomplete("the emulator does not know \"x\""));
    let trace = RawTrace::from_stacks([(vec![7], StackFlags::default())]);
    let dump = RawTaskDump::new(SystemTime::UNIX_EPOCH, Duration::ZERO, tasks, vec![trace])
        .with_source(DumpSource::CoreFile)
        .with_pause(Some(Duration::from_nanos(1_234_567)))
        .with_notes(vec!["1 GiB was not searched".to_owned()]);
    let file = RawDumpFile::new(Process::new(1), ModuleMap::default(), Cow::Owned(dump));
    let read = RawDumpFile::read(&*written(&file)).unwrap();
    assert_same(&file, &read);
    assert_eq!(read.dump().source(), DumpSource::CoreFile);
    assert_eq!(read.dump().pause(), Some(Duration::from_nanos(1_234_567)));
    assert_eq!(read.dump().notes(), file.dump().notes());
    assert_eq!(read.dump().tasks()[5].incomplete(), Some("the emulator does not know \"x\""));
    assert!(read.dump().tasks().iter().all(|task| !task.spawned_at().is_known()));
}

#[test]
fn how_long_ago_a_request_polled_a_task_is_written_and_read() {
    let mut status = TaskStatus::new(TaskState::Suspended);
    (status.in_state, status.since_request) = (Some(Duration::from_secs(7)), Some(Duration::new(2, 3)));
    let task =
        TaskRecord::new(id(1), SpawnedAt::new("src/net.rs", 1, 2), status).with_trace(Err(NoTrace::NotAsked));
    let dump = RawTaskDump::new(SystemTime::UNIX_EPOCH, Duration::ZERO, vec![task], Vec::new());
    let file = RawDumpFile::new(Process::new(1), ModuleMap::new(Vec::new()), Cow::Owned(dump));
    let read = RawDumpFile::read(&written(&file)[..]).unwrap();
    assert_same(&file, &read);
    assert_eq!(read.dump().tasks()[0].status().since_request, Some(Duration::new(2, 3)));
}

#[test]
fn what_is_written_is_read() {
    let file = everything();
    let bytes = written(&file);
    let read = RawDumpFile::read(&*bytes).unwrap();
    assert_same(&file, &read);
    // Traces that no task has are not written, so the second time nothing changes at all.
    assert_eq!(written(&read), bytes);
    assert_eq!(read.dump().traces().len(), 4);
}

#[test]
fn the_types_of_tasks_come_back_and_files_without_them_are_read() {
    let whole = StackFlags::default();
    let traces = vec![RawTrace::from_stacks([(vec![0x10], whole)])];
    let tasks = vec![
        task(1, TaskState::Suspended, Ok(0)).with_type_name("orders::transfer::{{closure}}"),
        task(2, TaskState::Suspended, Ok(0)).with_type_name("orders::\"refund\"<\u{1b}>"),
        task(3, TaskState::Suspended, Ok(0)).with_type_name("orders::transfer::{{closure}}"),
        task(4, TaskState::NeverPolled, Err(NoTrace::NeverPolled)),
    ];
    let dump = RawTaskDump::new(SystemTime::UNIX_EPOCH, Duration::ZERO, tasks, traces);
    let file = RawDumpFile::new(Process::new(1), ModuleMap::new(Vec::new()), Cow::Owned(dump));
    let bytes = written(&file);
    let read = RawDumpFile::read(&*bytes).unwrap();
    assert_same(&file, &read);
    // A type is written once, and its tasks keep a trace of their own.
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(text.matches("orders::transfer").count(), 1, "{text}");
    assert_eq!(read.dump().traces().len(), 2);
    let (table, stacks) = (text.find("\"types\"").unwrap(), text.find("\"stacks\"").unwrap());
    let older = format!("{}{}", &text[..table], &text[stacks..]);
    let older = older.replace(",\"type\":0", "").replace(",\"type\":1", "");
    let older = RawDumpFile::read(older.as_bytes()).unwrap();
    assert!(older.dump().tasks().iter().all(|task| task.type_name().is_none()));
    let beyond = text.replace("\"type\":1", "\"type\":2");
    let error = RawDumpFile::read(beyond.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("names type 2, but there are 2"), "{error}");
}

#[test]
fn what_is_written_compressed_is_read() {
    let file = everything();
    let mut bytes = Vec::new();
    file.write_gzip(&mut bytes).unwrap();
    assert!(bytes.len() < written(&file).len());
    assert_same(&file, &RawDumpFile::read(&*bytes).unwrap());
}

/// Files of each version are kept, and are read for ever. `BW_UPDATE=1` writes that of the newest version anew: only before it
/// is released.
#[test]
fn every_version_that_was_ever_written_is_read() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/raw_dumps");
    let file = everything();
    if std::env::var_os("BW_UPDATE").is_some() {
        std::fs::write(folder.join("v1.json"), written(&file)).unwrap();
        file.write_gzip(std::fs::File::create(folder.join("v1.json.gz")).unwrap()).unwrap();
    }
    assert_eq!(bw_dump::raw_dump::VERSION, 1, "keep files of the new version here as well");
    for name in ["v1.json", "v1.json.gz"] {
        assert_same(&file, &RawDumpFile::read(std::fs::File::open(folder.join(name)).unwrap()).unwrap());
    }
    let golden = std::fs::read(folder.join("v1.json")).unwrap();
    assert!(golden == written(&file), "version 1 is written otherwise than it was: is it still version 1?");
}

#[test]
fn the_example_in_the_documentation_is_one() {
    let docs = include_str!("../src/raw_dump/mod.rs");
    let (_, rest) = docs.split_once("//! ```json\n").unwrap();
    let (example, _) = rest.split_once("//! ```").unwrap();
    let example: String = example.lines().map(|line| format!("{}\n", &line["//! ".len()..])).collect();
    let read = RawDumpFile::read(example.as_bytes()).unwrap();
    assert_eq!(read.dump().tasks().len(), 2);
    assert_eq!(String::from_utf8(written(&read)).unwrap(), example);
}

#[test]
fn the_order_in_which_traces_arrived_does_not_show() {
    let trace = |address| RawTrace::from_stacks([([address, 5_usize], StackFlags::default())]);
    let dump = |turned: bool| {
        let (mut traces, number) = (vec![trace(7), trace(9)], |it: u32| Ok(if turned { 1 - it } else { it }));
        if turned {
            traces.reverse();
        }
        let tasks = vec![task(1, TaskState::Woken, number(1)), task(2, TaskState::Woken, number(0))];
        RawTaskDump::new(SystemTime::UNIX_EPOCH, Duration::ZERO, tasks, traces)
    };
    let write = |dump| written(&RawDumpFile::new(Process::new(1), ModuleMap::default(), Cow::Owned(dump)));
    assert_eq!(write(dump(false)), write(dump(true)));
}

#[test]
#[cfg(unix)]
fn paths_that_are_not_utf8_come_back() {
    use std::os::unix::ffi::OsStrExt;
    let path = std::path::Path::new(std::ffi::OsStr::from_bytes(b"/srv/\xff\n\x1b/shop"));
    let mut process = Process::new(1);
    process.executable = Some(path.into());
    let modules = ModuleMap::new(vec![Module::new(path, 1..2, 0).unwrap()]);
    let dump = RawTaskDump::new(SystemTime::UNIX_EPOCH, Duration::ZERO, Vec::new(), Vec::new());
    let file = RawDumpFile::new(process, modules, Cow::Owned(dump));
    assert_same(&file, &RawDumpFile::read(&*written(&file)).unwrap());
}

#[test]
#[cfg(all(any(target_os = "linux", target_os = "android"), not(bw_portable)))]
fn addresses_of_this_process_are_written_with_their_modules() {
    let here = addresses_of_this_process_are_written_with_their_modules as fn() as usize + 1;
    let trace = RawTrace::from_stacks([([here, 1], StackFlags::default())]);
    let tasks = vec![task(1, TaskState::Suspended, Ok(0))];
    let dump = RawTaskDump::new(SystemTime::now(), Duration::ZERO, tasks, vec![trace]);
    let file = RawDumpFile::of_this_process(&dump);
    let json: serde_json::Value = serde_json::from_slice(&written(&file)).unwrap();
    let frames = &json["stacks"][0]["frames"];
    let module = &json["modules"][usize::try_from(frames[0][0].as_u64().unwrap()).unwrap()];
    assert_eq!(module["path"], std::env::current_exe().unwrap().to_str().unwrap());
    let number = |value: &serde_json::Value| {
        usize::from_str_radix(value.as_str().unwrap().strip_prefix("0x").unwrap(), 16).unwrap()
    };
    assert_eq!(number(&frames[0][1]).wrapping_add(number(&module["bias"])), here);
    assert_eq!(frames[1], serde_json::json!([null, "0x1"]));
    assert_same(&file, &RawDumpFile::read(&*written(&file)).unwrap());
}

/// The error for the whole dump with something replaced.
fn error_with(from: &str, to: &str) -> RawDumpError {
    let text = String::from_utf8(written(&everything())).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    let replaced = text.replacen(from, to, 1);
    RawDumpFile::read(replaced.as_bytes()).expect_err(&replaced)
}

#[test]
fn later_versions_are_refused_with_both_versions() {
    let error = error_with("\"version\":1", "\"version\":2,\"later\":[{\"a\":1}]");
    assert!(error.is_newer_version());
    assert_eq!(
        error.to_string(),
        "is a raw dump of version 2, and this program reads versions up to 1: use a newer one"
    );
    // Whatever else they changed.
    let error =
        RawDumpFile::read(&b"{\"tasks\":7,\"version\":4711,\"format\":\"backtrace-waker raw dump\"}"[..]);
    assert!(error.unwrap_err().is_newer_version());
}

#[test]
fn fields_that_nobody_knows_are_left_out() {
    let text = String::from_utf8(written(&everything())).unwrap();
    let more = text
        .replace("\"id\":", "\"later\":{\"deep\":[1,{}]},\"id\":")
        .replace("{\"frames\"", "{\"x\":0,\"frames\"");
    assert_same(&everything(), &RawDumpFile::read(more.as_bytes()).unwrap());
}

#[test]
fn garbage_is_refused_and_named() {
    let read = |bytes: &[u8]| RawDumpFile::read(bytes).unwrap_err().to_string();
    assert_eq!(read(b""), "is no raw dump file: it is empty");
    assert_eq!(
        read(b"\x7fELF\x02\x01"),
        "is no raw dump file: it is an ELF file, such as a program, a library or a core file"
    );
    assert_eq!(read(b"[1, 2]"), "is no raw dump file: it is not a JSON object; it begins with \"[1, 2]\"");
    // The library takes arrays for objects.
    assert!(read(b"[\"backtrace-waker raw dump\", 1]").contains("not a JSON object"));
    assert_eq!(read(b"null"), "is no raw dump file: it is not a JSON object; it begins with \"null\"");
    assert!(read(b"{}").contains("`format`"));
    assert!(read(b"{\"format\":\"backtrace-waker task dump\",\"version\":1}").contains("symbolized already"));
    assert_eq!(read(b"\x28\xb5\x2f\xfd\x00"), "is compressed with zstd: decompress it with `zstd -d`");
    assert!(
        read(b"\xfd7zXZ\x00\x00").contains("`unxz`") && read(b"\x04\x22\x4d\x18\x00").contains("`lz4 -d`")
    );
    assert!(read(b"\x1f\x8bnonsense").starts_with("is compressed, and damaged"));
    assert!(read(b"{\"format\":\"backtrace-waker raw dump\"}").contains("version: is missing"));
    assert!(read(b"{\"format\":\"backtrace-waker raw dump\",\"version\":0}").contains("no version 0"));
    let deep = "{\"format\":".to_owned() + &"[".repeat(1_000_000);
    assert!(read(deep.as_bytes()).contains("is no valid raw dump file"));
    let deep = "{\"later\":".to_owned() + &"[".repeat(1_000_000);
    assert!(read(deep.as_bytes()).contains("ends in the middle"));
    let whole = written(&everything());
    assert_eq!(
        read(&whole[..whole.len() / 2]),
        "ends in the middle: it was cut short; write or copy it again"
    );
}

#[test]
fn what_cannot_be_true_is_refused_and_said_where() {
    for (from, to, message) in [
        ("\"trace\":0", "\"trace\":4", "tasks[0]: names trace 4, but there are 4"),
        ("\"trace\":1", "\"trace\":1,\"no_trace\":\"over\"", "tasks[1]: has a trace and a reason"),
        ("\"trace\":0", "\"later\":0", "tasks[0]: has neither"),
        ("\"spawned_at\":1", "\"spawned_at\":2", "tasks[1]: names place 2, but there are 2"),
        ("\"id\":1", "\"id\":0", "tasks[0]: 0 is no task's id"),
        ("\"parent\":99", "\"parent\":0", "tasks[2]: 0 is no task's id"),
        ("{\"stacks\":[0]}", "{\"stacks\":[4]}", "traces[0]: names stack 4, but there are 4"),
        ("[[1,", "[[3,", "stacks[1]: frames[0] names module 3, but there are 3"),
        ("[[0,\"0x10\"]", "[[0,\"0x0\"]", "stacks[0]: frames[0] lies at 0x50000000 in the process"),
        ("[0,\"0x1000\"]", "[0,\"0x1001\"]", "stacks[0]: frames[2] lies at 0x50001001"),
        ("[null,\"0x1234\"]", "[null,\"0x0\"]", "stacks[1]: frames[2] returns to address 0"),
        ("\"end\":\"0x50001000\"", "\"end\":\"0x50000000\"", "modules[0]: ends before it begins"),
        (
            "\"start\":\"0x7f000000\"",
            "\"start\":\"0x4fffffff\"",
            "modules[1]: begins before the one in front of it",
        ),
        ("\"c1d0ffee\"", "\"c1d0ffe\"", "modules[0]: build_id: a build id is 1 to 64 bytes"),
        ("\"path\":", "\"path_hex\":\"0g\",\"path\":", "modules[0]: path_hex is not hexadecimal"),
        ("2026-09-21T14", "2026-09-21 14h", "taken_at: "),
        ("\"started_at\":\"", "\"started_at\":\"x", "process.started_at: "),
        ("\"woken\"", "\"asleep\"", "unknown variant `asleep`, expected one of `never_polled`"),
        ("\"bias\":\"0x", "\"bias\":\"", "expected an address"),
        ("\"took_ns\":", "\"took_ns\":-", "line 6 column"),
        ("\"took_ns\"", "\"taken_at\"", "duplicate field"),
        ("\"tasks\"", "\"later\"", "missing field `tasks`"),
    ] {
        let error = error_with(from, to);
        assert!(error.to_string().contains(message), "{from} -> {to}: {error}");
        assert!(!error.is_io() && !error.is_newer_version() && !error.is_too_large());
    }
}

#[test]
fn modules_that_overlap_do_not_keep_a_dump_from_being_read() {
    let modules = vec![module("outer", 0x1000, 0), Module::new("inner", 0x1800..0x1900, 0x1800).unwrap()];
    let stack = vec![0x1801, 0x1900, 0x1901, 0x1001, 0x2000];
    let traces = vec![RawTrace::from_stacks([(stack, StackFlags::default())])];
    let tasks = vec![task(1, TaskState::Suspended, Ok(0))];
    let dump = RawTaskDump::new(SystemTime::UNIX_EPOCH, Duration::ZERO, tasks, traces);
    let file = RawDumpFile::new(Process::new(1), ModuleMap::new(modules), Cow::Owned(dump));
    assert_same(&file, &RawDumpFile::read(&*written(&file)).unwrap());
}

#[test]
fn errors_do_not_repeat_what_a_terminal_would_obey_nor_megabytes() {
    for hostile in ["\\u001b[31m", "\\u202e", "\\u009b2J"].map(|part| part.repeat(100_000)) {
        for error in [
            error_with("\"woken\"", &format!("\"{hostile}\"")),
            error_with("2026-09-21T14", &hostile),
            error_with("\"bias\":\"", &format!("\"bias\":\"{hostile}")),
            error_with("\"took_ns\":", &format!("\"took_ns\":\"{hostile}\",\"x\":")),
        ] {
            let text = error.to_string();
            assert!(
                text.len() < 5_000 && !text.contains(|c: char| c.is_control() || c == '\u{202e}'),
                "{text:?}"
            );
        }
    }
}

#[test]
fn a_file_that_was_cut_anywhere_is_refused() {
    let whole = written(&everything());
    for length in 0..whole.len() - 1 {
        let error = RawDumpFile::read(&whole[..length]).unwrap_err();
        assert!(!error.is_io(), "{error}");
    }
    let mut more = whole.clone();
    more.extend(b"{}");
    assert!(RawDumpFile::read(&*more).unwrap_err().to_string().contains("trailing characters"));
}

#[test]
fn a_small_file_cannot_ask_for_a_lot_of_memory() {
    // One stack of a thousand addresses, and a trace that has it a million times: 8 GB.
    let frames = "[null,\"0x1\"],".repeat(1_000);
    let stack = format!("{{\"frames\":[{}]}}", frames.trim_end_matches(','));
    let stacks = "0,".repeat(1_000_000);
    let text = format!(
        "{{\"format\":\"backtrace-waker raw dump\",\"version\":1,\"process\":{{\"pid\":1}},\
         \"taken_at\":\"2026-09-21T14:13:20Z\",\"took_ns\":1,\"registered\":18446744073709551615,\"modules\":[],\
         \"places\":[],\"stacks\":[{stack}],\"traces\":[{{\"stacks\":[{}]}}],\"tasks\":[]}}",
        stacks.trim_end_matches(',')
    );
    let error = RawDumpFile::read(text.as_bytes()).unwrap_err();
    assert!(error.is_too_large());
    assert!(error.to_string().contains("33554432 addresses"), "{error}");
    let less = text.replacen(&stacks[..stacks.len() - 1], "0,0", 1);
    assert!(RawDumpReader::new().most_addresses(2_002).read(less.as_bytes()).is_ok());
    assert!(RawDumpReader::new().most_addresses(2_001).read(less.as_bytes()).unwrap_err().is_too_large());
    assert!(RawDumpReader::new().most_bytes(less.len()).read(less.as_bytes()).is_ok());
    assert!(
        RawDumpReader::new().most_bytes(less.len() - 1).read(less.as_bytes()).unwrap_err().is_too_large()
    );
}

#[test]
fn errors_of_the_disk_stay_what_they_are() {
    struct Broken;
    impl std::io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("on fire"))
        }
    }
    impl std::io::Write for Broken {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("on fire"))
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let error = RawDumpFile::read(Broken).unwrap_err();
    assert!(error.is_io() && error.to_string().contains("on fire"));
    assert!(std::error::Error::source(&error).is_some());
    assert_eq!(everything().write(Broken).unwrap_err().to_string(), "on fire");
    assert_eq!(everything().write_gzip(Broken).unwrap_err().to_string(), "on fire");
}

#[test]
fn a_clock_that_is_wrong_does_not_keep_a_dump_from_being_written() {
    for taken_at in [
        SystemTime::UNIX_EPOCH - Duration::from_secs(1 << 40),
        SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 50),
    ] {
        let dump = RawTaskDump::new(taken_at, Duration::MAX, Vec::new(), Vec::new());
        let file = RawDumpFile::new(Process::new(1), ModuleMap::default(), Cow::Owned(dump));
        assert!(RawDumpFile::read(&*written(&file)).is_ok());
    }
}

proptest! {
    #[test]
    fn any_traces_come_back(
        stacks in prop::collection::vec((prop::collection::vec(1..usize::MAX, 0..6), 0..32_u8), 0..8),
        starts in prop::collection::btree_set(0..(u64::MAX / 0x1000 - 1), 0..6),
        biases in prop::collection::vec(any::<u64>(), 6),
        dropped in any::<usize>(),
    ) {
        let modules = starts.iter().zip(biases).map(|(&start, bias)| module("m", start * 0x1000, bias));
        let mut addresses = starts.iter().flat_map(|start| [1, 0x7ff, 0x1000, 0x1001].map(|at| start * 0x1000 + at));
        let near = std::iter::from_fn(|| addresses.next().and_then(|at| usize::try_from(at).ok())).collect::<Vec<_>>();
        let flags = |bits: u8| {
            let flags = StackFlags::default().with_truncated(bits & 1 > 0).with_foreign(bits & 2 > 0);
            let flags = flags.with_yield(bits & 4 > 0).with_blocked(bits & 8 > 0);
            flags.with_short_of_stack(bits & 16 > 0)
        };
        let stacks = stacks.into_iter().map(|(stack, bits)| (stack, flags(bits))).chain([(near, flags(0))]);
        let trace = RawTrace::from_stacks(stacks).with_dropped(dropped);
        let tasks = vec![task(1, TaskState::Suspended, Ok(0))];
        let dump = RawTaskDump::new(SystemTime::UNIX_EPOCH, Duration::ZERO, tasks, vec![trace]);
        let file = RawDumpFile::new(Process::new(1), ModuleMap::new(modules.collect()), Cow::Owned(dump));
        assert_same(&file, &RawDumpFile::read(&*written(&file)).unwrap());
    }

    #[test]
    fn damaged_files_do_not_panic(damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let mut bytes = written(&everything());
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Err(error) = RawDumpReader::new().most_bytes(1 << 20).read(&*bytes) {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}
