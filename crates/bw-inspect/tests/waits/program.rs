//! A plain tokio program whose tasks wait in many ways. A test looks at it from outside.
//!
//! It prints a line for each task: its id, its name, and the labels of the lines that each of its stacks goes through, root first. A label
//! stands in a comment at the end of its line.

use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use bw_core::TracedExt as _;
use bw_dump::RawDumpFile;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{Barrier, Mutex, Notify, RwLock, Semaphore, broadcast, mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

/// The variable that makes the program wrap its tasks, so that they can be asked as well.
pub(crate) const TRACED: &str = "WAITS_TRACED";

const LONG: Duration = Duration::from_secs(86_400);

async fn nap() {
    sleep(LONG).await; // @nap
}

async fn nap_twice() {
    nap().await; // @nap_twice
    println!("awake");
}

fn boxed(depth: u32) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        match depth {
            0 => nap().await,            // @boxed_end
            _ => boxed(depth - 1).await, // @boxed
        }
    })
}

async fn by_hand() {
    poll_fn(|context| {
        std::mem::forget(context.waker().clone()); // @clone_by_hand
        Poll::<()>::Pending
    })
    .await; // @by_hand
}

/// A future that is ready once its number says so, and that wakes nobody then.
const UNPOLLED: u32 = 0;
const POLLED: u32 = 1;
const HAPPENED: u32 = 2;

async fn loses_its_wake(progress: Arc<AtomicU32>) {
    poll_fn(|_| {
        // Looked at once: the first poll is pending, even if it happens meanwhile.
        match progress.compare_exchange(UNPOLLED, POLLED, Ordering::SeqCst, Ordering::SeqCst) {
            Err(HAPPENED) => Poll::Ready(()),
            _ => Poll::Pending,
        }
    })
    .await;
}

async fn naps_after(progress: Arc<AtomicU32>) {
    loses_its_wake(progress).await;
    nap().await; // @after_lost
}

fn spawn_without_wakes(progress: &[Arc<AtomicU32>; 6]) {
    let [plain, object, pinned, joined, last, panics] = progress.clone();
    spawn("lost", &[&["after_lost", "nap"]], naps_after(plain));
    let object: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(naps_after(object));
    spawn("lost_in_object", &[&["after_lost", "nap"]], object);
    let pinned = Box::pin(naps_after(pinned));
    spawn("lost_in_box", &[&["after_lost", "nap"]], async move {
        pinned.await;
    });
    spawn("lost_in_join", &[&["after_lost", "nap"], &["nap"]], async {
        tokio::join!(naps_after(joined), nap());
    });
    spawn("lost_at_end", &[], loses_its_wake(last));
    spawn("lost_before_panic", &[], async {
        loses_its_wake(panics).await;
        panic!("nobody polls so far");
    });
}

/// Polls that change memory, but go on to nowhere.
fn spawn_busy_waits() {
    let mut polls = 0_u64;
    let counts = poll_fn(move |context| {
        polls += 1;
        std::mem::forget(context.waker().clone()); // @clone_of_counter
        if polls == u64::MAX { Poll::Ready(()) } else { Poll::Pending }
    });
    spawn("counts", &[&["clone_of_counter"]], counts);
    let mut last = Instant::now();
    let stamps = poll_fn(move |context| {
        let since = last.elapsed();
        last = Instant::now();
        std::mem::forget(context.waker().clone()); // @clone_of_stamps
        if since > LONG { Poll::Ready(()) } else { Poll::Pending }
    });
    spawn("stamps", &[&["clone_of_stamps"]], stamps);
}

async fn selects(notify: Arc<Notify>, mut orders: mpsc::Receiver<u32>) {
    tokio::select! {
        () = notify.notified() => {}
        _ = orders.recv() => {}
        () = nap() => {}
    }
}

async fn joins(notify: Arc<Notify>, mutex: Arc<Mutex<u32>>) {
    tokio::join!(
        notify.notified(),
        async {
            drop(mutex.lock().await); // @joined_lock
        },
        async {
            nap_twice().await; // @joined_nap
        },
    );
}

fn spawn<F>(name: &str, stacks: &[&[&str]], future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let task = if std::env::var_os(TRACED).is_some() {
        tokio::spawn(future.traced_as(name.to_owned()))
    } else {
        tokio::spawn(future)
    };
    let stacks: Vec<String> = stacks.iter().map(|labels| labels.join("/")).collect();
    println!("{} {name} {}", task.id(), stacks.join(" "));
    task
}

/// Asks every traced task where it waits, and writes a raw dump to the file that a line on stdin names.
fn dump_when_told() {
    let mut path = String::new();
    if std::io::stdin().read_line(&mut path).is_ok_and(|read| read > 0) {
        let dump = bw_core::Registry::global().dump().blocking();
        let written = std::fs::File::create(path.trim())
            .and_then(|file| RawDumpFile::of_this_process(&dump).write(file));
        println!("{written:?}");
    }
}

/// Runs until it is killed.
#[tokio::main(worker_threads = 2)]
pub(crate) async fn run() -> std::io::Result<()> {
    // Threads that have no runtime, and nothing of one among their thread-local values.
    std::thread::Builder::new().name("a-thread".to_owned()).spawn(|| std::thread::sleep(LONG))?;
    let mutex = Arc::new(Mutex::new(0));
    let held = mutex.clone().lock_owned().await;
    let shared = Arc::new(RwLock::new(0));
    let read = shared.clone().read_owned().await;
    let notify = Arc::new(Notify::new());
    let semaphore = Arc::new(Semaphore::new(0));
    let barrier = Arc::new(Barrier::new(2));
    let (orders, mut receiver) = mpsc::channel::<u32>(1);
    let (full, never_read) = mpsc::channel(1);
    full.try_send(0).map_err(std::io::Error::other)?;
    let (other_orders, selected) = mpsc::channel(1);
    let (answer, question) = oneshot::channel::<u32>();
    let (news, mut reader) = watch::channel(0);
    let (radio, mut listener) = broadcast::channel::<u32>(4);
    let tcp = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(tcp.local_addr()?).await?;
    let (mut server, _) = tcp.accept().await?;
    let udp = UdpSocket::bind("127.0.0.1:0").await?;

    // In a line of its own, whatever stands in front of it.
    println!("\ntasks");
    spawn("sleep", &[&["nap"]], nap());
    spawn("nested", &[&["nap_twice", "nap"]], nap_twice());
    spawn("boxed", &[&["boxed", "boxed", "boxed", "boxed_end", "nap"]], boxed(3));
    spawn("by_hand", &[&["by_hand", "clone_by_hand"]], by_hand());
    spawn("selects", &[&[], &[], &["nap"]], selects(notify.clone(), selected));
    spawn(
        "joins",
        &[&[], &["joined_lock"], &["joined_nap", "nap_twice", "nap"]],
        joins(notify.clone(), mutex.clone()),
    );
    spawn("pending", &[], pending::<()>());
    let locks = async move {
        *mutex.lock().await += 1; // @lock
    };
    spawn("lock", &[&["lock"]], locks);
    let writes = async move {
        *shared.write().await += 1; // @write
    };
    spawn("write", &[&["write"]], writes);
    let acquires = async move {
        drop(semaphore.acquire().await); // @acquire
    };
    spawn("acquire", &[&["acquire"]], acquires);
    let arrives = async move {
        barrier.wait().await.is_leader() // @barrier
    };
    spawn("barrier", &[&["barrier"]], arrives);
    let notified = async move {
        notify.notified().await; // @notified
    };
    spawn("notified", &[&["notified"]], notified);
    let receives = async move {
        while receiver.recv().await.is_some() {} // @recv
    };
    spawn("recv", &[&["recv"]], receives);
    let sends = async move {
        full.send(1).await.is_ok() // @send
    };
    spawn("send", &[&["send"]], sends);
    let answered = async move {
        question.await.ok() // @oneshot
    };
    spawn("oneshot", &[&["oneshot"]], answered);
    let reads_news = async move {
        reader.changed().await.is_ok() // @watch
    };
    spawn("watch", &[&["watch"]], reads_news);
    let hears = async move {
        listener.recv().await.ok() // @broadcast
    };
    spawn("broadcast", &[&["broadcast"]], hears);
    let accepts = async move {
        tcp.accept().await.is_ok() // @accept
    };
    spawn("accept", &[&["accept"]], accepts);
    let reads = async move {
        server.read(&mut [0; 64]).await.is_ok() // @read
    };
    spawn("read", &[&["read"]], reads);
    let reads_packets = async move {
        udp.recv(&mut [0; 64]).await.is_ok() // @udp
    };
    spawn("udp", &[&["udp"]], reads_packets);
    let in_time = async {
        timeout(LONG, nap_twice()).await.is_ok() // @timeout
    };
    // The timer of the timeout, and what it is around.
    let child = spawn("timeout", &[&["timeout", "nap_twice", "nap"], &["timeout"]], in_time);
    let joined = async move {
        child.await.is_ok() // @join_handle
    };
    spawn("join_handle", &[&["join_handle"]], joined);
    let mut set = JoinSet::new();
    set.spawn(nap());
    let joins_all = async move {
        while set.join_next().await.is_some() {} // @join_set
    };
    spawn("join_set", &[&["join_set"]], joins_all);
    let (spawned, has_spawned) = oneshot::channel();
    let spawns = async move {
        let child = spawn("spawned_within", &[&["nap"]], nap());
        let _ = spawned.send(());
        child.await.is_ok() // @spawns
    };
    spawn("spawns", &[&["spawns"]], spawns);
    let _ = has_spawned.await;
    spawn_busy_waits();
    // A capture would poll these on.
    if std::env::var_os(TRACED).is_none() {
        let progress: [Arc<AtomicU32>; 6] = Default::default();
        spawn_without_wakes(&progress);
        for happens in &progress {
            while happens.load(Ordering::SeqCst) != POLLED {
                tokio::task::yield_now().await;
            }
            happens.store(HAPPENED, Ordering::SeqCst);
        }
    }
    tokio::task::spawn_blocking(|| std::thread::sleep(LONG));

    std::thread::spawn(dump_when_told);
    println!("ready");
    sleep(LONG).await;
    drop((held, read, orders, never_read, other_orders, answer, news, radio, client));
    Ok(())
}
