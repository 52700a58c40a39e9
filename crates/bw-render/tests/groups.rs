//! Tasks that wait at the same places are one group, however the optimizer laid out the code and whatever was polled first.

// Functions that tests call are no tests to clippy.
#![allow(clippy::unwrap_used)]

mod hand_built;

use std::time::{Duration, SystemTime};

use bw_core::{RawTaskDump, RawTrace, SpawnedAt, TaskId, TaskRecord, TaskState, TaskStatus};
use bw_render::{Detail, DumpText, Paths, TaskTrees, Text, Tree};
use bw_symbolize::SymbolizedStack;
use hand_built::*;

/// The three arms of a `select!`, first polled the one that is told. Of each copy of the arms, the code lies elsewhere, and in
/// another order.
fn select(first: usize, copy: usize) -> Vec<SymbolizedStack> {
    let arm = |arm: usize| {
        let (name, line) = [("read", 30), ("write", 40), ("flush", 50)][arm];
        let at = 100 + copy * 10 + (arm + copy) % 3;
        waits(&[user(10, "serve", 20), user(at, "request", 25), user(at + 100, name, line)], 50)
    };
    (0..3).map(|n| arm((first + n) % 3)).collect()
}

fn dump(traces: Vec<Vec<SymbolizedStack>>) -> (RawTaskDump, Vec<Tree>) {
    let spawned_at = SpawnedAt::new("src/main.rs", 10, 5);
    let task = |number: u32| {
        let status = TaskStatus::new(TaskState::Suspended);
        TaskRecord::new(TaskId::from_u64(u64::from(number) + 1).unwrap(), spawned_at.clone(), status)
            .with_trace(Ok(number))
    };
    let tasks = (0..u32::try_from(traces.len()).unwrap()).map(task).collect();
    let raw = traces.iter().map(|_| RawTrace::from_stacks(std::iter::empty::<(Vec<usize>, _)>())).collect();
    let dump = RawTaskDump::new(SystemTime::UNIX_EPOCH, Duration::ZERO, tasks, raw);
    (dump, traces.into_iter().map(tree).collect())
}

fn text() -> Text {
    Text::new().paths(Paths::default().relative_to("/home/me/app"))
}

#[test]
fn two_hundred_tasks_of_one_select_whose_arms_were_copied_are_one_group() {
    let (dump, trees) = dump((0..200).map(|task| select(task % 3, task % 7)).collect());
    let trees = TaskTrees::new(&dump, &trees);
    for detail in [Detail::User, Detail::Library] {
        let text = text().detail(detail);
        assert_eq!(trees.groups(&text).iter().len(), 1, "{}", DumpText::new(text).grouped(trees));
    }
}

#[test]
fn since_invents_no_moves_where_a_select_rotated() {
    let (before, old) = dump((0..200).map(|task| select(task % 3, 0)).collect());
    let (after, new) = dump((0..200).map(|task| select((task + 1) % 3, 1 + task % 5)).collect());
    let difference = TaskTrees::new(&after, &new).since(&TaskTrees::new(&before, &old), &text());
    assert!(difference.grown().is_empty(), "{difference}");
}

/// Two arms that look alike, but for what is below: the order of that decides.
#[test]
fn siblings_are_ordered_by_what_they_are_and_then_by_what_is_below_them() {
    for copy in 0..3 {
        let printed = tree(select(copy, copy)).to_string();
        let at = |name: &str| printed.find(&format!("app::{name} ")).unwrap();
        assert!(at("read") < at("write") && at("write") < at("flush"), "{printed}");
    }
}

/// In fat LTO, code of one function need not stand in the order of its source, nor functions of one file.
#[test]
fn branches_of_join_come_in_the_order_of_the_source_and_not_of_the_code() {
    let branch = |address, name, line| waits(&[user(10, "run", 20), user(address, name, line)], 50);
    let printed = tree(vec![branch(12, "zebra", 30), branch(11, "ant", 40)]).to_string();
    assert!(printed.find("zebra").unwrap() < printed.find("ant").unwrap(), "{printed}");
}
