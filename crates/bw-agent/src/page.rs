//! The page for browsers.

use axum::http::{StatusCode, Uri};
use axum::response::Response;
use bw_render::html;

use crate::answer::{HTML, Refusal, with_headers};
use crate::query::Query;

/// It fetches a dump as JSON, and what to call the program.
pub(crate) async fn page(uri: Uri) -> Result<Response, Refusal> {
    Query::new(uri.query(), &[])?;
    Ok(with_headers(StatusCode::OK, HTML, html::live_page()))
}
