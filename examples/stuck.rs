//! A plain tokio program in which nothing moves any more, for `backtrace-waker dump PID` and `backtrace-waker diagnose PID`. It has no wrapper,
//! no agent and no dependency of this project.
//!
//! ```text
//! cargo run -p examples --example stuck -- deadlock
//! ```
//!
//! The program prints its process number and then waits until it is killed. [`docs/operating.md`] shows what the command says of it.
//!
//! [`docs/operating.md`]: ../docs/operating.md

use std::future::poll_fn;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::{Arc, Mutex as StdMutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::sync::{Barrier, Mutex, Semaphore, mpsc};
use tokio::time::sleep;

const LONG: Duration = Duration::from_secs(86_400);

type Ledger = Arc<Mutex<u64>>;

/// Takes two locks. Another task takes them in the other order.
async fn transfer(from: Ledger, to: Ledger, both_have_one: Arc<Barrier>) {
    let mut source = from.lock().await;
    both_have_one.wait().await;
    let mut target = to.lock().await;
    *source -= 1;
    *target += 1;
}

fn deadlock() {
    let (checking, savings) = (Ledger::default(), Ledger::default());
    let both_have_one = Arc::new(Barrier::new(2));
    tokio::spawn(transfer(checking.clone(), savings.clone(), both_have_one.clone()));
    tokio::spawn(transfer(savings, checking, both_have_one));
}

/// Waits for a lock that its own future `update` was given, while nobody polls that future.
async fn refresh(ledger: Ledger) {
    let mut update = pin!(ledger.lock());
    tokio::select! {
        _ = &mut update => {}
        () = sleep(Duration::from_millis(20)) => {
            *ledger.lock().await += 1;
        }
    }
}

fn futurelock() {
    let ledger = Ledger::default();
    let other = ledger.clone();
    tokio::spawn(async move {
        let _held = other.lock().await;
        sleep(Duration::from_millis(100)).await;
    });
    tokio::spawn(async move {
        sleep(Duration::from_millis(10)).await;
        refresh(ledger).await;
    });
}

/// An event with room for one waker.
#[derive(Default)]
struct Event(StdMutex<(bool, Option<Waker>)>);

impl Event {
    async fn happened(&self) {
        poll_fn(|context| {
            let mut event = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            if event.0 {
                return Poll::Ready(());
            }
            // Of two tasks that wait, the waker of the first is forgotten.
            event.1 = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn happen(&self) {
        let mut event = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        event.0 = true;
        if let Some(waker) = event.1.take() {
            waker.wake();
        }
    }
}

async fn subscriber(event: Arc<Event>) {
    event.happened().await;
    sleep(LONG).await;
}

fn lost_wake() {
    let event = Arc::new(Event::default());
    tokio::spawn(subscriber(event.clone()));
    tokio::spawn(subscriber(event.clone()));
    tokio::spawn(async move {
        sleep(Duration::from_millis(50)).await;
        event.happen();
    });
}

/// Blocks its thread, and with it all tasks that this thread would poll.
async fn charge_card() {
    std::thread::sleep(LONG);
}

fn blocked_thread() {
    tokio::spawn(charge_card());
}

async fn query(pool: Arc<Semaphore>) {
    let _connection = pool.acquire().await;
    sleep(LONG).await;
}

fn exhausted_pool() {
    let pool = Arc::new(Semaphore::new(2));
    for _ in 0..5 {
        tokio::spawn(query(pool.clone()));
    }
}

async fn worker(mut orders: mpsc::Receiver<u32>) {
    while let Some(order) = orders.recv().await {
        println!("order {order}");
    }
}

/// The sender is kept by nobody who could use it.
fn leak() {
    let (orders, receiver) = mpsc::channel(1);
    tokio::spawn(worker(receiver));
    std::mem::forget(orders);
}

const WAYS: [(&str, fn()); 6] = [
    ("deadlock", deadlock),
    ("futurelock", futurelock),
    ("lost-wake", lost_wake),
    ("blocked-thread", blocked_thread),
    ("exhausted-pool", exhausted_pool),
    ("leak", leak),
];

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let chosen = std::env::args().nth(1);
    let Some((_, begin)) = WAYS.iter().find(|(name, _)| Some(*name) == chosen.as_deref()) else {
        let names: Vec<&str> = WAYS.iter().map(|(name, _)| *name).collect();
        eprintln!("error: name one of the ways to be stuck: {}", names.join(", "));
        return ExitCode::from(2);
    };
    begin();
    println!("{}", std::process::id());
    sleep(LONG).await;
    ExitCode::SUCCESS
}
