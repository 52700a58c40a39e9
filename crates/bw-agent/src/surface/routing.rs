//! The endpoints: which path is answered by what.

use std::sync::Arc;

use bw_dump::contract::endpoints::{BASE, DUMP, PROCESS, TASKS};
use bw_render::html;
use hyper::header::{ALLOW, HeaderValue, LOCATION};
use hyper::{Method, Response, StatusCode, Uri};

use super::answer::{AnswerBody, HTML, Refusal, with_headers};
use super::query::Query;
use super::{Surface, dump_endpoint, process_endpoint, tasks_endpoint};

/// Answers a request for a path below [`BASE`], and says of every other path that nothing is there.
pub(crate) async fn respond(surface: &Arc<Surface>, method: &Method, uri: &Uri) -> Response<AnswerBody> {
    let Some(endpoint) = Endpoint::of(uri.path()) else { return nothing_there().into_response() };
    if method != Method::GET && method != Method::HEAD {
        let mut response = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "use GET").into_response();
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET,HEAD"));
        return response;
    }
    let answer = match endpoint {
        Endpoint::WithoutSlash => return to_page(),
        Endpoint::Page => return page(uri.query()).unwrap_or_else(Refusal::into_response),
        Endpoint::Dump => surface.shared_answers.get(uri, dump_endpoint::dump(surface, uri.query())).await,
        Endpoint::Tasks => tasks_endpoint::tasks(surface, uri.query()).await,
        Endpoint::Task(id) => {
            surface.shared_answers.get(uri, tasks_endpoint::task(surface, id, uri.query())).await
        }
        Endpoint::Process => process_endpoint::process(surface, uri.query()).await,
    };
    answer.map_or_else(Refusal::into_response, super::answer::Answer::into_response)
}

/// What a path stands for.
enum Endpoint<'a> {
    WithoutSlash,
    Page,
    Dump,
    Tasks,
    Task(&'a str),
    Process,
}

impl<'a> Endpoint<'a> {
    fn of(path: &'a str) -> Option<Self> {
        let Some(name) = path.strip_prefix(BASE) else {
            return (Some(path) == BASE.strip_suffix('/')).then_some(Self::WithoutSlash);
        };
        match name {
            "" => Some(Self::Page),
            DUMP => Some(Self::Dump),
            TASKS => Some(Self::Tasks),
            PROCESS => Some(Self::Process),
            _ => {
                let id = name.strip_prefix(TASKS)?.strip_prefix('/')?;
                (!id.is_empty() && !id.contains('/')).then_some(Self::Task(id))
            }
        }
    }
}

/// Redirects to the page, below wherever this is mounted.
fn to_page() -> Response<AnswerBody> {
    let mut response = Refusal::new(StatusCode::PERMANENT_REDIRECT, "see async/").into_response();
    response.headers_mut().insert(LOCATION, HeaderValue::from_static("async/"));
    response
}

/// The page for browsers. It fetches a dump as HTML, and what to call the program.
fn page(query: Option<&str>) -> Result<Response<AnswerBody>, Refusal> {
    Query::new(query, &[])?;
    Ok(with_headers(StatusCode::OK, HTML, html::live_page()))
}

fn nothing_there() -> Refusal {
    let message = format!(
        "nothing is here; see {BASE}{DUMP}, {BASE}{TASKS}, {BASE}{TASKS}/ID, {BASE}{PROCESS} or the page {BASE}"
    );
    Refusal::new(StatusCode::NOT_FOUND, message)
}
