//! What hyper spawns of its own for HTTP/2: a task for each stream of a server, and one for a client's connection.

use std::convert::Infallible;

use backtrace_waker::{TaskDump, TracedExecutor, Tracer};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2 as client;
use hyper::server::conn::http2 as server;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::task::yield_now;

use crate::{block_on, traced, wait};

async fn answer_late(_request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, Infallible> {
    wait().await;
    Ok(Response::new(Empty::new()))
}

#[test]
fn hyper_utils_builders_take_it() {
    block_on(async {
        let executor = TracedExecutor::new(TokioExecutor::new());
        let (_near, far) = tokio::io::duplex(4096);
        let server = hyper_util::server::conn::auto::Builder::new(executor.clone());
        drop(server.serve_connection(TokioIo::new(far), service_fn(answer_late)));
        let client = hyper_util::client::legacy::Client::builder(executor).build_http::<Empty<Bytes>>();
        drop(client);
    });
}

#[test]
fn streams_and_connections_of_http2_are_traced() {
    block_on(async {
        let (near, far) = tokio::io::duplex(4096);
        let executor = TracedExecutor::with_tracer(TokioExecutor::new(), Tracer::new().named("stream"));
        let line = line!() - 1;
        let server = server::Builder::new(executor);
        let connection = server.serve_connection(TokioIo::new(far), service_fn(answer_late));
        tokio::spawn(async move { drop(connection.await) });
        let executor = TracedExecutor::with_tracer(TokioExecutor::new(), Tracer::new().named("client"));
        let (client, connection) = client::handshake(executor, TokioIo::new(near)).await.unwrap();
        tokio::spawn(async move { drop(connection.await) });
        for _ in 0..3 {
            let mut client = client.clone();
            tokio::spawn(async move {
                drop(client.send_request(Request::new(Empty::<Bytes>::new())).await);
            });
        }
        let streams = || traced().into_iter().filter(|(name, _)| name.as_deref() == Some("stream"));
        for _ in 0..10_000 {
            if streams().count() == 3 {
                break;
            }
            yield_now().await;
        }
        assert_eq!(streams().count(), 3);
        assert!(streams().all(|(_, at)| (at.file(), at.line()) == (file!(), line)), "{:?}", traced());
        assert!(traced().iter().any(|(name, _)| name.as_deref() == Some("client")), "{:?}", traced());
        for _ in 0..100 {
            yield_now().await;
        }
        let printed = TaskDump::take().await.to_string();
        assert!(printed.contains("3 tasks suspended"), "{printed}");
        assert!(printed.contains("async fn spawning::http2::answer_late at"), "{printed}");
    });
}
