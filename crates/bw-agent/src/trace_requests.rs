//! The requests of a server, each as a traced task.

use std::task::{Context, Poll};

use axum::extract::MatchedPath;
use axum::http::Request;
use bw_core::{TracedTask, Tracer};
use tower_layer::Layer;
use tower_service::Service;

/// A layer that traces the future of each request, under a name such as `GET /orders/{id}`.
///
/// `axum::serve` spawns a task for each connection, and no way to have those traced. With this layer around a router, what
/// its handlers wait for is in every dump:
///
/// ```
/// use axum::{Router, routing::get};
///
/// let app: Router = Router::new()
///     .route("/orders/{id}", get(|| async { "one order" }))
///     .layer(bw_agent::TraceRequests::new());
/// # drop(app);
/// ```
///
/// Put it outside of other layers (call `layer` with it last), and what they wait for is in the traces too. It works with every
/// tower service that takes HTTP requests; other than axum's router they tell no route, and then the name is the method alone. A
/// path is in no name: paths have ids and secrets in them.
///
/// A request is traced until its answer begins. What streams the body of the answer is not in it.
///
/// Costs three allocations for each request: the name, its copy, and the task's cell; see [`traced`](bw_core::traced) for what a
/// poll costs. If the connection is a traced task itself, its requests are nested in it.
#[derive(Clone, Debug)]
#[must_use]
pub struct TraceRequests {
    tracer: Tracer,
}

impl TraceRequests {
    /// The layer. Requests are shown as spawned where this is called.
    #[track_caller]
    pub fn new() -> Self {
        Self { tracer: Tracer::new().spawned_here() }
    }
}

impl Default for TraceRequests {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for TraceRequests {
    type Service = TracedRequests<S>;

    fn layer(&self, inner: S) -> TracedRequests<S> {
        TracedRequests { inner, tracer: self.tracer.clone() }
    }
}

/// A service whose requests are traced; what [`TraceRequests`] makes of it.
#[derive(Clone, Debug)]
pub struct TracedRequests<S> {
    inner: S,
    tracer: Tracer,
}

impl<S, B> Service<Request<B>> for TracedRequests<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = TracedTask<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let method = request.method();
        let name = match request.extensions().get::<MatchedPath>() {
            Some(route) => format!("{method} {}", route.as_str()),
            None => method.to_string(),
        };
        self.tracer.clone().named(name).trace(self.inner.call(request))
    }
}
