//! A web server that is asked where its connections wait.
//!
//! A real axum server on a loopback port, and a real client whose four requests all get stuck: one behind a mutex, one
//! on a channel, one on a timer and one on a socket. Each connection runs in a task of its own, wrapped with
//! [`backtrace_waker::traced`]; that one line in `serve` is all a server needs. Nothing else knows of tracing: not the
//! handlers, not axum, not hyper. Then every handler is let go, and the trees are printed.
//!
//! `cargo run --example server`

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use backtrace_waker::TraceHandle;
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Notify, broadcast, mpsc};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// What the handlers share.
#[derive(Clone)]
struct App {
    stock: Arc<Mutex<u32>>,
    prices: broadcast::Sender<u32>,
    news: Arc<Notify>,
    database: SocketAddr,
    /// Told by a handler that is about to wait, so that this program need not guess when it does.
    about_to_wait: mpsc::UnboundedSender<()>,
}

/// Waits for a mutex that somebody else holds.
async fn sell(State(app): State<App>) -> String {
    let _ = app.about_to_wait.send(());
    let mut stock = app.stock.lock().await;
    *stock -= 1;
    format!("sold one, {stock} left")
}

/// Waits for a message.
async fn next_price(State(app): State<App>) -> String {
    let mut prices = app.prices.subscribe();
    let _ = app.about_to_wait.send(());
    prices.recv().await.map_or("no more prices".into(), |price| format!("the price is {price}"))
}

/// A long poll: waits for news or, an hour at most, for a timer. Its tree has a branch for each.
async fn long_poll(State(app): State<App>) -> &'static str {
    let _ = app.about_to_wait.send(());
    match tokio::time::timeout(Duration::from_secs(3600), app.news.notified()).await {
        Ok(()) => "there is news",
        Err(_) => "no news",
    }
}

/// Waits for a peer that never answers.
async fn report(State(app): State<App>) -> String {
    query(&app).await.unwrap_or_else(|error| format!("the database failed: {error}"))
}

async fn query(app: &App) -> std::io::Result<String> {
    let mut database = TcpStream::connect(app.database).await?;
    let mut answer = String::new();
    let _ = app.about_to_wait.send(());
    database.read_to_string(&mut answer).await?;
    Ok(format!("the database said {answer:?}"))
}

/// Accepts connections and serves each in a traced task, whose handle it hands out.
async fn serve(
    listener: TcpListener,
    router: Router,
    handles: mpsc::UnboundedSender<TraceHandle>,
) -> Result<(), Error> {
    loop {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(router.clone());
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        let (task, handle) = backtrace_waker::traced(connection);
        tokio::spawn(task);
        handles.send(handle)?;
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let database = TcpListener::bind("127.0.0.1:0").await?;
    let (about_to_wait, mut waits) = mpsc::unbounded_channel();
    let app = App {
        stock: Arc::new(Mutex::new(10)),
        prices: broadcast::Sender::new(1),
        news: Arc::new(Notify::new()),
        database: database.local_addr()?,
        about_to_wait,
    };
    let router = Router::new()
        .route("/sell", get(sell))
        .route("/price", get(next_price))
        .route("/news", get(long_poll))
        .route("/report", get(report))
        .with_state(app.clone());

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (handles, mut connections) = mpsc::unbounded_channel();
    let server = tokio::spawn(serve(listener, router, handles));

    // Whoever holds this keeps `sell` waiting.
    let stock = app.stock.lock().await;
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let mut requests = Vec::new();
    for (path, handler) in
        [("/sell", "sell"), ("/price", "next_price"), ("/news", "long_poll"), ("/report", "report")]
    {
        // All earlier ones are still waiting, so the client opens a connection for each request.
        let response = tokio::spawn(client.get(format!("http://{address}{path}").parse()?));
        let handle = connections.recv().await.ok_or("the server is gone")?;
        waits.recv().await.ok_or("the handlers are gone")?;
        // A trace shows the poll after the request for it. The handler is past its last line before the wait, so it waits.
        let tree = handle.backtrace().await?.to_string();
        debug_assert!(tree.contains(handler), "{handler} is missing in\n{tree}");
        requests.push((path, tree, response));
    }

    // Let them all go. Their connections were polled once more than they would have been; that is all they noticed.
    drop(stock);
    app.prices.send(42)?;
    app.news.notify_one();
    drop(database.accept().await?);

    for (path, tree, response) in requests {
        let body = response.await??.into_body().collect().await?.to_bytes();
        println!("GET {path}, answered at last: {}\n{tree}\n", String::from_utf8_lossy(&body));
    }
    server.abort();
    Ok(())
}
