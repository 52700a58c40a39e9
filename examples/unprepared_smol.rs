//! A plain program of smol, for `backtrace-waker dump PID`: it has no wrapper, no agent and no dependency of this project.
//!
//! ```text
//! cargo run -p examples --release --example unprepared_smol
//! ```
//!
//! The program prints its process number and then waits until it is killed. Every task waits for something else.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures::future::{join, select};
use smol::channel::{self, Receiver};
use smol::io::AsyncReadExt;
use smol::lock::{Mutex, RwLock};
use smol::net::{TcpListener, TcpStream};

const LONG: Duration = Duration::from_secs(86_400);

fn start(future: impl Future<Output = ()> + Send + 'static) {
    smol::spawn(future).detach();
}

async fn nap() {
    smol::Timer::after(LONG).await;
}

async fn sleeper() {
    nap().await;
}

async fn locks(mutex: Arc<Mutex<u32>>) {
    *mutex.lock().await += 1;
}

async fn writes(shared: Arc<RwLock<u32>>) {
    *shared.write().await += 1;
}

async fn receives(orders: Receiver<u32>) {
    while let Ok(order) = orders.recv().await {
        println!("order {order}");
    }
}

async fn selects(orders: Receiver<u32>) {
    select(Box::pin(receives(orders)), Box::pin(nap())).await;
}

async fn joins(orders: Receiver<u32>) {
    join(nap(), receives(orders)).await;
}

async fn accepts(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        start(reads(stream));
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

async fn program() -> std::io::Result<()> {
    let mutex = Arc::new(Mutex::new(0));
    let held = mutex.lock_arc().await;
    let shared = Arc::new(RwLock::new(0));
    let read = shared.read().await;
    let (sender, orders) = channel::bounded(1);
    let tcp = TcpListener::bind("127.0.0.1:0").await?;
    let address = tcp.local_addr()?;

    start(sleeper());
    start(locks(mutex));
    start(writes(shared.clone()));
    start(receives(orders.clone()));
    start(selects(orders.clone()));
    start(joins(orders));
    start(accepts(tcp));
    start(boxed(3));
    start(by_hand());
    let child = smol::spawn(nap());
    start(async move {
        child.await;
        println!("the child ended");
    });
    let client = TcpStream::connect(address).await?;

    println!("{}", std::process::id());
    nap().await;
    drop((held, read, sender, client));
    Ok(())
}

fn main() -> std::io::Result<()> {
    smol::block_on(program())
}
