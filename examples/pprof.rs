//! A process that writes where its tasks wait as a profile, for `go tool pprof` and what else reads pprof.
//!
//! `cargo run --release --example pprof -- FILE`, and then `go tool pprof -top FILE`. With `--addresses` behind it there are no
//! names in the file: whoever reads it finds them by build id, or in the program.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use backtrace_waker::{Pprof, RawDumpFile, TaskDump, TracedExt};
use tokio::sync::Mutex;

/// Waits for what somebody else holds.
async fn sell(stock: Arc<Mutex<u32>>) {
    *stock.lock().await -= 1;
}

/// Waits for two things at once.
async fn answer(stock: Arc<Mutex<u32>>) {
    tokio::join!(sell(stock), refresh());
}

async fn refresh() {
    tokio::time::sleep(Duration::from_secs(3600)).await;
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let stock = Arc::new(Mutex::new(7));
    let held = Arc::clone(&stock).lock_owned().await;
    for _ in 0..3 {
        tokio::spawn(sell(Arc::clone(&stock)).traced_as("seller"));
    }
    tokio::spawn(answer(Arc::clone(&stock)).traced_as("answer"));
    let unborn = refresh().traced_as("never spawned");

    let dump = settled().await;
    let mut arguments = std::env::args_os().skip(1);
    let path = arguments.next().map_or_else(|| std::env::temp_dir().join("tasks.pb.gz"), PathBuf::from);
    let profile = if arguments.any(|argument| argument == "--addresses") {
        let file = RawDumpFile::of_this_process(dump.raw());
        dump.trees().to_pprof(&Pprof::new(file.process(), file.modules()).symbols(false))
    } else {
        dump.to_pprof()
    };
    std::fs::write(&path, profile)?;
    println!("wrote {} tasks; to see them: go tool pprof -top {}", dump.raw().tasks().len(), path.display());

    drop((held, unborn));
    Ok(())
}

/// A dump after everything has come to wait.
async fn settled() -> TaskDump {
    loop {
        let dump = TaskDump::take().await;
        let tasks = dump.raw().tasks();
        if tasks.iter().all(|task| task.status().polls > 0 || task.name() == Some("never spawned")) {
            return dump;
        }
        tokio::task::yield_now().await;
    }
}
