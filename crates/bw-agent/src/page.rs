//! The page for browsers.

use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::Response;

use crate::answer::{Refusal, with_headers};
use crate::query::Query;

const PAGE: &str = "<!doctype html>
<html lang=en>
<meta charset=utf-8>
<title>async tasks</title>
<h1>async tasks</h1>
<ul>
<li><a href=dump>tasks that look alike</a>
<li><a href='dump?debug=2'>every task</a>
<li><a href=tasks>a list, without asking them</a>
<li><a href='dump?format=json'>for programs</a>
<li><a href=process>this process</a>
</ul>
";

/// Nothing runs, nothing is loaded, and no other page shows it.
const POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(crate) async fn page(uri: Uri) -> Result<Response, Refusal> {
    Query::new(uri.query(), &[])?;
    let mut response = with_headers(StatusCode::OK, "text/html; charset=utf-8", PAGE);
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    Ok(response)
}
