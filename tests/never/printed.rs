//! What is printed, by whole programs.

use std::process::Command;

use backtrace_waker::Registry;
use tokio::runtime::Builder;

use crate::harness::{FOREVER, Gate};

#[test]
fn no_dump_records_nothing_and_says_nothing() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let registry = Registry::new();
    let dump = |registry: &Registry| {
        runtime.block_on(async {
            tokio::task::yield_now().await;
            let alive = tokio::runtime::Handle::current().metrics().num_alive_tasks();
            registry.dump().alive(alive).timeout(FOREVER).await
        })
    };
    runtime.spawn(Gate::default());
    runtime.spawn(Gate::default());
    // Nothing was wrapped: loud.
    let nothing = dump(&registry).to_string();
    assert!(nothing.contains("NO TASK IS TRACED of 2 tasks alive"), "{nothing}");
    // Somebody was.
    runtime.spawn(registry.tracer().trace(Gate::default()));
    let one = dump(&registry).to_string();
    assert!(one.contains("traced 1 of 3 tasks alive"), "{one}");
    // A task whose leaf never touched its waker: said, and not left blank.
    runtime.spawn(registry.tracer().named("silent").trace(std::future::pending::<()>()));
    let silent = dump(&registry);
    let raw = silent.raw();
    let task = raw.tasks().iter().find(|task| task.name() == Some("silent")).unwrap();
    assert!(raw.trace_of(task).unwrap().is_empty());
    assert!(
        silent.to_string().contains("no stack: the future returned Pending without cloning its waker"),
        "{silent}"
    );
}

async fn twin() {
    Gate::default().await;
}

async fn other() {
    Gate::default().await;
}

async fn siblings() {
    tokio::join!(other(), twin(), twin(), twin());
}

#[test]
fn identical_siblings_do_not_collapse_nor_does_the_order_differ() {
    let runtime = Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (task, handle) = backtrace_waker::traced(siblings());
        tokio::spawn(task);
        tokio::task::yield_now().await;
        let first = handle.backtrace().await.unwrap();
        assert_eq!(first.raw().stacks().count(), 4);
        let printed = first.to_string();
        assert!(
            printed.contains("twin") && printed.contains("other") && printed.contains("(×3)"),
            "{printed}"
        );
        // Each poll begins with another branch.
        for _ in 0..8 {
            assert_eq!(handle.backtrace().await.unwrap().to_string(), printed);
        }
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_stripped_program_prints_modules_and_offsets() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let stripped = folder.join("one_task_stripped");
    let strip = Command::new("strip").arg("-o").arg(&stripped).arg(env!("CARGO_BIN_EXE_one_task")).output();
    let strip = strip.expect("this test needs `strip`, which comes with the C compiler");
    assert!(strip.status.success(), "{}", String::from_utf8_lossy(&strip.stderr));
    let print = |program: &std::path::Path| {
        let output = Command::new(program).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let whole = print(env!("CARGO_BIN_EXE_one_task").as_ref());
    assert!(whole.contains("async fn one_task::waits"), "{whole}");
    let printed = print(&stripped);
    let offsets = printed.matches("one_task_stripped+0x").count();
    assert!(offsets >= 2 && printed.contains("functions are without names"), "{printed}");
    assert!(printed.contains("async fn one_task::waits (the task's type: "), "{printed}");
    assert!(printed.contains("\"waits\""), "{printed}");
}
