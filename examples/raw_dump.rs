//! A process that writes where its tasks wait to a file, to be symbolized elsewhere: with no debug information at hand, and
//! without reading any.
//!
//! `cargo run --release --example raw_dump -- FILE`, and then `cargo run -p backtrace-waker-cli -- symbolize FILE`. A `FILE` that ends with
//! `.gz` is compressed. Without one, it writes to the folder for temporary files.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use backtrace_waker::{RawDumpFile, TaskDump, TracedExt};
use tokio::sync::{Mutex, Notify, mpsc};
use tokio::task::JoinSet;

/// Waits for messages that do not come.
async fn listen(mut messages: mpsc::Receiver<u32>) {
    while messages.recv().await.is_some() {}
}

/// Waits for what somebody else holds.
async fn sell(stock: Arc<Mutex<u32>>) {
    *stock.lock().await -= 1;
}

/// Waits for two things at once.
async fn answer(news: Arc<Notify>) {
    tokio::join!(news.notified(), refresh());
}

async fn refresh() {
    tokio::time::sleep(Duration::from_secs(3600)).await;
}

/// Waits for its children, which run as tasks of their own.
async fn supervise() {
    let mut workers = JoinSet::new();
    for _ in 0..3 {
        workers.spawn(refresh().traced_as("worker"));
    }
    while workers.join_next().await.is_some() {}
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let stock = Arc::new(Mutex::new(7));
    let held = Arc::clone(&stock).lock_owned().await;
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(listen(receiver).traced_as("listener"));
    for _ in 0..2 {
        tokio::spawn(sell(Arc::clone(&stock)).traced_as("seller"));
    }
    tokio::spawn(answer(Arc::default()).traced());
    tokio::spawn(supervise().traced_as("supervisor"));
    let unborn = std::future::ready(()).traced_as("never spawned");

    let dump = settled().await;
    let file = RawDumpFile::of_this_process(dump.raw());
    let path = std::env::args_os().nth(1).map_or_else(
        || std::env::temp_dir().join(format!("raw_dump-{}.json", std::process::id())),
        PathBuf::from,
    );
    let out = File::create(&path)?;
    if path.extension().is_some_and(|extension| extension == "gz") {
        file.write_gzip(out)?;
    } else {
        file.write(out)?;
    }
    println!("wrote {} tasks to {}", dump.raw().tasks().len(), path.display());
    println!("to print it, here or on another machine: backtrace-waker symbolize {}", path.display());

    drop((held, sender, unborn));
    Ok(())
}

/// A dump after everything has come to wait.
async fn settled() -> TaskDump {
    loop {
        let dump = TaskDump::take().await;
        let waits = |task: &backtrace_waker::TaskRecord| {
            task.status().polls > 0 || task.name() == Some("never spawned")
        };
        if dump.raw().tasks().len() == 9 && dump.raw().tasks().iter().all(waits) {
            return dump;
        }
        tokio::task::yield_now().await;
    }
}
