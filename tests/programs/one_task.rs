//! Prints a dump of one task that waits. For a test that strips it first.

use backtrace_waker::{TaskDump, TracedExt};

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        tokio::spawn(waits().traced_as("waits"));
        tokio::task::yield_now().await;
        println!("{}", TaskDump::take().await);
    });
}

async fn waits() {
    tokio::time::sleep(std::time::Duration::from_secs(3_600)).await;
}
