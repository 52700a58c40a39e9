//! A plain tokio program, for `backtrace-waker dump PID`: it has no wrapper, no agent and no dependency of this project.
//!
//! ```text
//! cargo run -p examples --release --example unprepared
//! ```
//!
//! The program prints its process number and then waits until it is killed. Every task waits for something else.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Notify, RwLock, Semaphore, broadcast, mpsc, oneshot, watch};
use tokio::time::{sleep, timeout};

const LONG: Duration = Duration::from_secs(86_400);

async fn sleeper() {
    nap().await;
}

async fn nap() {
    sleep(LONG).await;
}

async fn locks(mutex: Arc<Mutex<u32>>) {
    *mutex.lock().await += 1;
}

async fn receives(mut orders: mpsc::Receiver<u32>) {
    while let Some(order) = orders.recv().await {
        println!("order {order}");
    }
}

async fn answered(answer: oneshot::Receiver<u32>) -> Option<u32> {
    answer.await.ok()
}

async fn selects(notify: Arc<Notify>) {
    tokio::select! {
        () = notify.notified() => {}
        () = nap() => {}
    }
}

async fn joins(notify: Arc<Notify>, semaphore: Arc<Semaphore>) {
    tokio::join!(nap(), notify.notified(), async { drop(semaphore.acquire().await) });
}

async fn accepts(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(reads(stream));
    }
}

async fn reads(mut stream: TcpStream) {
    let mut buffer = [0; 64];
    while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
}

fn boxed(depth: u32) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        if depth == 0 {
            nap().await;
        } else {
            boxed(depth - 1).await;
        }
    })
}

async fn by_hand() {
    poll_fn(|context| {
        // Keeps the waker as a leaf does, in a place that nobody wakes.
        std::mem::forget(context.waker().clone());
        Poll::<()>::Pending
    })
    .await;
}

#[tokio::main(worker_threads = 2)]
async fn main() -> std::io::Result<()> {
    let mutex = Arc::new(Mutex::new(0));
    let held = mutex.clone().lock_owned().await;
    let shared = Arc::new(RwLock::new(0));
    let read = shared.clone().read_owned().await;
    let (orders, receiver) = mpsc::channel(1);
    let (answer, question) = oneshot::channel();
    let (news, mut reader) = watch::channel(0);
    let (radio, mut listener) = broadcast::channel::<u32>(4);
    let notify = Arc::new(Notify::new());
    let semaphore = Arc::new(Semaphore::new(0));
    let tcp = TcpListener::bind("127.0.0.1:0").await?;
    let address = tcp.local_addr()?;

    tokio::spawn(sleeper());
    tokio::spawn(locks(mutex));
    tokio::spawn(receives(receiver));
    tokio::spawn(answered(question));
    tokio::spawn(selects(notify.clone()));
    tokio::spawn(joins(notify, semaphore));
    tokio::spawn(accepts(tcp));
    tokio::spawn(boxed(3));
    tokio::spawn(by_hand());
    tokio::spawn(async move { *shared.write().await += 1 });
    tokio::spawn(async move { reader.changed().await.is_ok() });
    tokio::spawn(async move { listener.recv().await.ok() });
    let child = tokio::spawn(async { timeout(LONG, nap()).await.is_ok() });
    tokio::spawn(async move { child.await.ok() });
    let client = TcpStream::connect(address).await?;

    println!("{}", std::process::id());
    sleep(LONG).await;
    drop((held, read, orders, answer, news, radio, client));
    Ok(())
}
