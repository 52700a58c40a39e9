//! Requests of an axum server as traced tasks.

use std::future::pending;
use std::task::{Context, Poll, Waker};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::{get, post};
use bw_agent::TraceRequests;
use bw_core::{Registry, TaskFilter, TaskRecord};
use tower_service::Service;

/// Names of the traced tasks with this in them: the registry is the process's, and so the other test's too.
fn names(part: &str) -> Vec<String> {
    let dump = Registry::global().look(&TaskFilter::new());
    dump.tasks()
        .iter()
        .filter_map(TaskRecord::name)
        .filter(|name| name.contains(part))
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn a_request_is_a_task_named_after_its_route_until_it_is_answered() {
    let line = line!() + 4;
    let mut app: Router = Router::new()
        .route("/orders/{id}", get(pending::<()>))
        .route("/orders", post(async || StatusCode::CREATED))
        .layer(TraceRequests::new());

    let ask =
        |method: &str, path: &str| Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    let mut waiting = Box::pin(app.call(ask("GET", "/orders/secret-4711")));
    assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());

    assert_eq!(names("GET"), ["GET /orders/{id}"], "the route, and not what is in the path");
    let dump = Registry::global().look(&TaskFilter::new());
    let task = dump.tasks().iter().find(|task| task.name() == Some("GET /orders/{id}")).unwrap();
    assert_eq!((task.spawned_at().file(), task.spawned_at().line()), (file!(), line));

    assert_eq!(app.call(ask("POST", "/orders")).await.unwrap().status(), StatusCode::CREATED);
    assert_eq!(app.call(ask("GET", "/nowhere")).await.unwrap().status(), StatusCode::NOT_FOUND);
    assert_eq!(names("").iter().filter(|name| *name != "DELETE").count(), 1, "what is answered is over");
    drop(waiting);
    assert!(names("GET").is_empty(), "and what is given up too");
}

#[tokio::test]
async fn a_service_without_routes_is_traced_under_the_method() {
    let service = Function(|_: Request<()>| pending::<Result<(), ()>>());
    let mut traced = tower_layer::Layer::layer(&TraceRequests::new(), service);
    let future = traced.call(Request::builder().method("DELETE").uri("/x?token=secret").body(()).unwrap());
    assert_eq!(names("DELETE"), ["DELETE"]);
    drop(future);
    assert!(names("DELETE").is_empty());
}

/// A function as a service.
struct Function<F>(F);

impl<F, T, B> Service<Request<B>> for Function<F>
where
    F: FnMut(Request<B>) -> T,
    T: Future<Output = Result<(), ()>>,
{
    type Response = ();
    type Error = ();
    type Future = T;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> T {
        (self.0)(request)
    }
}
