//! Services, bodies and streams that hide their types: the wrappers say less than what they wrap, and are not printed.

use std::convert::Infallible;
use std::pin::Pin;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use axum::routing::{get, post};
use bw_render::Tree;
use tokio::sync::{Notify, broadcast, mpsc};
use tokio_stream::wrappers::{BroadcastStream, ReceiverStream};
use tokio_stream::{Stream, StreamExt};
use tower::util::{BoxCloneService, BoxService};
use tower::{Service, ServiceExt, service_fn};

use crate::harness::{HOUR, capture, symbolize};

/// What is printed of a task that runs this.
fn printed<F>(make: impl FnOnce() -> F) -> String
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    let traces = capture(make);
    Tree::new(&symbolize(&traces[2])).to_string()
}

/// Checks that the lines name these, in this order, and that no line is of what only wraps them.
#[track_caller]
fn assert_lines(text: &str, names: &[&str]) {
    let mut rest = text;
    for name in names {
        let Some((_, after)) = rest.split_once(name) else { panic!("no {name} in its place: {text}") };
        rest = after;
    }
    for wrapper in [
        "core::pin::Pin",
        "alloc::boxed::Box",
        "BoxService",
        "BoxCloneService",
        "MapFuture",
        "axum_core::body",
    ] {
        assert!(!text.contains(wrapper), "{wrapper}: {text}");
    }
}

async fn handle(_request: ()) -> Result<(), Infallible> {
    Notify::new().notified().await;
    Ok(())
}

async fn ask<S: Service<()>>(service: S) {
    let _answered = service.oneshot(()).await;
}

#[test]
fn services_of_tower_do_not_hide_their_handler() {
    let names = ["services::ask", "async fn accuracy::services::handle at ", "tokio::sync::notify::Notified"];
    assert_lines(&printed(|| ask(BoxService::new(service_fn(handle)))), &names);
    assert_lines(&printed(|| ask(BoxCloneService::new(service_fn(handle)))), &names);
    let slow = || tower::timeout::Timeout::new(BoxService::new(service_fn(handle)), HOUR);
    assert_lines(&printed(|| ask(slow())), &names);
}

async fn answer() -> &'static str {
    Notify::new().notified().await;
    "ready"
}

/// Reads a body that does not end.
async fn upload(body: Body) {
    let _all = to_bytes(body, usize::MAX).await;
}

async fn serve(path: &'static str) {
    let routes = Router::new().route("/answer", get(answer)).route("/upload", post(upload));
    let (sender, receiver) = mpsc::channel::<Result<&'static str, Infallible>>(1);
    let body = Body::from_stream(ReceiverStream::new(receiver));
    let method = if path == "/upload" { "POST" } else { "GET" };
    let request = Request::builder().method(method).uri(path).body(body).expect("a request");
    let _answered = routes.oneshot(request).await;
    drop(sender);
}

#[test]
fn a_router_of_axum_does_not_hide_its_handler() {
    let names = [
        "async fn accuracy::services::serve",
        "async fn accuracy::services::answer at ",
        "tokio::sync::notify",
    ];
    assert_lines(&printed(|| serve("/answer")), &names);
}

/// The program awaits a function of axum, which is what is printed; not the body and the boxes in it that this function polls.
#[test]
fn a_body_of_axum_shows_the_function_that_reads_it() {
    let names = [
        "async fn accuracy::services::serve",
        "async fn accuracy::services::upload at ",
        "async fn axum::body::to_bytes at ",
    ];
    assert_lines(&printed(|| serve("/upload")), &names);
}

async fn watch(body: Body) {
    body.into_data_stream().next().await;
}

async fn stream() {
    let (_sender, receiver) = mpsc::channel::<Result<&'static str, Infallible>>(1);
    watch(Body::from_stream(ReceiverStream::new(receiver))).await;
}

#[test]
fn a_body_of_axum_does_not_hide_its_channel() {
    assert_lines(&printed(stream), &["services::stream at ", "services::watch at ", "tokio::sync::mpsc"]);
}

type BoxedStream<T> = Pin<Box<dyn Stream<Item = T> + Send>>;

async fn next<T>(mut stream: BoxedStream<T>) {
    stream.next().await;
}

async fn listen() {
    let (_sender, receiver) = broadcast::channel::<u32>(1);
    next(Box::pin(BroadcastStream::new(receiver))).await;
}

async fn receive() {
    let (_sender, receiver) = mpsc::channel::<u32>(1);
    next(Box::pin(ReceiverStream::new(receiver).map(|it| it + 1))).await;
}

#[test]
fn boxed_streams_of_tokio_stream_do_not_hide_their_channel() {
    let names = ["services::listen at ", "services::next", "tokio::sync::broadcast"];
    assert_lines(&printed(listen), &names);
    assert_lines(&printed(receive), &["services::receive at ", "services::next", "tokio::sync::mpsc"]);
}
