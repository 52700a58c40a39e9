//! A web service to be asked, and to be wedged.
//!
//! It prints `pid PID` and its address, one a line, and then serves until ^C. While it runs, ask it where its tasks wait:
//!
//! ```sh
//! cargo run --release --example service
//! backtrace-waker ps
//! backtrace-waker dump PID
//! curl 'http://127.0.0.1:PORT/wedge?ms=20000'     # blocks a worker thread of its runtime; ask again meanwhile
//! ```
//!
//! Two lines make it answer: the agent in `main`, and the layer around the routes. Background tasks are traced with
//! `.traced_as("name")` before they are spawned.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use backtrace_waker::TracedExt;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, broadcast, mpsc};
use tokio::task::JoinSet;

type Error = Box<dyn std::error::Error + Send + Sync>;

const HELP: &str = "\
/mutex          waits for a mutex that the auditor holds
/channel        waits for a message that is never sent
/timer?ms=N     waits for a timer
/wedge?ms=N     blocks its worker thread
/debug/async/   where everything waits, answered on this runtime; the agent has it on a socket of its own
";

/// What the handlers share.
#[derive(Clone)]
struct App {
    ledger: Arc<Mutex<u64>>,
    prices: broadcast::Sender<u64>,
}

#[derive(serde::Deserialize)]
struct Wait {
    #[serde(default = "Wait::ten_seconds")]
    ms: u64,
}

impl Wait {
    fn ten_seconds() -> u64 {
        10_000
    }
}

async fn mutex(State(app): State<App>) -> String {
    let entries = app.ledger.lock().await;
    format!("{entries} entries\n")
}

async fn channel(State(app): State<App>) -> String {
    let mut prices = app.prices.subscribe();
    prices.recv().await.map_or("no more prices\n".into(), |price| format!("the price is {price}\n"))
}

async fn timer(Query(wait): Query<Wait>) -> String {
    tokio::time::sleep(Duration::from_millis(wait.ms)).await;
    format!("waited for {} ms\n", wait.ms)
}

/// The mistake: an async function must not block, for other tasks wait for its thread.
async fn wedge(Query(wait): Query<Wait>) -> String {
    compute_report(Duration::from_millis(wait.ms));
    format!("blocked a thread for {} ms\n", wait.ms)
}

fn compute_report(time: Duration) {
    std::thread::sleep(time);
}

/// Holds the ledger all day long.
async fn audit(ledger: Arc<Mutex<u64>>) {
    let mut entries = ledger.lock().await;
    loop {
        tokio::time::sleep(Duration::from_secs(3600)).await;
        *entries += 1;
    }
}

/// Sends what it is given; today nobody gives it anything.
async fn send_mail(mut outbox: mpsc::Receiver<String>) {
    while let Some(mail) = outbox.recv().await {
        println!("{mail}");
    }
}

/// Four workers, and somebody who waits for all of them.
async fn index() {
    let mut shards = JoinSet::new();
    for shard in 0..4 {
        shards.spawn(index_shard().traced_as(format!("shard {shard}")));
    }
    while shards.join_next().await.is_some() {}
}

async fn index_shard() {
    let mut ticks = tokio::time::interval(Duration::from_millis(500));
    loop {
        ticks.tick().await;
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let agent = bw_agent::start_or_warn();

    let app = App { ledger: Arc::new(Mutex::new(0)), prices: broadcast::Sender::new(1) };
    let (_mailbox, outbox) = mpsc::channel(16);
    tokio::spawn(audit(Arc::clone(&app.ledger)).traced_as("auditor"));
    tokio::spawn(send_mail(outbox).traced_as("mailer"));
    tokio::spawn(index().traced_as("indexer"));

    let router = Router::new()
        .route("/", get(async || HELP))
        .route("/mutex", get(mutex))
        .route("/channel", get(channel))
        .route("/timer", get(timer))
        .route("/wedge", get(wedge))
        .with_state(app)
        .layer(bw_agent::TraceRequests::new())
        .merge(bw_agent::router());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("pid {}", std::process::id());
    println!("http://{}", listener.local_addr()?);

    tokio::select! {
        served = axum::serve(listener, router) => served?,
        _ = tokio::signal::ctrl_c() => {}
    }
    agent.stop();
    Ok(())
}
