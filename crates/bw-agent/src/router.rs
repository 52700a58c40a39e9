//! The endpoints.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{ALLOW, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};

use crate::answer::Refusal;
use crate::surface::{Coverage, Settings, Surface};
use crate::{dump, page, process, tasks};

/// The agent's endpoints, to mount into an axum app of one's own:
///
/// ```
/// # let app: axum::Router = axum::Router::new();
/// let app = app.merge(bw_agent::router());
/// # let _ = app;
/// ```
///
/// Whoever can reach the app can ask then. Nothing here looks at who that is, nor at the name by which it is called: put it behind
/// what guards the app's other inner routes. There is one dump at a time, and what answers may take is bounded as with
/// [`AgentBuilder::size_cap`](crate::AgentBuilder::size_cap), with what it has unless told; how much connections may take is the
/// app's matter.
///
/// It answers on the app's runtime, which must be tokio's: while all its threads are blocked, nobody can ask. An agent of
/// [`start`](crate::start) has a thread of its own.
///
/// Asks the kernel for the process when it is made; allocates.
pub fn router() -> Router {
    of(Surface::new(Settings::default(), Coverage::Here, None, None))
}

/// With an answer for every other address.
pub(crate) fn of_agent(surface: Arc<Surface>) -> Router {
    of(surface).fallback(nothing_there)
}

fn of(surface: Arc<Surface>) -> Router {
    let reading = |method: MethodRouter<Arc<Surface>>| method.fallback(only_get);
    Router::new()
        .route("/debug/async", reading(get(to_page)))
        .route("/debug/async/", reading(get(page::page)))
        .route("/debug/async/dump", reading(get(dump::dump)))
        .route("/debug/async/tasks", reading(get(tasks::tasks)))
        .route("/debug/async/tasks/{id}", reading(get(tasks::task)))
        .route("/debug/async/process", reading(get(process::process)))
        .with_state(surface)
}

/// To the page, below wherever this is mounted.
async fn to_page() -> Response {
    let mut response = Refusal::new(StatusCode::PERMANENT_REDIRECT, "see async/").into_response();
    response.headers_mut().insert(LOCATION, HeaderValue::from_static("async/"));
    response
}

async fn only_get() -> Response {
    let mut response = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "use GET").into_response();
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET,HEAD"));
    response
}

async fn nothing_there(_: Request) -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        "nothing is here; see /debug/async/dump, /debug/async/tasks, /debug/async/tasks/ID, /debug/async/process or the page \
         /debug/async/",
    )
}
