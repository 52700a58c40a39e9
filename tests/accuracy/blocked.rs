//! Polls that block their thread: seen from outside, with the functions of the task and the line of the call that blocks.
//!
//! Only where threads that wait can be seen: on Linux, x86-64, with a C library that tells where its unwind information is.
#![cfg(all(target_os = "linux", target_arch = "x86_64", not(any(bw_portable, bw_no_dl_find_object))))]

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use bw_core::{NoTrace, RawTaskDump, RawTrace, Registry, TaskRecord, TaskState, TraceHandle};
use bw_render::{Detail, Tree};

use crate::harness::{HOUR, expected_name, symbolize_blocked};

/// The lines on which the functions of a chain call the next one, by depth.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u32>>>);

impl Lines {
    fn note(&self, depth: usize, line: u32) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.truncate(depth);
        lines.push(line);
    }
}

async fn outer(lines: Lines, block: impl FnOnce()) {
    lines.note(0, line!() + 1);
    middle(lines, block).await;
}

async fn middle(lines: Lines, block: impl FnOnce()) {
    tokio::task::yield_now().await;
    lines.note(1, line!() + 1);
    leaf(lines, block).await;
}

async fn leaf(lines: Lines, block: impl FnOnce()) {
    lines.note(2, line!() + 1);
    wait(&lines, block);
}

#[inline(never)]
fn wait(lines: &Lines, block: impl FnOnce()) {
    lines.note(3, line!() + 1);
    block();
    // Not a tail call, which would leave no frame.
    std::hint::black_box(());
}

/// The first dump with what is to be seen; it will come, as no task of the registry ever ends.
fn dump_until(registry: &Registry, is_it: impl Fn(&RawTaskDump) -> bool) -> RawTaskDump {
    loop {
        let dump = registry.dump().timeout(Duration::from_millis(50)).blocking();
        assert!(!dump.tasks().is_empty() && dump.tasks().iter().all(|task| !task.status().state.is_over()));
        if is_it(&dump) {
            return dump;
        }
    }
}

/// Whether a task has the stack of its blocked thread. Before, it may give an answer of its own.
fn is_blocked(dump: &RawTaskDump, task: &TaskRecord) -> bool {
    dump.trace_of(task).is_some_and(|trace| trace.stacks().any(|stack| stack.is_blocked()))
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime")
}

/// Has a task block its thread, and looks where.
#[track_caller]
fn assert_blocks(block: impl FnOnce() + Send + 'static) {
    let (registry, lines) = (Registry::new(), Lines::default());
    let task = registry.tracer().trace(outer(lines.clone(), block));
    let handle = task.handle();
    thread::spawn(move || {
        runtime().block_on(task);
    });
    let dump = dump_until(&registry, |dump| is_blocked(dump, &dump.tasks()[0]));
    assert!(matches!(dump.tasks()[0].status().state, TaskState::Polling(_)), "{dump:?}");
    assert!(!dump.is_partial(), "it gave an answer, if not by itself");
    let trace = dump.trace_of(&dump.tasks()[0]).expect("it is blocked");
    let tree = Tree::new(&symbolize_blocked(trace)).filtered(Detail::User);
    let text = tree.to_string();
    assert!(text.contains("(blocks its thread)"), "{text}");

    assert_single_capture_is(trace, &handle);

    let own: Vec<_> = tree.nodes().iter().map(bw_render::Node::frame).collect();
    let names = ["async fn self::outer", "async fn self::middle", "async fn self::leaf", "self::wait"];
    let lines = lines.0.lock().unwrap_or_else(PoisonError::into_inner);
    for ((name, line), frame) in names.into_iter().zip(lines.iter()).zip(own) {
        let name = expected_name(&name.replace("self::", &format!("{}::", module_path!())));
        assert_eq!(frame.function.as_ref().map(|function| &*function.name), Some(&*name), "{text}");
        let at = frame.location.as_ref().expect("debug information has it");
        assert!(at.file.ends_with(file!()), "{text}");
        assert_eq!(at.line, Some(*line), "{text}");
    }
}

/// Asked alone, the task has the stack that the dump has; and the facade prints that.
#[track_caller]
fn assert_single_capture_is(trace: &RawTrace, handle: &TraceHandle) {
    const SOON: Duration = Duration::from_millis(20);
    // The thread may run for a moment, for nothing, and then there is no stack of it.
    let until_seen = |capture: &dyn Fn() -> Option<RawTrace>| (0..1_000).find_map(|_| capture());
    let blocking = until_seen(&|| handle.capture_blocking(SOON).ok());
    assert_eq!(blocking.as_ref(), Some(trace));
    let awaited = until_seen(&|| futures::executor::block_on(handle.capture().timeout(SOON)).ok());
    assert_eq!(awaited.as_ref(), Some(trace));

    let facade = backtrace_waker::TraceHandle::from(handle.clone());
    let printed =
        (0..1_000).find_map(|_| facade.backtrace_blocking(SOON).ok()).expect("it blocks").to_string();
    assert!(printed.contains("async fn") && printed.contains("(blocks its thread)"), "{printed}");
}

#[test]
fn on_a_sleep() {
    assert_blocks(|| thread::sleep(HOUR));
}

#[test]
fn on_a_lock() {
    static LOCK: Mutex<()> = Mutex::new(());
    let _held = LOCK.lock().unwrap();
    assert_blocks(|| drop(LOCK.lock()));
}

#[test]
fn on_a_lock_of_parking_lot() {
    static LOCK: parking_lot::Mutex<()> = parking_lot::Mutex::new(());
    let _held = LOCK.lock();
    assert_blocks(|| drop(LOCK.lock()));
}

#[test]
fn on_a_condition() {
    assert_blocks(|| drop(Condvar::new().wait(Mutex::new(()).lock().unwrap())));
}

#[test]
fn on_a_channel() {
    let (_keep, never) = mpsc::channel::<String>();
    assert_blocks(move || drop(never.recv()));
}

#[test]
fn on_a_socket() {
    let (_other, mut end) = UnixStream::pair().unwrap();
    assert_blocks(move || drop(end.read(&mut [0; 8])));
}

#[test]
fn on_a_child_process() {
    use std::process::{Command, Stdio};
    // Reads its input, whose other end we have, and so ends with us.
    let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let _input = child.stdin.take();
    assert_blocks(move || drop(child.wait()));
}

#[test]
fn on_another_runtime() {
    assert_blocks(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        // On another thread: `block_on` would panic in one that drives a runtime.
        thread::scope(|scope| {
            scope.spawn(|| runtime.block_on(async { tokio::time::sleep(HOUR).await })).join()
        })
        .unwrap();
    });
}

async fn pass_on(inner: impl Future<Output = ()>) {
    inner.await;
}

/// Of polls inside one another, the innermost blocks. The others are known by their children.
#[test]
fn in_the_innermost_of_nested_tasks() {
    let registry = Registry::new();
    let inner = registry.tracer().named("inner").trace(outer(Lines::default(), || thread::sleep(HOUR)));
    let outermost = registry.tracer().named("outer").trace(pass_on(inner));
    thread::spawn(|| runtime().block_on(outermost));
    let named = |dump: &RawTaskDump, name: &str| {
        dump.tasks().iter().find(|task| task.name() == Some(name)).cloned().unwrap()
    };
    let dump = dump_until(&registry, |dump| is_blocked(dump, &named(dump, "inner")));
    assert_eq!(named(&dump, "outer").trace(), Err(NoTrace::NotPolled));
    let tree = Tree::new(&symbolize_blocked(dump.trace_of(&named(&dump, "inner")).unwrap()));
    let text = tree.filtered(Detail::User).to_string();
    assert!(text.starts_with(&format!("╼ async fn {}::outer", module_path!())), "{text}");
}

/// A thread that computes waits for nobody, and nobody may stop it to look.
#[test]
fn not_where_it_computes() {
    let registry = Registry::new();
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let seen = Arc::clone(&stop);
    let task = registry.tracer().trace(async move {
        while !seen.load(std::sync::atomic::Ordering::Relaxed) {
            std::hint::spin_loop();
        }
    });
    let thread = thread::spawn(|| runtime().block_on(task));
    let dump = dump_until(&registry, |dump| matches!(dump.tasks()[0].status().state, TaskState::Polling(_)));
    assert_eq!(dump.tasks()[0].trace(), Err(NoTrace::NotPolled));
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    thread.join().unwrap();
}
