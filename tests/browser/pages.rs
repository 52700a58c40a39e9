//! Writes the pages that `ci/browser` opens: `pages FOLDER`.

mod dumps;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use backtrace_waker::{TaskDump, TracedExt};
use bw_core::RawTaskDump;
use bw_render::{Escaped, Html, Paths, TaskTrees, Tree, html};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

/// As many as the page has to bear.
const MANY: u64 = 100_000;

fn main() {
    let folder = PathBuf::from(std::env::args().nth(1).expect("usage: pages FOLDER"));
    std::fs::create_dir_all(&folder).expect("a folder to write to");
    let (small, trees) = dumps::small();
    write(&folder, "small", &small, &trees);
    let later = dumps::later(&small);
    write(&folder, "later", &later, &trees);
    let (late, late_trees) = dumps::polled_late();
    write(&folder, "late", &late, &late_trees);
    let (hostile, trees) = dumps::hostile();
    write(&folder, "hostile", &hostile, &trees);
    let (none, trees) = dumps::none();
    write(&folder, "none", &none, &trees);
    let (large, trees) = dumps::large(MANY);
    let began = Instant::now();
    let page = TaskTrees::new(&large, &trees).to_html();
    println!("large: {} tasks, {} bytes, written in {:?}", large.tasks().len(), page.len(), began.elapsed());
    write(&folder, "large", &large, &trees);
    write_text(&folder, "real.html", &real().to_html());
    write_text(&folder, "live.html", html::live_page());
    write_text(&folder, "policy.txt", html::CSP);
    let escaped = ('\0'..=char::MAX).filter(|c| Escaped(&c.to_string()).to_string() != c.to_string());
    let numbers: Vec<_> = escaped.map(|c| u32::from(c).to_string()).collect();
    write_text(&folder, "escaped.txt", &numbers.join("\n"));
}

fn write(folder: &Path, name: &str, dump: &RawTaskDump, trees: &[Tree]) {
    let page = Html::new()
        .subject(dumps::SUBJECT)
        .paths(Paths::default().relative_to(dumps::ROOT))
        .render(TaskTrees::new(dump, trees));
    write_text(folder, &format!("{name}.html"), &page);
}

fn write_text(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("a file that can be written");
}

/// A dump of this process: workers that wait for a lock, children of a `JoinSet`, and one that blocks its thread.
fn real() -> TaskDump {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let (release, blocked) = std::sync::mpsc::channel::<()>();
    let dump = runtime.block_on(async {
        let stock: &'static Mutex<u32> = Box::leak(Box::new(Mutex::new(3)));
        let held = stock.lock().await;
        tokio::spawn(supervise(stock).traced_as("supervisor"));
        tokio::spawn(heartbeat().traced_as("heartbeat"));
        tokio::spawn(wedge(blocked).traced_as("wedged"));
        // Until all are where they will stay.
        let dump = loop {
            let dump = TaskDump::take().timeout(Duration::from_millis(200)).await;
            let is_polled = |task: &&backtrace_waker::TaskRecord| task.status().state.name() == "polling";
            if dump.raw().tasks().len() == 7 && dump.raw().tasks().iter().filter(is_polled).count() == 1 {
                break dump;
            }
            tokio::task::yield_now().await;
        };
        drop(held);
        dump
    });
    drop(release);
    dump
}

async fn supervise(stock: &'static Mutex<u32>) {
    let mut sellers = JoinSet::new();
    for _ in 0..3 {
        sellers.spawn(sell(stock).traced_as("seller"));
    }
    while sellers.join_next().await.is_some() {}
}

async fn sell(stock: &Mutex<u32>) {
    *stock.lock().await -= 1;
}

async fn heartbeat() {
    loop {
        tokio::time::timeout(
            Duration::from_secs(7_200),
            tokio::time::sleep(Duration::from_secs(3_600)).traced(),
        )
        .await
        .ok();
    }
}

/// Blocks its thread, as nobody should.
async fn wedge(blocked: std::sync::mpsc::Receiver<()>) {
    let _ = blocked.recv();
}
