//! A tokio program whose tasks wait for each other in known ways. A test looks at it from outside.
//!
//! It prints a line for each finding that is right: its kind, and the ids of the tasks in it. Tasks of other lines have no finding.

use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{Barrier, Mutex, MutexGuard, OwnedMutexGuard, RwLock, Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

const LONG: Duration = Duration::from_secs(86_400);

type Lock = Arc<Mutex<u32>>;

fn lock() -> Lock {
    Arc::new(Mutex::new(0))
}

/// Spawns a task that has its own id.
fn spawn<F: Future<Output = ()> + Send + 'static>(future: F) -> (u64, JoinHandle<()>) {
    let handle = tokio::spawn(future);
    let id = handle.id().to_string().parse().expect("ids are numbers");
    (id, handle)
}

fn say(kind: &str, tasks: &[u64]) {
    let tasks: Vec<String> = tasks.iter().map(u64::to_string).collect();
    println!("{kind} {}", tasks.join(","));
}

async fn transfers(from: Lock, to: Lock, met: Arc<Barrier>) {
    let mut source = from.lock().await;
    met.wait().await;
    let mut target = to.lock().await; // @transfers
    *source -= 1;
    *target += 1;
}

/// Tasks in a ring, each of which waits for the lock of the next.
fn ring(length: usize) {
    let locks: Vec<Lock> = (0..length).map(|_| lock()).collect();
    let met = Arc::new(Barrier::new(length));
    let tasks = (0..length).map(|at| {
        let next = locks[(at + 1) % length].clone();
        spawn(transfers(locks[at].clone(), next, met.clone())).0
    });
    say("deadlock", &tasks.collect::<Vec<_>>());
}

async fn locks_twice(lock: Lock) {
    let first = lock.lock().await;
    let second = lock.lock().await; // @locks_twice
    drop((first, second));
}

async fn upgrades(lock: Arc<RwLock<u32>>, met: Arc<Barrier>) {
    let read = lock.read().await;
    met.wait().await;
    let write = lock.write().await; // @upgrades
    drop((read, write));
}

/// The first example of Oxide's RFD 609.
async fn futurelock(lock: Lock) {
    let mut first = Box::pin(works(lock.clone()));
    tokio::select! {
        () = &mut first => {}
        () = sleep(Duration::from_millis(50)) => works(lock).await, // @futurelock
    }
}

async fn works(lock: Lock) {
    let guard = lock.lock().await;
    drop(guard);
}

struct Holder<'l> {
    guard: Option<MutexGuard<'l, u32>>,
}

enum Stored {
    Owned(OwnedMutexGuard<u32>),
    Nothing,
}

/// Where a guard is while its task waits.
async fn holds_in_places(place: u32, own: Lock, other: Lock, met: Arc<Barrier>) {
    match place {
        0 => {
            let pair = (own.lock().await, 1_u64);
            met.wait().await;
            *other.lock().await += pair.0.wrapping_add(1);
        }
        1 => {
            let stored = Stored::Owned(own.lock_owned().await);
            met.wait().await;
            *other.lock().await += 1;
            if let Stored::Owned(guard) = stored {
                drop(guard);
            }
        }
        2 => {
            let boxed = Box::new(own.lock_owned().await);
            met.wait().await;
            *other.lock().await += **boxed;
        }
        3 => {
            let shared = Arc::new(own.lock_owned().await);
            met.wait().await;
            *other.lock().await += **shared;
        }
        _ => {
            let mut holder = Holder { guard: None };
            holder.guard = Some(own.lock().await);
            met.wait().await;
            *other.lock().await += holder.guard.as_deref().copied().unwrap_or(0);
        }
    }
}

const PLACES: u32 = 5;

/// What a task did with a guard before it waits: it does not hold it any more.
async fn let_go(how: u32, own: Lock, other: Lock, met: Arc<Barrier>, to: mpsc::Sender<OwnedMutexGuard<u32>>) {
    match how {
        0 => {
            let guard = own.lock().await;
            drop(guard);
            met.wait().await;
            *other.lock().await += 1;
        }
        1 => {
            let guard = own.clone().lock_owned().await;
            let _ = to.send(guard).await;
            met.wait().await;
            *other.lock().await += 1;
        }
        2 => {
            let mut kept = Some(own.lock().await);
            drop(kept.take());
            met.wait().await;
            *other.lock().await += 1;
            drop(kept);
        }
        _ => {
            let mut stored = Stored::Owned(own.clone().lock_owned().await);
            if let Stored::Owned(guard) = std::mem::replace(&mut stored, Stored::Nothing) {
                let _ = to.send(guard).await;
            }
            met.wait().await;
            *other.lock().await += 1;
            drop(stored);
        }
    }
}

const WAYS_TO_LET_GO: u32 = 4;

fn broken() {
    ring(2);
    ring(3);
    say("deadlock", &[spawn(locks_twice(lock())).0]);
    let (shared, met) = (Arc::new(RwLock::new(0)), Arc::new(Barrier::new(2)));
    let tasks = [0, 1].map(|_| spawn(upgrades(shared.clone(), met.clone())).0);
    say("deadlock", &tasks);
    for place in 0..PLACES {
        let (first, second, met) = (lock(), lock(), Arc::new(Barrier::new(2)));
        let one = spawn(holds_in_places(place, first.clone(), second.clone(), met.clone())).0;
        let two = spawn(transfers(second, first, met)).0;
        say("deadlock", &[one, two]);
    }
    let (first, met) = (lock(), Arc::new(Barrier::new(2)));
    let (sender, joined) = oneshot::channel::<JoinHandle<()>>();
    let waits = spawn({
        let (first, met) = (first.clone(), met.clone());
        async move {
            let guard = first.lock().await;
            met.wait().await;
            if let Ok(handle) = joined.await {
                let _ = handle.await; // @joins
            }
            drop(guard);
        }
    });
    let joined = spawn(async move {
        met.wait().await;
        drop(first.lock().await); // @joined
    });
    let _ = sender.send(joined.1);
    say("deadlock", &[waits.0, joined.0]);
    let contended = lock();
    spawn({
        let contended = contended.clone();
        async move {
            let guard = contended.lock().await;
            sleep(Duration::from_millis(200)).await;
            drop(guard);
        }
    });
    say(
        "futurelock",
        &[spawn(async move {
            tokio::task::yield_now().await;
            futurelock(contended).await;
        })
        .0],
    );
    say("missed-wake", &[spawn(misses_its_wake(Arc::new(AtomicU32::new(UNPOLLED)))).0]);
}

const UNPOLLED: u32 = 0;
const POLLED: u32 = 1;

/// Waits for a number that another thread changes once it was looked at, and without a wake.
async fn misses_its_wake(number: Arc<AtomicU32>) {
    let changed = number.clone();
    std::thread::spawn(move || {
        while changed.load(Ordering::SeqCst) == UNPOLLED {
            std::thread::yield_now();
        }
        changed.store(POLLED + 1, Ordering::SeqCst);
    });
    let mut is_first = true;
    poll_fn(|_| {
        let is_ready = number.swap(POLLED, Ordering::SeqCst) > POLLED && !is_first;
        is_first = false;
        if is_ready { Poll::Ready(()) } else { Poll::Pending }
    })
    .await; // @misses_its_wake
}

async fn blocks_its_thread() {
    std::thread::sleep(LONG);
}

/// Tasks that wait for locks, and would go on if the others did.
fn sound() {
    for how in 0..WAYS_TO_LET_GO {
        let (first, second, met) = (lock(), lock(), Arc::new(Barrier::new(2)));
        let (sender, mut kept) = mpsc::channel(4);
        spawn(let_go(how, first.clone(), second.clone(), met.clone(), sender));
        // It holds both, waits for neither, and has what the other let go.
        spawn(async move {
            let guard = second.lock().await;
            met.wait().await;
            let moved = if how % 2 == 1 { kept.recv().await } else { None };
            pending::<()>().await;
            drop((guard, moved));
        });
        // It waits for what was let go: nobody has it, or the one that sleeps.
        spawn(async move {
            sleep(Duration::from_millis(20)).await;
            drop(first.lock().await);
        });
    }
    // In a ring, but with a timeout, or another way out.
    let (first, second, met) = (lock(), lock(), Arc::new(Barrier::new(2)));
    spawn(with_way_out(first.clone(), second.clone(), met.clone()));
    spawn(with_way_out(second, first, met));
    // Readers, and a writer behind them.
    let shared = Arc::new(RwLock::new(0));
    for _ in 0..3 {
        let shared = shared.clone();
        spawn(async move {
            let guard = shared.read().await;
            pending::<()>().await;
            drop(guard);
        });
    }
    spawn(async move {
        sleep(Duration::from_millis(20)).await;
        *shared.write().await += 1;
    });
    // Each holds one of two permits that the other needs, and a third task holds the rest: either may let go.
    let permits = [Arc::new(Semaphore::new(2)), Arc::new(Semaphore::new(2))];
    let met = Arc::new(Barrier::new(3));
    for at in [0, 1] {
        let (own, other, met) = (permits[at].clone(), permits[1 - at].clone(), met.clone());
        spawn(async move {
            let one = own.acquire_owned().await;
            met.wait().await;
            let both = other.acquire_owned().await;
            drop((one, both));
        });
    }
    spawn(async move {
        let rest = (permits[0].acquire().await, permits[1].acquire().await);
        met.wait().await;
        pending::<()>().await;
        drop(rest);
    });
    spawn(pending_in_boxes(3));
}

fn pending_in_boxes(depth: u32) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        match depth {
            0 => pending().await,
            _ => pending_in_boxes(depth - 1).await,
        }
    })
}

async fn with_way_out(own: Lock, other: Lock, met: Arc<Barrier>) {
    let guard = own.lock().await;
    met.wait().await;
    tokio::select! {
        mut both = other.lock() => *both += *guard,
        () = sleep(LONG) => {}
    }
}

/// Two tasks that take the same two locks all the time, in one order.
fn busy() {
    let (first, second) = (lock(), lock());
    for _ in 0..4 {
        let (first, second) = (first.clone(), second.clone());
        spawn(async move {
            loop {
                let one = first.lock().await;
                tokio::task::yield_now().await;
                let two = second.lock().await;
                tokio::task::yield_now().await;
                drop((one, two));
            }
        });
    }
}

/// Tasks that block their threads, of which all but one may.
fn blocking() {
    say("blocked-thread", &[spawn(blocks_its_thread()).0]);
    spawn(async { tokio::task::block_in_place(|| std::thread::sleep(LONG)) });
    tokio::task::spawn_blocking(|| std::thread::sleep(LONG));
}

/// Two tasks that wait for each other again and again, and each time give up soon.
fn impatient() {
    let (first, second) = (lock(), lock());
    for (own, other) in [(first.clone(), second.clone()), (second, first)] {
        spawn(async move {
            loop {
                let guard = own.lock().await;
                sleep(Duration::from_millis(2)).await;
                let _ = timeout(Duration::from_millis(300), other.lock()).await;
                drop(guard);
                sleep(Duration::from_millis(1)).await;
            }
        });
    }
}

/// Runs until its standard input ends.
pub(crate) fn run(with: &str) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(3).enable_all().build()?;
    println!("findings");
    runtime.block_on(async {
        if with == "broken" {
            broken();
        }
        if with == "busy" {
            busy();
        }
        if with == "impatient" {
            impatient();
        }
        if with == "blocking" {
            blocking();
        }
        sound();
    });
    println!("ready");
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    runtime.shutdown_background();
    Ok(())
}
