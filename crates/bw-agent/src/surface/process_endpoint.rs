//! Which process answers: what those who look for agents ask.

use std::sync::Arc;
use std::time::Duration;

use backtrace_waker::Registry;
use bw_dump::contract::ProcessDescription;

use super::Surface;
use super::answer::{Answer, JSON, Refusal};
use super::query::Query;

/// Nothing of it takes long, but for answers that nobody has read.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) async fn process(surface: &Arc<Surface>, query: Option<&str>) -> Result<Answer, Refusal> {
    Query::new(query, &[])?;
    let mut description = ProcessDescription::new(&surface.process);
    description.package = Some(env!("CARGO_PKG_VERSION").into());
    description.tasks = Some(Registry::global().len() as u64);
    description.agent_started_at = surface.agent_started_at;
    description.tcp = surface.tcp;
    surface.answer(JSON, description.to_json(), false, PATIENCE).await
}
