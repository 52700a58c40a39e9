//! Real tasks that wait in real places: what generated dumps have their stacks from.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use bw_core::{RawTaskDump, Registry};
use tokio::sync::{Mutex, Notify, Semaphore, mpsc, oneshot};

const LONG: Duration = Duration::from_secs(3600);

async fn sleep() {
    tokio::time::sleep(LONG).await;
}

async fn lock(shared: Arc<Mutex<u32>>) {
    *shared.lock().await += 1;
}

async fn handle(shared: Arc<Mutex<u32>>) {
    lock(shared).await;
}

async fn receive(mut messages: mpsc::Receiver<u32>) {
    while messages.recv().await.is_some() {}
}

async fn answer(question: oneshot::Receiver<u32>) {
    let _ = question.await;
}

async fn both(notify: Arc<Notify>) {
    tokio::join!(notify.notified(), sleep());
}

async fn either(notify: Arc<Notify>) {
    tokio::select! {
        () = notify.notified() => {}
        () = sleep() => {}
    }
}

async fn permit(semaphore: Arc<Semaphore>) {
    let _ = semaphore.acquire().await;
}

/// A dump of one task of each kind.
pub(crate) fn dump() -> std::io::Result<RawTaskDump> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let registry = Registry::new();
    Ok(runtime.block_on(async {
        let (shared, notify) = (Arc::new(Mutex::new(0)), Arc::new(Notify::new()));
        let held = shared.lock().await;
        let (sender, messages) = mpsc::channel(1);
        let (asker, question) = oneshot::channel();
        tokio::spawn(registry.tracer().trace(sleep()));
        tokio::spawn(registry.tracer().trace(handle(Arc::clone(&shared))));
        tokio::spawn(registry.tracer().trace(receive(messages)));
        tokio::spawn(registry.tracer().trace(answer(question)));
        tokio::spawn(registry.tracer().trace(both(Arc::clone(&notify))));
        tokio::spawn(registry.tracer().trace(either(Arc::clone(&notify))));
        tokio::spawn(registry.tracer().trace(permit(Arc::new(Semaphore::new(0)))));
        tokio::spawn(registry.tracer().trace(pending::<()>()));
        tokio::task::yield_now().await;
        let dump = registry.dump().await;
        drop((held, sender, asker));
        dump
    }))
}
