//! Where children stand in the tree of a dump, from hand-built data.

// Functions that tests call are no tests to clippy.
#![allow(clippy::unwrap_used)]

mod hand_built;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bw_core::{
    NoTrace, RawTaskDump, RawTrace, ReturnAddress, SpawnedAt, StackFlags, TaskId, TaskRecord, TaskState,
    TaskStatus,
};
use bw_render::{Detail, DumpText, Glyphs, Paths, TaskTrees, Text, Tree};
use bw_symbolize::{PhysicalFrame, SymbolizedStack};
use hand_built::*;
use insta::assert_snapshot;

fn id(number: u64) -> TaskId {
    TaskId::from_u64(number).unwrap()
}

fn task(number: u64, trace: u32) -> TaskRecord {
    let spawned_at = SpawnedAt::new("src/main.rs", 10, 5);
    TaskRecord::new(id(number), spawned_at, TaskStatus::new(TaskState::Suspended)).with_trace(Ok(trace))
}

/// The poll of a traced task that returns to that address.
fn poll_of(root: usize) -> Arc<PhysicalFrame> {
    physical(root, &[("bw_core::task::poll_attended", "bw_core::task::poll_attended", MAIN, 1)])
}

/// A stack of a task whose own poll returns to that address.
fn own(root: usize, frames: &[Arc<PhysicalFrame>], leaf: usize) -> SymbolizedStack {
    let frames = frames.iter().cloned().chain(clone(leaf));
    stack([poll_of(root)].into_iter().chain(frames).collect())
}

fn futures_unordered(address: usize, line: u32) -> Arc<PhysicalFrame> {
    let path = "<futures_util::stream::futures_unordered::FuturesUnordered<F> as futures_core::stream::Stream>::poll_next";
    let file = "/x/registry/src/index-0123/futures-util-0.3.34/src/stream/futures_unordered/mod.rs";
    physical(address, &[(path, path, file, line)])
}

/// A branch of `join!`: two of them look alike.
fn branch(address: usize) -> Arc<PhysicalFrame> {
    let path = "app::run::{{closure}}::{{closure}}";
    physical(address, &[("closure in async fn app::run", path, &format!("{TOKIO}/macros/join.rs"), 9)])
}

/// A dump of tasks that have these traces.
struct Program {
    dump: RawTaskDump,
    trees: Vec<Tree>,
}

impl Program {
    fn new(tasks: Vec<TaskRecord>, traces: Vec<Vec<SymbolizedStack>>) -> Self {
        let addresses = |stack: &SymbolizedStack| -> Vec<usize> {
            stack.frames.iter().map(|frame| ReturnAddress::get(frame.address)).collect()
        };
        let raw = |stacks: &Vec<SymbolizedStack>| {
            RawTrace::from_stacks(stacks.iter().map(|stack| (addresses(stack), StackFlags::default())))
        };
        let raws = traces.iter().map(raw).collect();
        let dump = RawTaskDump::new(SystemTime::UNIX_EPOCH, Duration::ZERO, tasks, raws);
        Self { dump, trees: traces.into_iter().map(tree).collect() }
    }

    fn print(&self, text: Text) -> String {
        let text =
            DumpText::new(text.paths(Paths::default().relative_to("/home/me/app"))).samples(usize::MAX);
        text.tree(TaskTrees::new(&self.dump, &self.trees)).to_string()
    }
}

fn two_branches() -> Vec<SymbolizedStack> {
    let (run, read, write) = (user(10, "run", 20), user(11, "read", 30), user(12, "write", 40));
    vec![own(1, &[Arc::clone(&run), read], 50), own(1, &[run, write], 51)]
}

fn work(root: usize) -> Vec<SymbolizedStack> {
    vec![own(root, &[user(20, "work", 60)], 52)]
}

#[test]
fn no_branch_is_drawn_after_the_last_one() {
    let tasks = vec![task(1, 0), task(2, 1).with_poller(id(1)), task(3, 1).with_poller(id(1))];
    let program = Program::new(tasks, vec![two_branches(), work(2)]);
    assert_snapshot!(program.print(Text::new()));
    let ascii = program.print(Text::new().glyphs(Glyphs::Ascii));
    assert!(ascii.is_ascii(), "{ascii}");
    assert!(ascii.contains("\n |- async fn app::write") && ascii.contains("\n `- 2 tasks"), "{ascii}");
}

#[test]
fn a_child_that_was_only_spawned_does_not_read_as_if_it_were_awaited() {
    let lock = tokio(12, "tokio::sync::mutex::Mutex<T>::lock", "sync/mutex.rs");
    let parent = vec![own(1, &[user(10, "run", 20), lock], 50)];
    let tasks = vec![task(1, 0), task(2, 1).with_parent(id(1)), task(3, 1).with_parent(id(1))];
    let printed = Program::new(tasks, vec![parent, work(2)]).print(Text::new());
    let expected = "\
╼ async fn app::run at src/main.rs:20:5
 └╼ tokio::sync::mutex::Mutex<T>::lock at tokio-1.54.1/src/sync/mutex.rs:7:5
spawned by 1, not awaited here:
└╼ 2 tasks suspended: 2, 3, spawned at src/main.rs:10:5
   ╼ async fn app::work at src/main.rs:60:5
";
    assert!(printed.contains(expected), "{printed}");
}

#[test]
fn children_of_several_kinds_stand_at_several_places() {
    let run = user(10, "run", 20);
    let parent = vec![
        own(1, &[Arc::clone(&run), futures_unordered(13, 420)], 50),
        own(1, &[Arc::clone(&run), poll_of(4), user(21, "awaited", 70)], 51),
        own(1, &[run, user(14, "own", 80)], 53),
    ];
    let awaited = vec![own(4, &[user(21, "awaited", 70)], 51)];
    let tasks = vec![
        task(1, 0),
        task(2, 1).with_poller(id(1)),
        task(3, 1).with_poller(id(1)),
        task(4, 2).with_poller(id(1)),
        task(5, 1).with_parent(id(1)),
        task(6, 1).with_parent(id(5)),
    ];
    assert_snapshot!(Program::new(tasks, vec![parent, work(2), awaited]).print(Text::new()));
}

/// What is printed for the one that is missing must not go.
#[test]
fn frames_of_a_child_stay_where_not_all_such_children_are_in_the_dump() {
    let run = user(10, "run", 20);
    let child = |at| own(1, &[Arc::clone(&run), branch(at), poll_of(4), user(21, "awaited", 70)], 51);
    let parent = vec![child(30), child(31)];
    let awaited = vec![own(4, &[user(21, "awaited", 70)], 51)];
    let one =
        Program::new(vec![task(1, 0), task(2, 1).with_poller(id(1))], vec![parent.clone(), awaited.clone()]);
    assert_snapshot!(one.print(Text::new()));
    let both = Program::new(
        vec![task(1, 0), task(2, 1).with_poller(id(1)), task(3, 1).with_poller(id(1))],
        vec![parent, awaited],
    );
    assert_eq!(both.print(Text::new()).matches("async fn app::awaited").count(), 1);
}

/// Of two that begin alike and go on differently, one is missing: what is printed for it must not go either.
#[test]
fn frames_of_a_child_that_begins_as_another_stay_where_that_is_missing() {
    let run = user(10, "run", 20);
    let frames = |name| [user(21, "awaited", 70), user(22, name, 80)];
    let child = |at, name| {
        let [first, second] = frames(name);
        own(1, &[Arc::clone(&run), branch(at), poll_of(4), first, second], 51)
    };
    let parent = vec![child(30, "left"), child(31, "right")];
    let trace = |name| vec![own(4, &frames(name), 51)];
    let tasks = vec![task(1, 0), task(2, 1).with_poller(id(1)), task(3, 2).with_poller(id(1))];
    let traces = vec![parent, trace("left"), trace("right")];
    let one = Program::new(tasks[..2].to_vec(), traces.clone()).print(Text::new());
    assert_eq!((one.matches("app::left").count(), one.matches("app::right").count()), (2, 1), "{one}");
    let both = Program::new(tasks, traces).print(Text::new());
    assert_eq!((both.matches("app::left").count(), both.matches("app::right").count()), (1, 1), "{both}");
}

/// Two of one type that look alike, awaited at two places: nothing tells which is where.
#[test]
fn children_that_may_stand_at_several_places_stand_above_them() {
    let run = user(10, "run", 20);
    let at = |name| own(1, &[Arc::clone(&run), user(11, name, 30), poll_of(4), user(21, "awaited", 70)], 51);
    let other =
        |name| own(1, &[Arc::clone(&run), user(12, name, 31), poll_of(4), user(21, "awaited", 70)], 51);
    let parent = vec![at("left"), other("right")];
    let awaited = vec![own(4, &[user(21, "awaited", 70)], 51)];
    let tasks = vec![task(1, 0), task(2, 1).with_poller(id(1)), task(3, 1).with_poller(id(1))];
    assert_snapshot!(Program::new(tasks, vec![parent, awaited]).print(Text::new()));
}

/// Boxed futures are of one type, and so their polls return to one address.
#[test]
fn a_child_that_looks_otherwise_than_what_is_polled_there_stands_elsewhere() {
    let run = user(10, "run", 20);
    let parent = vec![
        own(1, &[Arc::clone(&run), poll_of(4), user(21, "awaited", 70)], 51),
        own(1, &[run, futures_unordered(13, 420)], 50),
    ];
    let boxed = vec![own(4, &[user(22, "another", 90)], 51)];
    let program = Program::new(vec![task(1, 0), task(2, 1).with_poller(id(1))], vec![parent, boxed]);
    assert_snapshot!(program.print(Text::new()));
}

#[test]
fn where_nothing_is_common_children_stand_below_everything() {
    let parent = vec![own(1, &[user(10, "one", 20)], 50), own(1, &[user(11, "two", 30)], 51)];
    let tasks = vec![task(1, 0), task(2, 1).with_parent(id(1)), task(3, 1).with_poller(id(1))];
    assert_snapshot!(Program::new(tasks, vec![parent, work(2)]).print(Text::new()));
}

#[test]
fn a_parent_without_a_trace_has_its_children_all_the_same() {
    let silent = task(1, 0).with_trace(Err(NoTrace::NotPolled));
    let tasks = vec![silent, task(2, 0).with_parent(id(1)), task(3, 7).with_poller(id(1))];
    assert_snapshot!(Program::new(tasks, vec![work(2)]).print(Text::new()));
    let blank = Program::new(vec![task(1, 0), task(2, 1).with_poller(id(1))], vec![Vec::new(), work(2)]);
    let blank = blank.print(Text::new());
    assert!(blank.contains("(no stack: ") && blank.contains("\n└╼ task 2: "), "{blank}");
}

#[test]
fn with_every_frame_a_child_does_not_stand_below_its_own() {
    let parent = vec![own(1, &[user(10, "run", 20), poll_of(4), user(21, "awaited", 70)], 51)];
    let awaited = vec![own(4, &[user(21, "awaited", 70)], 51)];
    let program = Program::new(vec![task(1, 0), task(2, 1).with_poller(id(1))], vec![parent, awaited]);
    assert_snapshot!(program.print(Text::new().detail(Detail::Full)));
}

#[test]
fn a_library_that_waits_and_wakes_itself_is_one_wait_that_says_so() {
    let yields = |frames: &[Arc<PhysicalFrame>], leaf| {
        let mut stack = own(1, frames, leaf);
        stack.flags.is_yield = true;
        stack
    };
    let run = user(10, "run", 20);
    let waits_and_yields = tree(vec![
        own(1, &[Arc::clone(&run), futures_unordered(13, 420)], 50),
        yields(&[Arc::clone(&run), futures_unordered(14, 557)], 51),
    ]);
    assert_snapshot!(waits_and_yields);
    assert_eq!(
        waits_and_yields.filtered(Detail::User).filtered(Detail::User),
        waits_and_yields.filtered(Detail::User)
    );
    let beside = tree(vec![
        own(1, &[Arc::clone(&run), branch(30), futures_unordered(13, 420)], 50),
        own(1, &[Arc::clone(&run), branch(31), futures_unordered(13, 420)], 50),
        yields(&[Arc::clone(&run), branch(31), futures_unordered(14, 557)], 51),
    ]);
    assert!(beside.to_string().contains("::poll_next (×2) at"), "{beside}");
    assert_eq!(beside.to_string().matches("(and woke itself)").count(), 1, "{beside}");
    let whole = Text::new().detail(Detail::Library).render(&waits_and_yields).to_string();
    assert!(whole.contains(":420:") && whole.contains(":557:"), "both, for who wants to know: {whole}");
    // The program's own lines are never left out.
    let users = tree(vec![
        own(1, &[Arc::clone(&run), user(13, "mine", 420)], 50),
        yields(&[Arc::clone(&run), user(14, "mine", 557)], 51),
    ]);
    let printed = users.to_string();
    assert!(printed.contains(":420:") && printed.contains(":557:5 (woke itself)"), "{printed}");
    // Both in what is left out below another.
    let first = tokio(15, "tokio::first", "first.rs");
    let below = tree(vec![
        own(1, &[Arc::clone(&run), Arc::clone(&first), futures_unordered(13, 420)], 50),
        yields(&[Arc::clone(&run), first, futures_unordered(14, 557)], 51),
    ]);
    assert!(
        below.to_string().contains("tokio::first at tokio-1.54.1/src/first.rs:7:5 (and woke itself)"),
        "{below}"
    );
    // What only yields does not wait.
    let only_yields = tree(vec![yields(&[run, futures_unordered(14, 557)], 51)]).to_string();
    assert!(only_yields.contains(":557:5 (woke itself)"), "{only_yields}");
}

/// Asking the children makes a `FuturesUnordered` wake itself, or not, if they had been asked before.
#[test]
fn who_woke_itself_because_its_children_were_asked_is_in_one_group_with_who_did_not() {
    let run = user(10, "run", 20);
    let waits = own(1, &[Arc::clone(&run), futures_unordered(13, 420)], 50);
    let mut yields = own(1, &[run, futures_unordered(14, 557)], 51);
    yields.flags.is_yield = true;
    let tasks = vec![task(1, 0), task(2, 1)];
    let program = Program::new(tasks, vec![vec![waits.clone()], vec![waits, yields]]);
    let trees = TaskTrees::new(&program.dump, &program.trees);
    let printed = DumpText::new(Text::new()).grouped(trees).to_string();
    assert!(printed.contains("\n2 tasks suspended: 1, 2\n"), "{printed}");
    assert!(!printed.contains("woke itself"), "{printed}");
    assert!(program.print(Text::new()).contains("\n2 tasks suspended: 1, 2, "));
    let full = DumpText::new(Text::new().detail(Detail::Full)).full(trees).to_string();
    assert!(full.contains("woke itself"), "{full}");
}

#[test]
fn two_thousand_awaited_children_are_printed_once_each() {
    let run = user(10, "run", 20);
    let frames = |n: usize| [poll_of(10_000 + n), user(20_000 + n, &format!("child{n}"), 70)];
    let parent = (0..2_000).map(|n| {
        let [poll, child] = frames(n);
        own(1, &[Arc::clone(&run), poll, child], 51)
    });
    let children = (0..2_000).map(|n| vec![own(10_000 + n, &[frames(n)[1].clone()], 51)]);
    let traces = [parent.collect()].into_iter().chain(children).collect();
    let tasks = (1..=2_000).map(|n| task(u64::from(n) + 1, n).with_poller(id(1)));
    let printed = Program::new([task(1, 0)].into_iter().chain(tasks).collect(), traces).print(Text::new());
    assert_eq!(printed.matches("async fn app::child").count(), 2_000);
    assert_eq!(printed.matches("child of 1").count(), 2_000);
}
