//! Task dumps from hand-built data, in every form.

// Functions that tests call are no tests to clippy.
#![allow(clippy::unwrap_used)]

mod hand_built;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bw_core::{
    NoTrace, PollingThread, RawTaskDump, RawTrace, SpawnedAt, StackFlags, TaskId, TaskRecord, TaskState,
    TaskStatus,
};
use bw_render::{Detail, DumpText, Glyphs, Json, Paths, StyledText, TaskTrees, Text, Tree};
use hand_built::{user, waits};
use insta::assert_snapshot;

fn id(number: u64) -> TaskId {
    TaskId::from_u64(number).unwrap()
}

/// A suspended task, a minute old.
fn task(number: u64, millis: u64, trace: Result<u32, NoTrace>) -> TaskRecord {
    state(number, TaskState::Suspended, millis, trace)
}

fn state(number: u64, state: TaskState, millis: u64, trace: Result<u32, NoTrace>) -> TaskRecord {
    let mut status = TaskStatus::new(state);
    status.in_state = Some(Duration::from_millis(millis));
    status.age = Some(Duration::from_secs(60));
    status.polls = number * 1_000;
    let spawned_at = SpawnedAt::new("/home/me/app/src/main.rs", 10 + u32::try_from(number % 3).unwrap(), 5);
    TaskRecord::new(id(number), spawned_at, status).with_trace(trace)
}

fn dump(tasks: Vec<TaskRecord>) -> RawTaskDump {
    let taken_at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_790_000_000_123);
    let raw = |address| RawTrace::from_stacks([([address], StackFlags::default())]);
    RawTaskDump::new(taken_at, Duration::from_millis(84), tasks, (1..=3).map(raw).collect())
}

/// Two that print the same, as their addresses are of no interest, and one that does not.
fn trees() -> Vec<Tree> {
    let tree = |address, name, line| {
        hand_built::tree(vec![waits(&[user(10, "run", 20), user(address, name, line)], 50)])
    };
    vec![tree(20, "read", 30), tree(21, "read", 30), tree(22, "write", 40)]
}

fn text() -> DumpText {
    DumpText::new(Text::new().paths(Paths::default().relative_to("/home/me/app")))
}

/// All there is.
fn all() -> RawTaskDump {
    let thread = PollingThread::elsewhere(Some("worker".into()), Some(4711));
    dump(vec![
        task(1, 7_500_000, Ok(2)).with_name("accept"),
        task(2, 300, Ok(0)).with_name("conn \u{1b}[31m").with_parent(id(1)),
        task(3, 4_200, Ok(1)).with_parent(id(1)),
        task(4, 4_200, Ok(0)).with_parent(id(1)),
        state(5, TaskState::NeverPolled, 100, Err(NoTrace::NeverPolled)),
        state(8, TaskState::NeverPolled, 200, Err(NoTrace::NeverPolled)),
        state(9, TaskState::NeverPolled, 200, Err(NoTrace::NeverPolled)),
        state(10, TaskState::Polling(thread), 14_000, Err(NoTrace::NotPolled)).with_name("the culprit"),
        state(11, TaskState::Woken, 2_000, Err(NoTrace::NotPolled)),
        state(12, TaskState::Finished, 0, Err(NoTrace::Over)).with_parent(id(3)),
        task(13, 0, Err(NoTrace::NotAsked)),
    ])
    .with_registered(1_200)
    .with_uncounted(120, 40)
    .with_alive(1_040_000)
}

#[test]
fn grouped() {
    let (dump, trees) = (all(), trees());
    assert_snapshot!(text().grouped(TaskTrees::new(&dump, &trees)).to_string());
}

#[test]
fn full() {
    let (dump, trees) = (all(), trees());
    assert_snapshot!(text().full(TaskTrees::new(&dump, &trees)).to_string());
}

#[test]
fn as_a_tree() {
    let (dump, trees) = (all(), trees());
    assert_snapshot!(text().tree(TaskTrees::new(&dump, &trees)).to_string());
}

#[test]
fn as_a_tree_in_ascii() {
    let (dump, trees) = (all(), trees());
    let text = DumpText::new(Text::new().glyphs(Glyphs::Ascii));
    let printed = text.tree(TaskTrees::new(&dump, &trees)).to_string();
    assert!(printed.is_ascii(), "{printed}");
    assert_snapshot!(printed);
}

#[test]
fn as_json() {
    let (dump, trees) = (all(), trees());
    let json = TaskTrees::new(&dump, &trees).to_json(true);
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["version"], bw_render::json::VERSION);
    assert_eq!(value["tasks"].as_array().unwrap().len(), 11);
    for task in value["tasks"].as_array().unwrap() {
        assert!(task["trace"].is_null() != task["no_trace"].is_null(), "{task}");
    }
    assert_snapshot!(json);
}

#[test]
fn folded() {
    let (dump, trees) = (all(), trees());
    assert_snapshot!(TaskTrees::new(&dump, &trees).folded(Detail::User).to_string());
}

#[test]
fn folded_whole() {
    let (dump, trees) = (all(), trees());
    assert_snapshot!(TaskTrees::new(&dump, &trees).folded(Detail::Full).to_string());
}

#[test]
fn a_task_that_waits_twice_in_a_function_is_folded_once() {
    let at = |address, line| waits(&[user(10, "run", 20), user(address, "fetch", line)], 50);
    let trees = vec![
        hand_built::tree(vec![at(21, 30), at(22, 31), at(23, 30)]),
        hand_built::tree(vec![waits(&[user(10, "run", 20)], 50)]),
        hand_built::tree(Vec::new()),
    ];
    let dump = dump(vec![task(1, 0, Ok(0)), task(2, 0, Ok(1)), task(3, 0, Ok(0)), task(4, 0, Ok(2))]);
    assert_eq!(
        TaskTrees::new(&dump, &trees).folded(Detail::User).to_string(),
        "async fn app::run 1\nasync fn app::run;async fn app::fetch 2\n(no stack) 1"
    );
}

#[test]
fn hostile_names_do_not_end_a_folded_frame_or_line() {
    let name = "[u8; 4]\nfake 1\u{1b}[31m\u{202e}";
    let mut nameless = (*hand_built::physical(0x30, &[])).clone();
    nameless.module.as_mut().unwrap().path = "/lib/a;b\n.so".into();
    let trees = vec![hand_built::tree(vec![hand_built::stack(vec![
        hand_built::physical(0x20, &[(name, name, "a.rs", 1)]),
        Arc::new(nameless),
    ])])];
    let dump = dump(vec![task(1, 0, Ok(0))]);
    assert_eq!(
        TaskTrees::new(&dump, &trees).folded(Detail::User).to_string(),
        r"[u8\u{3b} 4]\u{a}fake 1\u{1b}[31m\u{202e};a\u{3b}b\u{a}.so+0x2f 1"
    );
}

#[test]
fn what_changed() {
    let trees = trees();
    let older = dump(vec![task(1, 100, Ok(0)), task(2, 100, Ok(2)), task(3, 100, Ok(2))]);
    let mut polled = task(2, 0, Ok(2)).status().clone();
    polled.polls += 1;
    let polled = TaskRecord::new(id(2), SpawnedAt::new("a.rs", 1, 1), polled).with_trace(Ok(2));
    let newer =
        dump(vec![polled, task(3, 100, Ok(2)), task(4, 0, Ok(0)), task(5, 0, Ok(1)).with_name("late")]);
    let (older, newer) = (TaskTrees::new(&older, &trees), TaskTrees::new(&newer, &trees));
    let difference = newer.since(&older, &Text::new());
    let ids = |tasks: &[TaskRecord]| tasks.iter().map(|task| task.id().get()).collect::<Vec<_>>();
    assert_eq!(ids(difference.new_tasks()), [4, 5]);
    assert_eq!(ids(difference.gone()), [1]);
    assert_eq!(ids(difference.unpolled()), [3]);
    assert_eq!(difference.grown().len(), 1);
    assert_snapshot!(difference.to_string());
    assert_eq!(ids(&difference.grown()[0].joined), [4, 5]);
    assert_snapshot!("what_changed_as_json", pretty(&difference.to_json()));
    let nothing = older.since(&older, &Text::new()).to_string();
    assert!(nothing.contains("0 tasks new") && !nothing.contains("from "), "{nothing}");
}

fn pretty(json: &str) -> String {
    assert_eq!(json.lines().count(), 1);
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(value["version"], bw_render::json::VERSION);
    serde_json::to_string_pretty(&value).unwrap()
}

#[test]
fn thousands_of_idle_tasks_are_one_line_of_what_changed_and_a_stuck_one_is_named() {
    let thread = || PollingThread::elsewhere(Some("worker \u{1b}[31m".into()), Some(4711));
    let stuck = |millis| {
        vec![
            state(9_001, TaskState::Polling(thread()), millis, Err(NoTrace::NotPolled)).with_name("culprit"),
            state(9_002, TaskState::Woken, millis, Err(NoTrace::NotPolled)).with_name("waits for a worker"),
        ]
    };
    let idle = |millis| (1..=4_000).map(move |number| task(number, millis + number, Ok(0)));
    let older = dump(idle(1_000).chain(stuck(500)).collect());
    let newer = dump(idle(6_000).chain(stuck(5_500)).collect());
    let trees = trees();
    let difference = TaskTrees::new(&newer, &trees).since(&TaskTrees::new(&older, &trees), &Text::new());
    assert_eq!((difference.unpolled().len(), difference.grown().len()), (4_002, 0));
    assert_snapshot!(difference.to_string());
    let json: serde_json::Value = serde_json::from_str(&difference.to_json()).unwrap();
    assert_eq!(json["unpolled"][0]["ids"], serde_json::json!([9_001]));
    assert_eq!(json["unpolled"][2]["count"], 4_000);
    assert_eq!(json["unpolled"][2]["ids"].as_array().unwrap().len(), 10);
}

#[test]
fn what_grew_says_who_came_and_where_they_were_spawned() {
    let older = dump(vec![task(1, 100, Ok(0)), task(2, 100, Ok(2))]);
    let newer = dump(vec![
        task(1, 5_000, Ok(0)),
        // From another group, and two new ones.
        task(2, 10, Ok(0)).with_name("moved"),
        task(4, 300, Ok(0)),
        task(5, 200, Ok(1)).with_name("late \u{202e}"),
        // Two more that are being polled print the same, on threads of their own.
        state(
            6,
            TaskState::Polling(PollingThread::elsewhere(Some("a".into()), None)),
            70,
            Err(NoTrace::NotPolled),
        ),
        state(
            9,
            TaskState::Polling(PollingThread::elsewhere(Some("b".into()), None)),
            90,
            Err(NoTrace::NotPolled),
        ),
    ]);
    let trees = trees();
    let text = Text::new().paths(Paths::default().relative_to("/home/me/app"));
    let difference = TaskTrees::new(&newer, &trees).since(&TaskTrees::new(&older, &trees), &text);
    let grown: Vec<_> = difference.grown().iter().map(|it| (it.before, it.after, it.joined.len())).collect();
    assert_eq!(grown, [(1, 4, 3), (0, 2, 2)]);
    assert_eq!(difference.grown()[0].spawned_at.len(), 2);
    assert_snapshot!(difference.to_string());
}

#[test]
fn a_dump_that_recorded_nothing_says_so_loudly() {
    let dump = dump(Vec::new()).with_alive(1_040);
    let printed = text().grouped(TaskTrees::new(&dump, &[])).to_string();
    assert!(printed.contains("NO TASK IS TRACED of 1,040 tasks alive"), "{printed}");
}

#[test]
fn the_order_in_which_traces_arrived_does_not_matter() {
    let (tasks, mut trees) = (all(), trees());
    let other = |trace| match trace {
        Ok(trace) => Ok(2 - u32::try_from(trace).unwrap()),
        Err(reason) => Err(reason),
    };
    let turned = tasks.tasks().iter().map(|task| task.clone().with_trace(other(task.trace()))).collect();
    let turned = dump(turned).with_registered(1_200).with_uncounted(120, 40).with_alive(1_040_000);
    let print = |dump: &RawTaskDump, trees: &[Tree]| {
        let trees = TaskTrees::new(dump, trees);
        [
            text().grouped(trees).to_string(),
            text().full(trees).to_string(),
            text().tree(trees).to_string(),
            trees.to_json(false),
            trees.folded(Detail::User).to_string(),
        ]
    };
    let before = print(&tasks, &trees);
    trees.reverse();
    assert_eq!(print(&turned, &trees), before);
}

#[test]
fn circles_of_parents_are_printed_once_each() {
    let dump = dump(vec![
        task(1, 0, Ok(0)).with_name("a").with_parent(id(2)),
        task(2, 0, Ok(0)).with_name("b").with_parent(id(1)),
        task(3, 0, Ok(0)).with_name("c").with_parent(id(3)),
        task(4, 0, Ok(0)).with_name("d").with_parent(id(99)),
        task(5, 0, Ok(0)).with_name("e").with_parent(id(1)),
    ]);
    let trees = trees();
    let printed = text().tree(TaskTrees::new(&dump, &trees)).to_string();
    for name in ["a", "b", "c", "d", "e"] {
        assert_eq!(printed.matches(&format!("\"{name}\"")).count(), 1, "{printed}");
    }
}

#[test]
fn a_chain_of_ten_thousand_tasks_is_printed_in_linear_space() {
    let tasks = (1..=10_000).map(|n| {
        let task = task(n, 0, Ok(0));
        if n == 1 { task } else { task.with_parent(id(n - 1)) }
    });
    let (dump, trees) = (dump(tasks.collect()), trees());
    let printed = text().tree(TaskTrees::new(&dump, &trees)).to_string();
    assert!(printed.len() < 10_000 * 1_000, "{}", printed.len());
    assert!(printed.contains("task 10000:"));
}

#[test]
fn tasks_whose_trees_are_missing_have_no_trace() {
    let dump = all();
    let printed = text().grouped(TaskTrees::new(&dump, &[])).to_string();
    assert!(printed.contains("no trace"), "{printed}");
    let _: Arc<str> = TaskTrees::new(&dump, &[]).to_json(false).into();
}

#[test]
fn the_warnings_are_those_of_the_summary() {
    let (dump, trees) = (all(), trees());
    let text = text();
    let warnings = text.warnings(TaskTrees::new(&dump, &trees)).to_string();
    let printed = text.grouped(TaskTrees::new(&dump, &trees)).to_string();
    let (summary, _) = printed.split_once("\n\n").unwrap();
    assert!(warnings.starts_with("traced ") && warnings.contains("\npartial: "), "{warnings}");
    assert_eq!(summary.split_once('\n').unwrap().1, warnings);
    let silent = RawTaskDump::new(SystemTime::UNIX_EPOCH, Duration::ZERO, vec![task(1, 0, Ok(0))], vec![]);
    let answered = RawTrace::from_stacks([([1], StackFlags::default())]);
    assert!(text.warnings(TaskTrees::new(&silent, &[])).to_string().contains("partial"));
    let quiet =
        RawTaskDump::new(SystemTime::UNIX_EPOCH, Duration::ZERO, vec![task(1, 0, Ok(0))], vec![answered]);
    assert_eq!(text.warnings(TaskTrees::new(&quiet, &[])), StyledText::new());
}

#[test]
fn the_body_of_a_group_is_what_stands_below_its_heading() {
    let (dump, trees) = (all(), trees());
    let text = text();
    let (trees, settings) =
        (TaskTrees::new(&dump, &trees), Text::new().paths(Paths::default().relative_to("/home/me/app")));
    let groups = trees.groups(&settings);
    let printed = text.grouped(trees).to_string();
    let mut bodies = 0;
    for (group, paragraph) in groups.iter().zip(printed.split("\n\n").skip(1)) {
        let body = text.body(&groups, group);
        assert!(!body.is_empty() && paragraph.ends_with(&format!("\n{body}")), "{paragraph}\n--\n{body}");
        bodies += 1;
    }
    assert_eq!(bodies, groups.iter().len());
}

#[test]
fn json_has_the_tree_as_a_person_sees_it() {
    let twice = waits(&[user(10, "run", 20), user(21, "read", 30)], 50);
    let trees = vec![hand_built::tree(vec![twice.clone(), twice])];
    let dump = dump(vec![task(1, 0, Ok(0))]);
    let json =
        Json::new().paths(Paths::short().relative_to("/home/me/app")).render(TaskTrees::new(&dump, &trees));
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let trace = &value["traces"][0];
    let shown: Vec<_> = trace["user"]["nodes"].as_array().unwrap().iter().collect();
    let names = shown.iter().map(|node| {
        let index = usize::try_from(node["node"].as_u64().unwrap()).unwrap();
        trace["nodes"][index]["function"].as_str().unwrap()
    });
    assert_eq!(names.collect::<Vec<_>>(), ["async fn app::run", "async fn app::read"]);
    assert_eq!((&shown[1]["parent"], &shown[1]["count"]), (&0.into(), &2.into()));
    let hidden = usize::try_from(trace["user"]["hidden"].as_u64().unwrap()).unwrap();
    assert_eq!(hidden + shown.len(), trace["nodes"].as_array().unwrap().len());
    assert_eq!(value["tasks"][0]["spawned_at"]["file"], "src/main.rs");
    assert!(!json.contains("/home/me"), "{json}");
}

#[test]
fn a_group_names_each_of_its_names_once_and_not_all() {
    let tasks = (1..=40).map(|n| task(n, 0, Ok(0)).with_name(format!("name {}", n / 3)));
    let (dump, trees) = (dump(tasks.collect()), trees());
    let value: serde_json::Value =
        serde_json::from_str(&TaskTrees::new(&dump, &trees).to_json(false)).unwrap();
    let names = value["groups"][0]["names"].as_array().unwrap().iter();
    let names: Vec<_> = names.map(|name| name.as_str().unwrap()).collect();
    assert_eq!(names, (0..10).map(|n| format!("name {n}")).collect::<Vec<_>>());
    assert_eq!(value["groups"][0]["ids"].as_array().unwrap().len(), 10);
    assert_eq!(value["groups"][0]["spawned_at"].as_array().unwrap().len(), 3);
}

#[test]
fn a_list_has_a_line_for_each_task_and_nothing_hostile() {
    let (dump, text) = (all(), text());
    let list = text.list(&dump).to_string();
    let mut lines = list.lines();
    let sum = lines.next().unwrap();
    assert!(
        sum.starts_with("11 tasks: ") && sum.ends_with("; 1,189 more do not pass the filter or came later"),
        "{sum}"
    );
    assert_eq!(lines.next(), Some(""));
    let lines: Vec<_> = lines.collect();
    assert_eq!(lines.len(), 11);
    assert_eq!(
        lines[1],
        r#"task 2 "conn \u{1b}[31m": suspended for 0.3 s, polled 2,000 times, 1 min 0 s old, spawned at src/main.rs:12:5, child of 1"#
    );

    let json = text.list_json(&dump);
    assert!(json.starts_with(r#"{"format":"backtrace-waker task list","version":1,"taken_at":"#), "{json}");
    assert!(!json.contains('\u{1b}') && json.contains(r#""file":"src/main.rs""#), "{json}");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["tasks_registered"], &json["tasks_alive"]), (&1_200.into(), &1_040_000.into()));
    assert_eq!(json["tasks"].as_array().unwrap().len(), 11);
    assert_eq!(json["tasks"][7]["thread"]["id"], 4711);
}

#[test]
fn one_task_is_printed_with_its_tree_or_why_there_is_none() {
    let (dump, trees, text) = (all(), trees(), text());
    let trees = TaskTrees::new(&dump, &trees);
    let one = |at: usize| text.task(trees, &dump.tasks()[at]).to_string();
    let waits = one(0);
    assert!(waits.starts_with("task 1 \"accept\": suspended for 2 h 5 min, "), "{waits}");
    assert!(waits.contains("\n╼ async fn app::run at src/main.rs:20:5\n"), "{waits}");
    let silent = one(7);
    assert!(silent.starts_with("task 10 \"the culprit\": being polled for"), "{silent}");
    assert!(silent.ends_with("a debugger shows where)"), "{silent}");
}

#[test]
fn paths_are_whole_where_somebody_wants_them_whole() {
    let (dump, trees) = (all(), trees());
    let trees = TaskTrees::new(&dump, &trees);
    let printed = |text: Text| {
        let text = DumpText::new(text);
        [text.list(&dump).to_string(), text.list_json(&dump), text.full(trees).to_string()]
    };
    for text in printed(Text::new().paths(Paths::default().relative_to("/home/me/app"))) {
        assert!(!text.contains("/home/me") && text.contains("src/main.rs"), "{text}");
    }
    for text in printed(Text::new().paths(Paths::full())) {
        assert_eq!(
            text.matches("src/main.rs").count(),
            text.matches("/home/me/app/src/main.rs").count(),
            "{text}"
        );
    }
}

const STD: &str = "/rustc/0123/library/std/src/thread.rs";

fn in_libc() -> Arc<bw_symbolize::PhysicalFrame> {
    let mut frame = (*hand_built::physical(7, &[("clock_nanosleep", "clock_nanosleep", "", 0)])).clone();
    frame.module = Some(bw_symbolize::ModuleOffset::new("/usr/lib/libc.so.6", 7));
    frame.frames[0].location = None;
    Arc::new(frame)
}

/// The stack of a thread that blocks goes up to where it began, through the executor and outer tasks. Of that, a tree has what the
/// innermost poll has called.
fn blocked(name: &str, line: u32) -> Tree {
    let outer = hand_built::root();
    let poll = hand_built::root();
    let mut blocked = hand_built::stack(vec![
        user(4, "main", 60),
        outer,
        user(3, "of_another_task", 50),
        poll,
        user(2, name, line),
        hand_built::physical(5, &[("std::thread::sleep", "std::thread::sleep", STD, 9)]),
        hand_built::physical(6, &[("std::sys::inner", "std::sys::inner", STD, 8)]),
        in_libc(),
    ]);
    blocked.flags.blocked = true;
    hand_built::tree(vec![blocked])
}

#[test]
fn polls_that_hold_a_thread_come_first_and_a_blocked_one_shows_where() {
    let on = |number| {
        let thread = PollingThread::elsewhere(Some("worker".into()), Some(number));
        TaskState::Polling(thread)
    };
    let dump = dump(vec![
        task(1, 90_000, Ok(2)),
        state(2, on(100), 600, Ok(0)),
        state(3, on(101), 900, Ok(0)),
        state(4, on(102), 700, Ok(1)),
        state(5, on(103), 999, Err(NoTrace::NotPolled)),
        state(6, on(104), 1_000, Err(NoTrace::NotPolled)),
    ]);
    let trees = [blocked("read_file", 30), blocked("write_file", 40), trees().remove(2)];
    let trees = TaskTrees::new(&dump, &trees);
    assert_snapshot!(text().grouped(trees).to_string());
    let tree = text().tree(trees).to_string();
    assert!(tree.contains("2 tasks being polled for 0.6 s to 0.9 s on 2 threads: 2, 3"), "{tree}");
    assert!(tree.contains("std::thread::sleep at std/src/thread.rs:9:5 (blocks its thread)"), "{tree}");
    assert!(!tree.contains("inner") && !tree.contains("nanosleep"), "{tree}");
    assert!(!tree.contains("of_another_task") && !tree.contains("main at"), "{tree}");
}

#[test]
fn a_task_that_is_over_is_not_printed_as_if_it_were_stuck() {
    let (dump, trees) = (all(), trees());
    let printed = text().grouped(TaskTrees::new(&dump, &trees)).to_string();
    let over = printed.find("1 task finished: ").unwrap();
    assert!(printed[over..].contains("\n(finished while the dump was taken, "), "{printed}");
    assert!(!printed.contains("it is over") && !printed[over..].contains(" suspended"), "{printed}");
}

/// As the dump's own poll left them: cured, finished, and polled by an earlier request.
fn polled_late() -> RawTaskDump {
    let late = |number, of: TaskState, millis, since_request, trace| {
        let record = state(number, of, millis, trace);
        let mut status = record.status().clone();
        status.since_request = Some(Duration::from_millis(since_request));
        TaskRecord::new(record.id(), record.spawned_at().clone(), status).with_trace(trace)
    };
    dump(vec![
        late(1, TaskState::Suspended, 3_700, 0, Ok(0)).with_name("cured"),
        late(2, TaskState::Finished, 3_700, 0, Err(NoTrace::Over)).with_name("evict"),
        late(5, TaskState::Finished, 9_000, 0, Err(NoTrace::Over)).with_name("evict"),
        late(8, TaskState::Finished, 300, 0, Err(NoTrace::Over)).with_name("busy"),
        late(3, TaskState::Suspended, 5_700, 2_000, Ok(2)).with_name("asked before"),
        late(4, TaskState::Panicked, 2_000, 0, Err(NoTrace::Over)),
        task(6, 4_000_000, Ok(2)),
    ])
}

#[test]
fn the_age_of_a_task_that_the_dump_polled_is_not_the_age_of_its_place() {
    let (dump, trees) = (polled_late(), trees());
    let trees = TaskTrees::new(&dump, &trees);
    assert_snapshot!(text().grouped(trees).to_string());
    let full = text().full(trees).to_string();
    assert!(full.contains("\"cured\": suspended for 3.7 s until this dump polled it, polled"), "{full}");
    assert!(
        full.contains("\"asked before\": suspended for 3.7 s until a request polled it, 2.0 s ago, polled"),
        "{full}"
    );
    let json: serde_json::Value = serde_json::from_str(&trees.to_json(false)).unwrap();
    let since: Vec<_> =
        json["tasks"].as_array().unwrap().iter().map(|task| task["since_request_s"].as_f64()).collect();
    assert_eq!(since[..3], [Some(0.0), Some(0.0), Some(2.0)]);
}

#[test]
fn tasks_that_finished_in_the_dumps_poll_are_listed_below_what_is_stuck() {
    let (dump, trees) = (polled_late(), trees());
    let printed = text().grouped(TaskTrees::new(&dump, &trees)).to_string();
    let at = |words: &str| printed.find(words).unwrap_or_else(|| panic!("{words:?} is not in\n{printed}"));
    let late = at(
        "2 tasks finished when this dump polled them, 3.7 s to 9.0 s after their last polls: \"evict\" (2, 5)",
    );
    assert!(printed[late..].contains("\n(woken at that moment, or its wake had been lost)"), "{printed}");
    assert!(late > at("1 task suspended for 3.7 s until this dump polled it: 1 \"cured\""), "{printed}");
    assert!(at("1 task finished: 8 \"busy\"") > late, "{printed}");
    at("1 task panicked when this dump polled it, 2.0 s after its last poll: 4");
}

#[test]
fn a_brief_is_the_end_of_the_first_path_or_why_there_is_none() {
    let (dump, trees) = (all(), trees());
    let (text, settings) = (text(), Text::new().paths(Paths::default().relative_to("/home/me/app")));
    let groups = TaskTrees::new(&dump, &trees).groups(&settings);
    for group in groups.iter() {
        let (brief, body) = (text.brief(&groups, group).to_string(), text.body(&groups, group).to_string());
        match group.no_trace() {
            // Said as in the text, without what is around it.
            Some(NoTrace::Over) => assert_eq!(format!("({brief})"), body),
            Some(_) => assert_eq!(format!("(no trace: {brief})"), body),
            None => {
                let (path, place) = brief.split_once("  ").unwrap();
                let leaf = path.split(" +").next().unwrap().rsplit(" › ").next().unwrap();
                assert!(body.contains(&format!("{leaf} at ")), "{brief}\n{body}");
                assert!(body.contains(place), "{brief}\n{body}");
            }
        }
    }
}
