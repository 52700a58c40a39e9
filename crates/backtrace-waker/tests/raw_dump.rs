//! A dump that went through a file says what it says in its own process.
#![cfg(any(target_os = "linux", target_os = "android"))]

use std::time::Duration;

use backtrace_waker::bw_symbolize::SymbolSources;
use backtrace_waker::{DumpText, Paths, RawDumpFile, Registry, Symbolizer, TaskTrees, Text};

async fn waits() {
    tokio::join!(tokio::time::sleep(Duration::from_secs(3600)), std::future::pending::<()>());
}

#[tokio::test]
async fn a_dump_that_was_written_and_read_prints_as_in_its_own_process() {
    let registry = Registry::new();
    let task = registry.tracer().named("waits").trace(waits());
    let handle = task.handle();
    let task = tokio::spawn(task);
    let unborn = registry.tracer().trace(waits());
    handle.capture().await.expect("it waits");

    let dump = registry.dump().await;
    let mut file = Vec::new();
    RawDumpFile::of_this_process(dump.raw()).write_gzip(&mut file).expect("memory takes everything");
    let read = RawDumpFile::read(&*file).expect("a whole file");

    let symbolizer = Symbolizer::for_modules(read.modules().clone(), SymbolSources::new());
    let trees = TaskTrees::trees(read.dump(), &symbolizer.symbolize_all(read.dump()));
    let trees = TaskTrees::new(read.dump(), &trees);
    let folder = std::env::current_dir().expect("a folder");
    let text = DumpText::new(Text::new().paths(Paths::default().relative_to(folder.to_string_lossy())));
    assert_eq!(text.grouped(trees).to_string(), dump.to_string());
    #[cfg(feature = "json")]
    assert_eq!(trees.to_json(true), dump.trees().to_json(true));
    assert!(dump.to_string().contains("async fn raw_dump::waits at tests/raw_dump.rs:"), "{dump}");

    task.abort();
    drop(unborn);
}
