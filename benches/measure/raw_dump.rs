//! A dump of 100,000 tasks to a raw dump file, after the capture: modules listed, file created, written and closed.

use std::fs::File;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bw_core::{RawTaskDump, Registry, TaskState, TraceHandle, TracedTask};
use bw_dump::RawDumpFile;

use crate::Sampler;

/// How many tasks there are.
pub const TASKS: usize = 100_000;

/// Writes a dump of [`TASKS`] suspended tasks of four kinds, most with a name, to a new file each time.
///
/// # Panics
///
/// When the file cannot be written, or what was written is not read as what it was.
#[must_use]
pub fn sampler() -> Sampler {
    let dump = dump();
    let path = Scratch::new();
    write(&dump, &path.0).expect("the folder for temporary files can be written to");
    let read = RawDumpFile::read(File::open(&path.0).expect("it was written")).expect("a whole file");
    let (tasks, traces) = (read.dump().tasks(), read.dump().traces());
    assert!(tasks.len() == TASKS && tasks.iter().all(|task| task.trace().is_ok()) && traces.len() >= 3);
    Box::new(move |times| {
        (0..times)
            .map(|_| {
                // A new file, as it is in earnest; giving the old one's memory back is not a part of it.
                path.remove();
                let start = Instant::now();
                write(&dump, &path.0).expect("it worked before");
                start.elapsed()
            })
            .sum::<Duration>()
    })
}

fn write(dump: &RawTaskDump, path: &Path) -> io::Result<()> {
    RawDumpFile::of_this_process(dump).write(File::create(path)?)
}

fn dump() -> RawTaskDump {
    let registry = Registry::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime without I/O needs nothing");
    runtime.block_on(async {
        let mut last = None;
        for number in 0..TASKS {
            last = Some(match number % 4 {
                0 => spawn(registry.traced(sleep())),
                1 => spawn(registry.traced_as("connection", both())),
                2 => spawn(registry.traced_as(format!("session {number}"), notified())),
                _ => spawn(registry.traced_as("worker", sleep())),
            });
        }
        // In the order they were spawned; until the last was polled.
        while last.as_ref().is_some_and(|last| last.state() == TaskState::NeverPolled) {
            tokio::task::yield_now().await;
        }
        registry.dump().deadline(Duration::from_secs(60)).await
    })
}

fn spawn<F: Future<Output = ()> + Send + 'static>(
    (task, handle): (TracedTask<F>, TraceHandle),
) -> TraceHandle {
    tokio::spawn(task);
    handle
}

async fn sleep() {
    tokio::time::sleep(Duration::from_secs(3600)).await;
}

async fn notified() {
    tokio::sync::Notify::new().notified().await;
}

async fn both() {
    tokio::join!(sleep(), notified());
}

/// A file that is gone when this is.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("bw-raw-dump-{}.json", std::process::id())))
    }

    fn remove(&self) {
        // It may not be there yet.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.remove();
    }
}
