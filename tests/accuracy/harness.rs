//! Runs a future as a traced task, captures where it waits, and compares that with what the future itself noted.
//!
//! A future wraps what it awaits in [`at!`], which notes the position of that await and the function it is in. A test
//! calls [`waits!`] with the future and the stacks it expects: the readable name of each of *this program's* functions,
//! root first. Both together must be exactly what the trace says: no function of this program missing, none added,
//! each at the noted line, and no stack more or less. Only a first poll may record one twice.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::OpenOptions;
use std::future::Future;
use std::io::Write;
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use bw_core::{RawTrace, StackFlags, TaskState, TraceHandle, TracedTask, traced};
use bw_render::{Text, Tree};
use bw_symbolize::{Frame, PhysicalFrame, SymbolizedStack, SymbolizedTrace, Symbolizer};
use tokio::runtime;
use tokio::task::yield_now;

/// Shared, so that the debug information of this program is read once.
static SYMBOLIZER: LazyLock<Symbolizer> = LazyLock::new(Symbolizer::new);

/// Longer than any test runs.
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// A variable of the environment: the file to which every tree that is checked is printed as well. For [`share`](crate::share).
pub(crate) const PRINTED: &str = "BW_ACCURACY_PRINTED";

/// A variable of the environment: if it is set, tasks are left to one runtime, and not checked. For [`watched`](crate::watched).
pub(crate) const LEFT: &str = "BW_ACCURACY_LEFT";

/// The tasks that were left: their ids as tokio has them and as we have them, and the test.
static TASKS_LEFT: Mutex<Vec<(u64, u64, String)>> = Mutex::new(Vec::new());

/// How often a task is given the chance to suspend before the test gives up.
const TURNS: usize = 1000;

/// What the paths of this program's files have in common.
const OWN_FILES: &str = "tests/accuracy/";

/// Where an await stands. The column is that of [`at!`], so the await's is greater.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) file: &'static str,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

thread_local! {
    /// What the futures polled by this thread noted: for each body, as the compiler calls it, its latest await.
    static NOTED: RefCell<HashMap<String, Place>> = RefCell::default();
}

/// Passes a future through, and notes that the body it stands in awaits it on this line.
///
/// Write the `.await` behind it on the same line; or, for a macro that has the `.await` inside, start the macro there.
macro_rules! at {
    ($future:expr) => {
        $crate::harness::pass(
            $crate::harness::note(
                {
                    fn body() {}
                    std::any::type_name_of_val(&body)
                },
                $crate::harness::Place { file: file!(), line: line!(), column: column!() },
            ),
            $future,
        )
    };
}
pub(crate) use at;

/// Checks where a future waits. `self::` in a name is the module this is called in.
macro_rules! waits {
    ($future:expr, $($stack:expr),+ $(,)?) => {
        $crate::harness::assert_waits(module_path!(), || $future, &[$(&$stack),+])
    };
}
pub(crate) use waits;

/// The first argument is evaluated before the second, which is what it is for.
#[inline(always)]
pub(crate) fn pass<T>((): (), future: T) -> T {
    future
}

/// For [`at!`].
#[cold]
#[inline(never)]
pub(crate) fn note(name_in_body: &str, place: Place) {
    let body = name_in_body.strip_suffix("::body").expect("that is its name");
    NOTED.with_borrow_mut(|noted| noted.insert(without_arguments(body), place));
}

/// A path without generic arguments, which `type_name` and the compiler's symbols write differently.
fn without_arguments(path: &str) -> String {
    let (mut kept, mut depth) = (String::new(), 0_usize);
    for c in path.chars() {
        // At the beginning of a path segment there is no argument, but a type: `<app::Foo as app::Bar>::baz`.
        let begins_arguments =
            c == '<' && (depth > 0 || kept.ends_with(|c: char| c == '_' || c.is_alphanumeric()));
        if begins_arguments {
            depth += 1;
        } else if depth == 0 {
            kept.push(c);
        } else if c == '>' {
            depth -= 1;
        }
    }
    kept
}

/// Checks a task whose root future is the future itself, a box of it, and a box that hides its type.
///
/// With optimization they differ: the first has the user's functions inlined into the frame of the traced poll, which
/// is the root of the stack; the last never has.
#[track_caller]
pub(crate) fn assert_waits<F>(module: &str, make: impl Fn() -> F, expected: &[&[&str]])
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    let expected: Vec<Vec<String>> = expected
        .iter()
        .map(|stack| {
            stack.iter().map(|name| expected_name(&name.replace("self::", &format!("{module}::")))).collect()
        })
        .collect();
    assert_captures(&capture(&make), &expected, "unboxed");
    assert_captures(&capture(|| Box::pin(make())), &expected, "boxed");
    let hide = |future: F| -> Pin<Box<dyn Future<Output = F::Output> + Send>> { Box::pin(future) };
    assert_captures(&capture(|| hide(make())), &expected, "boxed as dyn");
}

/// The name as the backend of this platform can know it: where it is not ours, all bodies are closures.
pub(crate) fn expected_name(name: &str) -> String {
    if cfg!(all(any(target_os = "linux", target_os = "android"), not(bw_portable))) {
        return name.to_owned();
    }
    // An async closure is two bodies, of which only the debug information knows that they are one.
    name.replace("async closure", "closure in closure")
        .replace("async block", "closure")
        .replace("async fn", "closure in")
}

/// Spawns a future as a traced task, and asks it three times: before its first poll, and twice when it is suspended.
pub(crate) fn capture<F>(make: impl FnOnce() -> F) -> [RawTrace; 3]
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    NOTED.with_borrow_mut(HashMap::clear);
    if is_left() {
        leave(make());
        return std::array::from_fn(|_| RawTrace::from_stacks([(Vec::new(), StackFlags::default())]));
    }
    let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (task, handle): (TracedTask<F>, TraceHandle) = traced(make());
        // Nothing is polled before this future suspends, so the first poll is asked for already.
        tokio::spawn(task);
        assert_eq!(handle.state(), TaskState::NeverPolled);
        let first = handle.capture().await.expect("it suspends");
        for _ in 0..TURNS {
            if handle.state() == TaskState::Suspended {
                break;
            }
            yield_now().await;
        }
        let second = handle.capture().await.expect("it stays suspended");
        [first, second, handle.capture().await.expect("it stays suspended")]
    })
}

fn is_left() -> bool {
    std::env::var_os(LEFT).is_some()
}

/// Leaves a task to a runtime that goes on.
fn leave<F>(future: F)
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    static RUNTIME: LazyLock<runtime::Runtime> = LazyLock::new(|| {
        runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
    });

    let (task, handle) = traced(future);
    let id = RUNTIME.spawn(task).id().to_string().parse().expect("a number");
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    TASKS_LEFT.lock().expect("no test panics there").push((id, handle.id().get(), test));
}

/// The tasks that were left.
pub(crate) fn left() -> Vec<(u64, u64, String)> {
    TASKS_LEFT.lock().expect("no test panics there").clone()
}

/// The trace with names. Whole, or the test fails.
#[track_caller]
pub(crate) fn symbolize(trace: &RawTrace) -> SymbolizedTrace {
    assert_eq!(trace.dropped(), 0);
    assert!(trace.stacks().all(|stack| !stack.is_truncated() && !stack.is_foreign()), "{trace:?}");
    SYMBOLIZER.symbolize(trace)
}

/// The trace of a blocked thread with names.
pub(crate) fn symbolize_blocked(trace: &RawTrace) -> SymbolizedTrace {
    assert!(trace.stacks().all(|stack| stack.is_blocked() && !stack.is_truncated()), "{trace:?}");
    SYMBOLIZER.symbolize(trace)
}

/// The traces of [`capture`], of a task of one shape.
#[track_caller]
fn assert_captures(captures: &[RawTrace], expected: &[Vec<String>], shape: &str) {
    if is_left() {
        return;
    }
    for (trace, number) in captures.iter().zip(1..) {
        let trace = symbolize(trace);
        print(&trace);
        let mut missing: Vec<&Vec<String>> = expected.iter().collect();
        for stack in &trace.stacks {
            let context = format!("{shape}, capture {number}:\n{}", list(stack));
            let frames = of_this_program(stack);
            let names: Vec<&str> = frames.iter().copied().filter_map(name).collect();
            if let Some(found) = missing.iter().position(|expected| names == **expected) {
                missing.swap_remove(found);
            } else {
                // A future may store a clone in its first poll and then look, still in that poll, whether the stored
                // one is of the waker at hand. The hook's never is, so it clones again: tokio's socket readiness does.
                let is_repeated = number == 1 && expected.iter().any(|expected| names == **expected);
                assert!(is_repeated, "{names:#?} is not in {missing:#?}; {context}");
            }
            for frame in frames {
                assert_place(frame, &context);
            }
        }
        assert!(missing.is_empty(), "{shape}, capture {number}: {missing:#?} not in\n{}", list_all(&trace));
    }
}

/// Prints a tree where [`PRINTED`] says.
fn print(trace: &SymbolizedTrace) {
    let Some(file) = std::env::var_os(PRINTED) else { return };
    let text = Text::new().footer(false);
    let tree = format!("{}\n", text.render(&Tree::new(trace)));
    // One write, so that the lines of other tests do not come between.
    let mut file = OpenOptions::new().create(true).append(true).open(file).expect("the file can be written");
    file.write_all(tree.as_bytes()).expect("it is written");
}

/// Checks that a frame is where its body noted it waits.
#[track_caller]
fn assert_place(frame: &Frame, context: &str) {
    let function = frame.function.as_ref().expect("found by its name");
    let (name, path) = (&function.name, &*function.path);
    let Some(location) = &frame.location else { panic!("{name} has no location; {context}") };
    if let Some(place) = noted(path) {
        assert!(location.file.ends_with(place.file), "{name} is in {}; {context}", place.file);
        assert_eq!(location.line, Some(place.line), "{name}; {context}");
        assert!(location.column.is_some_and(|column| column > place.column), "{name}: {place:?}; {context}");
    } else {
        // A closure that a macro like `join!` makes is where the macro is defined: the compiler goes up from there
        // only to the body it compiles, which comes from the macro as well. The body around it is in our file.
        assert!(name.starts_with("closure in "), "{name} noted nothing; {context}");
        assert!(!location.file.contains(OWN_FILES) && location.line.is_some(), "{name}; {context}");
    }
}

fn noted(path: &str) -> Option<Place> {
    NOTED.with_borrow(|noted| noted.get(&without_arguments(path)).copied())
}

/// The frames of this program's functions, inlined or not, root first.
pub(crate) fn of_this_program(stack: &SymbolizedStack) -> Vec<&Frame> {
    let frames = stack.frames.iter().rev().flat_map(|physical| physical.frames.iter().rev());
    frames.filter(|frame| is_of_this_program(frame)).collect()
}

fn is_of_this_program(frame: &Frame) -> bool {
    let Some(function) = &frame.function else { return false };
    let path = function.path.trim_start_matches('<');
    path.strip_prefix(env!("CARGO_CRATE_NAME")).is_some_and(|rest| rest.starts_with("::"))
        && !path.contains("::harness::")
}

pub(crate) fn name(frame: &Frame) -> Option<&str> {
    frame.function.as_ref().map(|function| &*function.name)
}

/// A stack as text, root first; inlined functions are marked.
pub(crate) fn list(stack: &SymbolizedStack) -> String {
    let line = |physical: &Arc<PhysicalFrame>| {
        let frame = |frame: &Frame| {
            let mark = if frame.inlined { '~' } else { ' ' };
            let place = frame.location.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("{mark} {} at {place}\n", name(frame).unwrap_or("?"))
        };
        physical.frames.iter().rev().map(frame).collect::<String>()
    };
    stack.frames.iter().rev().map(line).collect()
}

fn list_all(trace: &SymbolizedTrace) -> String {
    trace.stacks.iter().map(list).collect::<Vec<_>>().join("\n")
}
