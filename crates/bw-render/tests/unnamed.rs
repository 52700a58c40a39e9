//! Traces in which something has no name: the program's functions, all functions, or frames that are missing.

// Functions that tests call are no tests to clippy.
#![allow(clippy::unwrap_used)]

mod hand_built;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bw_core::{
    LeftOut, RawTaskDump, RawTrace, SpawnedAt, StackFlags, TaskId, TaskRecord, TaskState, TaskStatus,
};
use bw_render::{Detail, DumpText, TaskTrees, Text, Tree};
use bw_symbolize::{Frame, Function, ModuleOffset, PhysicalFrame, SymbolizedStack, SymbolizedTrace};
use hand_built::{stack, user, waits};

const TRANSFER: &str = "orders::transfer::{{closure}}";
const BLOCK: &str = "app::main::{{closure}}::{{closure}}";

/// A function of which a symbol table has the name.
fn symbol(address: usize, path: &str) -> Arc<PhysicalFrame> {
    let frame = Frame::new(Some(Function::new(path, path)), None, false);
    let module = ModuleOffset::new("/usr/bin/app", address as u64);
    let address = bw_core::ReturnAddress::new(address).unwrap();
    Arc::new(PhysicalFrame::new(address, Some(module), vec![frame]))
}

const POLL: &str = "bw_core::task::traced_task::poll_attended";
const CLONE: &str = "bw_core::hook::recording_waker::clone";

/// What is left of a stack where all futures were inlined into the wrapper's poll.
fn inlined(between: &[Arc<PhysicalFrame>]) -> SymbolizedStack {
    stack([symbol(1, POLL)].into_iter().chain(between.iter().cloned()).chain([symbol(900, CLONE)]).collect())
}

fn of_task(stacks: Vec<SymbolizedStack>, type_name: &str) -> Tree {
    Tree::of_task(&SymbolizedTrace::new(stacks, 0), Some(type_name))
}

/// Tasks of these types and traces, spawned at one place.
fn dump(types: &[&str], stacks: &[SymbolizedStack]) -> (RawTaskDump, Vec<Tree>) {
    let task = |(number, type_name): (usize, &&str)| {
        let id = TaskId::from_u64(number as u64 + 1).unwrap();
        TaskRecord::new(id, SpawnedAt::new("src/main.rs", 10, 5), TaskStatus::new(TaskState::Suspended))
            .with_type_name(*type_name)
            .with_trace(Ok(u32::try_from(number).unwrap()))
    };
    let tasks = types.iter().enumerate().map(task).collect();
    let raw = stacks.iter().map(|_| RawTrace::from_stacks([(vec![7], StackFlags::default())])).collect();
    let dump = RawTaskDump::new(SystemTime::UNIX_EPOCH, Duration::ZERO, tasks, raw);
    let traces: Vec<_> = stacks.iter().map(|stack| SymbolizedTrace::new(vec![stack.clone()], 0)).collect();
    let trees = TaskTrees::trees(&dump, &traces);
    (dump, trees)
}

#[test]
fn a_task_whose_functions_were_inlined_is_told_by_its_type() {
    let tree = of_task(vec![inlined(&[])], TRANSFER);
    let text = tree.to_string();
    let first = "╼ async fn orders::transfer (the task's type: this function, or an async block in it)\n";
    assert!(text.starts_with(first) && !text.contains("bw_core"), "{text}");
    assert!(text.contains("debug information is missing"), "{text}");
    assert_eq!(Text::new().brief(&tree).to_string(), "orders::transfer (the task's type)");
    let text = of_task(vec![inlined(&[])], BLOCK).to_string();
    assert!(text.starts_with("╼ async block in app::main (the task's type)\n"), "{text}");
}

#[test]
fn what_a_library_waits_in_stands_below_the_type() {
    let sleep = "<tokio::time::sleep::Sleep as core::future::future::Future>::poll";
    let tree = of_task(vec![inlined(&[symbol(10, sleep)])], TRANSFER);
    let text = Text::new().footer(false).render(&tree).to_string();
    assert_eq!(text.lines().nth(1), Some(" └╼ tokio::time::sleep::Sleep"), "{text}");
}

#[test]
fn a_named_function_of_the_program_is_better_than_a_type() {
    let of_table = of_task(vec![inlined(&[symbol(10, "orders::db::query")])], TRANSFER).to_string();
    let of_debug_info = of_task(vec![waits(&[user(10, "run", 20)], 50)], TRANSFER).to_string();
    for text in [of_table, of_debug_info] {
        assert!(!text.contains("task's type"), "{text}");
    }
    // A function of a crate that nobody knows may be a library's.
    let unknown = of_task(vec![inlined(&[symbol(10, "intrusive::list::push")])], TRANSFER).to_string();
    assert!(
        unknown.starts_with("╼ async fn orders::transfer (") && unknown.contains("intrusive::"),
        "{unknown}"
    );
}

#[test]
fn tasks_of_different_types_are_not_grouped_where_nothing_else_tells_them_apart() {
    let stacks = vec![inlined(&[]); 3];
    let (dump, trees) = dump(&[TRANSFER, BLOCK, TRANSFER], &stacks);
    let trees = TaskTrees::new(&dump, &trees);
    let text = DumpText::new(Text::new()).grouped(trees).to_string();
    assert!(text.contains("2 tasks suspended: 1, 3\n") && text.contains("1 task suspended: 2\n"), "{text}");
    let folded = trees.folded(Detail::User).to_string();
    assert_eq!(folded, "async block in app::main 1\nasync fn orders::transfer 2");
    #[cfg(feature = "json")]
    {
        let json = trees.to_json(false);
        assert!(json.contains(r#""types":["orders::transfer::{{closure}}","app::main::"#), "{json}");
        assert!(json.contains(r#""module":null,"offset":null,"address":null"#), "{json}");
        assert_eq!(
            json.matches(r#""of_type":true"#).count(),
            3 * 3,
            "in each tree, and both views of it: {json}"
        );
    }
}

#[test]
fn our_hook_alone_is_no_answer() {
    let text = Tree::new(&SymbolizedTrace::new(vec![inlined(&[])], 0)).to_string();
    assert!(!text.contains("bw_core") && text.contains("1 stack names no function"), "{text}");
    let full = Text::new().detail(Detail::Full);
    let all = full.render(&Tree::new(&SymbolizedTrace::new(vec![inlined(&[])], 0))).to_string();
    assert!(all.contains(CLONE), "{all}");
}

#[test]
fn libraries_without_lines_lack_nothing_where_the_program_has_them() {
    let sleep = "<tokio::time::sleep::Sleep as core::future::future::Future>::poll";
    let frames = vec![symbol(1, POLL), user(10, "run", 20), symbol(11, sleep), symbol(900, CLONE)];
    let text = of_task(vec![stack(frames)], TRANSFER).to_string();
    assert!(!text.contains("debug information"), "{text}");
    let without = of_task(vec![inlined(&[symbol(11, sleep)])], TRANSFER).to_string();
    assert!(without.contains("debug information is missing"), "{without}");
}

/// A recursion, of which frames are missing in the middle.
fn deep() -> SymbolizedStack {
    let levels: Vec<_> = (0..60).map(|n| user(100 + n, "level", 20)).collect();
    let mut deep = waits(&levels, 50);
    deep.flags.left_out = Some(LeftOut::new(32, 1_234));
    deep
}

#[test]
fn frames_that_are_left_out_are_told_and_counted() {
    let tree = Tree::new(&SymbolizedTrace::new(vec![deep()], 0));
    let text = tree.to_string();
    let missing = "… 1,234 frames left out: the stack is deeper than a trace keeps";
    assert_eq!(text.matches(missing).count(), 1, "{text}");
    assert!(!text.contains("callers missing") && text.contains(" more of async fn app::level"), "{text}");
    // 32 are nearest the leaf, two of which are the hook's.
    let (root_end, leaf_end) = text.split_once(missing).unwrap();
    assert!(root_end.contains("… 10 more of") && leaf_end.contains("… 9 more of"), "{text}");
    let full = Text::new().detail(Detail::Full).render(&tree).to_string();
    let lines: Vec<_> = full.lines().collect();
    assert!(lines[31].contains(missing), "{full}");
    #[cfg(all(feature = "json", feature = "html"))]
    {
        let (dump, trees) = dump(&[TRANSFER], &[deep()]);
        let trees = TaskTrees::new(&dump, &trees);
        assert!(trees.to_json(false).contains(r#""left_out":1234"#));
        assert!(trees.to_html().contains("1,234 frames left out: the stack is deeper than a trace keeps"));
    }
}

#[test]
fn a_stack_that_is_too_deep_is_not_said_to_be_lost() {
    let mut cut = waits(&[user(10, "deep", 20)], 50);
    (cut.flags.truncated, cut.flags.too_deep) = (true, true);
    let text = Tree::new(&SymbolizedTrace::new(vec![cut.clone()], 0)).to_string();
    assert!(text.contains("(callers missing: the stack is deeper than a walk goes)"), "{text}");
    assert!(!text.contains("ended before the root"), "{text}");
    #[cfg(feature = "json")]
    {
        let (dump, trees) = dump(&[TRANSFER], &[cut]);
        assert!(TaskTrees::new(&dump, &trees).to_json(false).contains(r#""too_deep":true"#));
    }
}
