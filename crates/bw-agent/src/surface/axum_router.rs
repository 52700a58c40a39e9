//! The endpoints as a router of axum.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::get;
use bw_dump::contract::endpoints::{BASE, DUMP, PROCESS, TASKS};

use super::{Coverage, Surface, routing};
use crate::settings::Settings;

/// Returns the agent's endpoints, to mount into an axum app of one's own. Feature `axum`.
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
    let surface = Surface::new(&Settings::default(), Coverage::Here, None, None);
    let answer = move |request: Request| {
        let surface = Arc::clone(&surface);
        async move { routing::respond(&surface, request.method(), request.uri()).await.map(Body::new) }
    };
    let paths = [
        BASE.trim_end_matches('/').to_owned(),
        BASE.to_owned(),
        format!("{BASE}{DUMP}"),
        format!("{BASE}{TASKS}"),
        format!("{BASE}{TASKS}/{{id}}"),
        format!("{BASE}{PROCESS}"),
    ];
    paths
        .iter()
        .fold(Router::new(), |router, path| router.route(path, get(answer.clone()).fallback(answer.clone())))
}
