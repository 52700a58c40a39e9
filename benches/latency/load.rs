//! Requests at a constant rate, whether the earlier ones were answered or not.

use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::task::JoinSet;

use crate::percentiles::Percentiles;

/// A client with its pool of connections, and what it asks for how often.
pub(crate) struct Load {
    client: Client<HttpConnector, Empty<Bytes>>,
    uri: hyper::Uri,
    interval: Duration,
}

impl Load {
    /// Opens a few connections, so that the first requests do not pay for that.
    pub(crate) async fn connect(address: &str, rate: u32) -> Result<Self, String> {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let uri = format!("http://{address}/sell").parse().map_err(|_| format!("no address: {address}"))?;
        let load = Self { client, uri, interval: Duration::from_secs(1) / rate };
        let mut first = JoinSet::new();
        for _ in 0..32 {
            first.spawn(request(load.client.clone(), load.uri.clone()));
        }
        if first.join_all().await.contains(&false) {
            return Err("the server does not answer".into());
        }
        Ok(load)
    }

    /// Sends requests for so long, and waits for the answers of all.
    pub(crate) async fn run(&mut self, time: Duration) -> Percentiles {
        let mut requests = JoinSet::new();
        let began = Instant::now();
        let mut meant = began;
        while meant.duration_since(began) < time {
            // Those that are late are sent at once, and count as late.
            tokio::time::sleep_until(meant.into()).await;
            let request = request(self.client.clone(), self.uri.clone());
            requests.spawn(async move { request.await.then(|| meant.elapsed()) });
            meant += self.interval;
        }
        let answers = requests.join_all().await;
        let errors = answers.iter().filter(|answer| answer.is_none()).count();
        Percentiles::new(answers.into_iter().flatten().collect(), errors)
    }
}

/// Tells whether it was answered, and well.
async fn request(client: Client<HttpConnector, Empty<Bytes>>, uri: hyper::Uri) -> bool {
    match client.get(uri).await {
        Ok(response) if response.status().is_success() => response.into_body().collect().await.is_ok(),
        _ => false,
    }
}
