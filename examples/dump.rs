//! All tasks of a program at once: in groups, as a tree, and what changed since.
//!
//! `cargo run --example dump`; with `-- --json` the same as JSON.

use std::time::Duration;

use backtrace_waker::{TaskDump, TaskRecord, TracedExt};
use futures::stream::{self, FuturesUnordered, StreamExt};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

/// Asks several backends at once, and waits for the first to answer.
async fn fan_out() -> u32 {
    let mut backends: FuturesUnordered<_> = (0..3).map(|n| ask_backend(n).traced()).collect();
    backends.next().await.unwrap_or_default()
}

async fn ask_backend(_n: u32) -> u32 {
    tokio::time::sleep(Duration::from_secs(3600)).await;
    0
}

/// Waits for its children, which run as tasks of their own.
async fn supervise() {
    let mut workers = JoinSet::new();
    let permits: &'static Semaphore = Box::leak(Box::new(Semaphore::new(0)));
    for _ in 0..4 {
        workers.spawn(work(permits).traced_as("worker"));
    }
    while workers.join_next().await.is_some() {}
}

async fn work(permits: &Semaphore) {
    let _permit = permits.acquire().await;
}

/// Downloads two at a time.
async fn download_all() {
    let pages = stream::iter(0..10).map(|page| download(page).traced()).buffer_unordered(2);
    pages.for_each(async |()| {}).await;
}

async fn download(_page: u32) {
    tokio::time::sleep(Duration::from_secs(3600)).await;
}

async fn listen(mut messages: mpsc::Receiver<u32>) {
    while messages.recv().await.is_some() {}
}

#[tokio::main]
async fn main() {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(fan_out().traced_as("fan out"));
    tokio::spawn(supervise().traced_as("supervisor"));
    tokio::spawn(download_all().traced_as("downloads"));
    tokio::spawn(listen(receiver).traced_as("listener"));
    let unborn = std::future::ready(()).traced_as("never spawned");

    // Not traced: it is only counted among those that are alive.
    tokio::spawn(download(0));
    let first = settled().await;
    if std::env::args().nth(1).as_deref() == Some("--json") {
        println!("{}", first.trees().to_json(true));
        return;
    }
    println!("{first}");
    println!("\n--- as a tree\n\n{}", first.tree());

    drop((sender, unborn));
    for _ in 0..2 {
        tokio::spawn(download(11).traced_as("late"));
    }
    let second = settled().await;
    println!("\n--- what changed\n\n{}", second.since(&first));
}

/// A dump after everything that runs has come to wait.
async fn settled() -> TaskDump {
    loop {
        let dump = TaskDump::take().alive_in(&Handle::current()).await;
        let polled = |task: &TaskRecord| task.status().polls > 0 || task.name() == Some("never spawned");
        let gone = |task: &TaskRecord| task.status().state.is_over();
        if dump.raw().tasks().iter().all(|task| polled(task) && !gone(task)) && dump.raw().tasks().len() > 10
        {
            return dump;
        }
        tokio::task::yield_now().await;
    }
}
