//! The service: nothing in it knows that it is looked at, but for one word in [`serve`].

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use backtrace_waker::TracedExt;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Notify};

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct App {
    news: Arc<Notify>,
    sold: Arc<Mutex<u64>>,
}

impl App {
    pub(crate) fn new() -> Self {
        Self { news: Arc::new(Notify::new()), sold: Arc::new(Mutex::new(0)) }
    }

    /// Lets those go who wait for news.
    pub(crate) fn tell(&self) {
        self.news.notify_waiters();
    }
}

/// What is under load: a lock that all share, and some words.
async fn sell(State(app): State<App>) -> String {
    let mut sold = app.sold.lock().await;
    *sold += 1;
    format!("sold {sold}\n")
}

/// Waits until there is news.
async fn news(State(app): State<App>) -> &'static str {
    let news = app.news.notified();
    news.await;
    "news\n"
}

pub(crate) fn router(app: App) -> Router {
    Router::new().route("/sell", get(sell)).route("/news", get(news)).with_state(app)
}

/// Accepts connections for ever.
pub(crate) async fn serve(listener: TcpListener, router: Router) -> Result<(), String> {
    loop {
        let (stream, _) = listener.accept().await.map_err(|error| format!("accepts no more: {error}"))?;
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        // A connection that the client closes ends with an error, which is nobody's concern.
        tokio::spawn(async move { drop(connection.await) }.traced_as("connection"));
    }
}
