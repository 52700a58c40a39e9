//! Dumps by hand, for the pages.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bw_core::{
    NoTrace, PollingThread, RawTaskDump, RawTrace, ReturnAddress, SpawnedAt, StackFlags, TaskId, TaskRecord,
    TaskState, TaskStatus,
};
use bw_render::Tree;
use bw_symbolize::{
    Frame, Function, Location, ModuleOffset, PhysicalFrame, SymbolizedStack, SymbolizedTrace,
};

pub(crate) const SUBJECT: &str = "shop, pid 4711";
pub(crate) const ROOT: &str = "/home/me/shop";
const TOKIO: &str = "/home/me/.cargo/registry/src/index-0123/tokio-1.54.1/src";

fn id(number: u64) -> TaskId {
    TaskId::from_u64(number).expect("an id")
}

fn status(state: TaskState, millis: u64) -> TaskStatus {
    let mut status = TaskStatus::new(state);
    status.in_state = Some(Duration::from_millis(millis));
    status.age = Some(Duration::from_millis(millis + 60_000));
    status.polls = millis % 7_001;
    status
}

fn task(number: u64, line: u32, status: TaskStatus, trace: Result<u32, NoTrace>) -> TaskRecord {
    let spawned_at = SpawnedAt::new("/home/me/shop/src/main.rs", line, 5);
    TaskRecord::new(id(number), spawned_at, status).with_trace(trace)
}

fn suspended(number: u64, millis: u64, trace: u32) -> TaskRecord {
    task(number, 20 + trace, status(TaskState::Suspended, millis), Ok(trace))
}

fn dump(tasks: Vec<TaskRecord>, traces: usize) -> RawTaskDump {
    let taken_at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_790_000_000_123);
    let raw = |address| RawTrace::from_stacks([([address], StackFlags::default())]);
    RawTaskDump::new(taken_at, Duration::from_millis(84), tasks, (1..=traces).map(raw).collect())
}

/// One function at one address.
fn frame(address: usize, name: &str, path: &str, file: &str, line: u32) -> Arc<PhysicalFrame> {
    let location = Location::new(file, Some(line), Some(5));
    Arc::new(PhysicalFrame::new(
        ReturnAddress::new(address).expect("an address"),
        Some(ModuleOffset::new("/usr/bin/shop", address as u64)),
        vec![Frame::new(Some(Function::new(name, path)), Some(location), false)],
    ))
}

fn user(address: usize, name: &str, line: u32) -> Arc<PhysicalFrame> {
    let path = format!("shop::{name}::{{{{closure}}}}");
    frame(address, &format!("async fn shop::{name}"), &path, &format!("{ROOT}/src/{}", file_of(name)), line)
}

/// `cart.rs` of `cart::add`.
fn file_of(name: &str) -> String {
    name.split_once("::").map_or_else(|| "main.rs".to_owned(), |(module, _)| format!("{module}.rs"))
}

fn tokio(address: usize, name: &str, file: &str, line: u32) -> Arc<PhysicalFrame> {
    let path = name.strip_prefix("async fn ").map(|path| format!("{path}::{{{{closure}}}}"));
    frame(address, name, path.as_deref().unwrap_or(name), &format!("{TOKIO}/{file}"), line)
}

fn lock() -> Arc<PhysicalFrame> {
    tokio(0x9001, "async fn tokio::sync::mutex::Mutex<T>::lock", "sync/mutex.rs", 455)
}

fn sleep() -> Arc<PhysicalFrame> {
    let path = "<tokio::time::sleep::Sleep as core::future::future::Future>::poll";
    tokio(0x9002, path, "time/sleep.rs", 457)
}

fn receive() -> Arc<PhysicalFrame> {
    tokio(0x9003, "async fn tokio::sync::mpsc::bounded::Receiver<T>::recv", "sync/mpsc/bounded.rs", 246)
}

/// A stack, root first, with what the wrapper and the clone of the waker leave at its ends.
fn stack(frames: &[Arc<PhysicalFrame>]) -> SymbolizedStack {
    let poll = "bw_core::task::traced_task::poll_attended";
    let clone = "<core::task::wake::Waker as core::clone::Clone>::clone";
    let first = frame(1, poll, poll, "/src/bw-core/src/task.rs", 1);
    let last = frame(0x9900, clone, clone, "/rustc/0123/library/core/src/task/wake.rs", 2);
    let all = [first].into_iter().chain(frames.iter().cloned()).chain([last]);
    let mut frames: Vec<_> = all.collect();
    frames.reverse();
    SymbolizedStack::new(frames, StackFlags::default())
}

fn tree(stacks: Vec<SymbolizedStack>) -> Tree {
    Tree::new(&SymbolizedTrace::new(stacks, 0))
}

/// A shop at three in the morning: 16 tasks, some of each state, one of which blocks its thread.
pub(crate) fn small() -> (RawTaskDump, Vec<Tree>) {
    let serve = user(0x100, "serve", 41);
    let nested = [serve.clone(), user(0x110, "cart::add", 12)];
    let stock = [nested.as_slice(), &[user(0x120, "stock::reserve", 88), lock()]].concat();
    let price = [nested.as_slice(), &[user(0x130, "price::quote", 31), sleep()]].concat();
    let trees = vec![
        tree(vec![stack(&[serve.clone(), user(0x140, "stock::reserve", 88), lock()])]),
        tree(vec![stack(&stock), stack(&price)]),
        tree(vec![stack(&[user(0x200, "supervise", 77), receive()])]),
        tree(vec![stack(&[user(0x300, "heartbeat", 99), sleep()])]),
        tree(vec![SymbolizedStack::new(
            stack(&[user(0x400, "wedge", 71), user(0x410, "report::compute", 6)]).frames,
            StackFlags::default().with_blocked(true),
        )]),
    ];
    let worker = PollingThread::elsewhere(Some("tokio-rt-worker".into()), Some(4713));
    let mut tasks = vec![
        suspended(1, 7_500_000, 2).with_name("supervisor"),
        suspended(2, 300, 3).with_name("heartbeat"),
        task(3, 50, status(TaskState::Polling(worker), 14_000), Ok(4))
            .with_name("GET /wedge")
            .with_parent(id(1)),
        task(4, 50, status(TaskState::Woken, 12_500), Err(NoTrace::NotPolled)).with_name("GET /cart"),
        task(5, 60, status(TaskState::NeverPolled, 900), Err(NoTrace::NeverPolled)),
        task(6, 60, status(TaskState::Finished, 2), Err(NoTrace::Over)).with_parent(id(1)),
    ];
    tasks.extend((7..15).map(|n| suspended(n, n * 1_100, 0).with_name("POST /order").with_parent(id(1))));
    tasks.push(suspended(15, 65_000, 1).with_name("POST /cart").with_parent(id(14)));
    tasks.push(suspended(16, 95_000, 1).with_parent(id(15)));
    let dump = dump(tasks, trees.len()).with_registered(21).with_uncounted(2, 1).with_alive(40);
    (dump, trees)
}

/// As small as that; the dump's own poll, or an earlier request's, was the first for long.
pub(crate) fn polled_late() -> (RawTaskDump, Vec<Tree>) {
    let late = |number, state, millis, since_request, trace| {
        let mut status = status(state, millis);
        status.since_request = Some(Duration::from_millis(since_request));
        task(number, 20, status, trace)
    };
    let (small, trees) = small();
    let tasks = vec![
        late(1, TaskState::Suspended, 3_700, 0, Ok(0)).with_name("cured"),
        late(2, TaskState::Suspended, 5_700, 2_000, Ok(1)).with_name("asked before"),
        late(3, TaskState::Finished, 3_700, 0, Err(NoTrace::Over)).with_name("evict"),
        late(4, TaskState::Finished, 9_000, 0, Err(NoTrace::Over)).with_name("evict"),
    ];
    (dump(tasks, small.traces().len()), trees)
}

/// The same a while later: the task that blocked is gone, and the one that could not be polled.
pub(crate) fn later(dump: &RawTaskDump) -> RawTaskDump {
    let is_left = |task: &&TaskRecord| ![3, 4].contains(&task.id().get());
    let tasks = dump.tasks().iter().filter(is_left).cloned().collect();
    let taken_at = dump.taken_at() + Duration::from_secs(60);
    RawTaskDump::new(taken_at, dump.took(), tasks, dump.traces().to_vec()).with_registered(14)
}

/// Names and paths that would like to be more than that.
pub(crate) fn hostile() -> (RawTaskDump, Vec<Tree>) {
    let script =
        "</script><img src=x onerror=\"window.harmed = 'script'\"><script>window.harmed = 'script'</script>";
    let comment = "<!--<script>--!>&lt;b&gt;<b onmouseover=window.harmed=1>bold</b>";
    let quotes = "\"onfocus=\"window.harmed='quotes'\" autofocus='\u{0}";
    let turned = "admin\u{202e}gnp.exe\u{2066}\u{200b}\u{feff}\u{1b}[31m\r\n\t\u{2028}end";
    let long = format!("begin{}end", "é🦀".repeat(500_000));
    let url = "javascript:window.harmed='url'";
    let names = [script, comment, quotes, turned, &long, url, "__proto__", "constructor", "", "${1}{{1}}"];
    let trees: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(n, name)| {
            let path = format!("{name}::run");
            tree(vec![stack(&[frame(0x100 + n, name, &path, &format!("/{name}.rs"), 1), sleep()])])
        })
        .collect();
    let nameless = Arc::new(PhysicalFrame::new(
        ReturnAddress::new(0x1f43).expect("an address"),
        Some(ModuleOffset::new("/usr/bin/<b>shop", 0x1f43)),
        Vec::new(),
    ));
    let mut trees = trees;
    trees.push(tree(vec![stack(&[nameless])]));
    let tasks = (1..).zip(names).map(|(n, name): (u32, _)| {
        let spawned_at = SpawnedAt::new(name, 1, 1);
        let mut task = TaskRecord::new(id(n.into()), spawned_at, status(TaskState::Suspended, 1_000))
            .with_trace(Ok(n - 1))
            .with_name(name);
        if n > 1 {
            task = task.with_parent(id(u64::from(n) - 1));
        }
        task
    });
    let mut tasks: Vec<_> = tasks.collect();
    let thread = PollingThread::elsewhere(Some(script.into()), Some(1));
    tasks.push(task(11, 1, status(TaskState::Polling(thread), 5), Err(NoTrace::NotPolled)));
    tasks.push(suspended(12, 1, 10));
    // A circle, and one that is its own parent.
    tasks.push(suspended(13, 1, 10).with_parent(id(14)));
    tasks.push(suspended(14, 1, 10).with_parent(id(13)));
    tasks.push(suspended(15, 1, 10).with_parent(id(15)));
    (dump(tasks, trees.len()), trees)
}

/// A program none of whose tasks are traced.
pub(crate) fn none() -> (RawTaskDump, Vec<Tree>) {
    (dump(Vec::new(), 0).with_alive(1_040), Vec::new())
}

/// So many tasks: 120 traces, a name for every second, a chain of 2,000, families of 50, every state.
pub(crate) fn large(tasks: u64) -> (RawTaskDump, Vec<Tree>) {
    const TRACES: u32 = 120;
    const CHAIN: u64 = 2_000;
    let modules = ["cart", "stock", "price", "user", "mail", "search"];
    let names = ["read", "write", "update", "notify", "verify"];
    let leaves = [lock(), sleep(), receive()];
    let trees = (0..TRACES).map(|n| {
        let at = n as usize;
        let module = modules[at % modules.len()];
        let depth = 2 + at % 9;
        let mut frames = vec![user(0x100, "serve", 41)];
        for level in 0..depth {
            let name = format!("{module}::{}_{}", names[(at + level) % names.len()], at / 30);
            frames.push(user(0x1000 + at * 32 + level, &name, 10 + n + u32::try_from(level).expect("small")));
        }
        let mut other = frames.clone();
        frames.push(leaves[at % 3].clone());
        other.push(leaves[(at + 1) % 3].clone());
        tree(if n % 4 == 0 { vec![stack(&frames), stack(&other)] } else { vec![stack(&frames)] })
    });
    let trees: Vec<_> = trees.collect();
    let tasks = (1..=tasks).map(|n| {
        let millis = n * 7_919 % 9_000_000;
        let trace = u32::try_from(n * 31 % u64::from(TRACES)).expect("small");
        let mut task = match n % 50 {
            0 => task(n, 90, status(TaskState::NeverPolled, millis), Err(NoTrace::NeverPolled)),
            1 if n % 1_000 == 1 => {
                let thread = PollingThread::elsewhere(Some("tokio-rt-worker".into()), Some(n));
                task(n, 91, status(TaskState::Polling(thread), millis), Err(NoTrace::NotPolled))
            }
            2 => task(n, 92, status(TaskState::Woken, millis), Err(NoTrace::NotPolled)),
            _ => suspended(n, millis, trace),
        };
        if n % 2 == 0 {
            task = task.with_name(format!("connection {}", n / 2));
        }
        match n {
            2..=CHAIN => task.with_parent(id(n - 1)),
            _ if n > CHAIN && n % 50 != 3 => task.with_parent(id(n - (n + 47) % 50)),
            _ => task,
        }
    });
    (dump(tasks.collect(), trees.len()).with_registered(100_000), trees)
}
