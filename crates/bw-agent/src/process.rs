//! Which process answers: what those who look for agents ask.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::extract::State;
use axum::http::Uri;
use backtrace_waker::Registry;
use bw_dump::rfc3339;
use serde::Serialize;

use crate::answer::{Answer, JSON, Refusal};
use crate::query::Query;
use crate::surface::Surface;

/// The version of this answer and of the list of tasks: kept as long as readers of it can read what is written.
pub(crate) const VERSION: u32 = 1;

/// Nothing of it takes long, but for answers that nobody has read.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Serialize)]
struct Process<'a> {
    format: &'static str,
    version: u32,
    package: &'static str,
    pid: u32,
    executable: Option<std::borrow::Cow<'a, str>>,
    started_at: Option<String>,
    tasks: usize,
    agent_started_at: Option<String>,
    tcp: Option<SocketAddr>,
}

pub(crate) async fn process(State(surface): State<Arc<Surface>>, uri: Uri) -> Result<Answer, Refusal> {
    Query::new(uri.query(), &[])?;
    let millis = |time: SystemTime| rfc3339::milliseconds(time);
    let process = Process {
        format: "backtrace-waker agent",
        version: VERSION,
        package: env!("CARGO_PKG_VERSION"),
        pid: surface.process.pid,
        executable: surface.process.executable.as_ref().map(|path| path.to_string_lossy()),
        started_at: surface.process.started_at.map(millis),
        tasks: Registry::global().len(),
        agent_started_at: surface.agent_started_at.map(millis),
        tcp: surface.tcp,
    };
    let mut bytes =
        serde_json::to_vec(&process).map_err(|_| Refusal::bug("the answer could not be written"))?;
    bytes.push(b'\n');
    surface.answer(JSON, bytes, false, PATIENCE).await
}
