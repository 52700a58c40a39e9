//! One question over HTTP, with an end to patience and to what is taken.

use std::future::Future;
use std::io;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Bytes};
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, LOCATION, USER_AGENT};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

pub(super) const NAME: &str = concat!("backtrace-waker/", env!("CARGO_PKG_VERSION"));

/// What was answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: String,
    /// Where a redirection leads.
    pub(super) location: String,
    pub(super) body: Vec<u8>,
}

/// Why there was no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Nobody took the connection.
    Connect(io::Error),
    /// It did not come, or not all of it, in time.
    Timeout,
    /// The other side closed before it answered.
    Closed,
    /// The other side closed in the middle of its answer.
    Cut,
    /// It is no HTTP.
    NotHttp,
    /// It has more bytes than are taken.
    TooLarge,
    /// It is stopped, as this says, and was not asked.
    Halted(&'static str),
    /// Another process answers than before: this one.
    Replaced(u32),
    /// Something of this process.
    Own(String),
}

/// Runs what asks, for so long at most. Blocks.
pub(super) fn within<T>(
    limit: Duration,
    ask: impl Future<Output = Result<T, Trouble>>,
) -> Result<T, Trouble> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
    let runtime = runtime.map_err(|error| Trouble::Own(format!("cannot open a connection: {error}")))?;
    let answer = runtime.block_on(async { tokio::time::timeout(limit, ask).await });
    // Somebody may still be looking up a name of a host, and cannot be stopped.
    runtime.shutdown_background();
    answer.unwrap_or(Err(Trouble::Timeout))
}

/// Asks over a connection. Must run on a tokio runtime, and does not end by itself if the other side does not answer.
pub(super) async fn get(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    host: &str,
    path: &str,
    token: Option<&str>,
    most_bytes: usize,
) -> Result<Answer, Trouble> {
    let request = request(host, path, token)?;
    let handshake = http1::handshake::<_, Empty<Bytes>>(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| trouble(&error))?;
    // What goes wrong with the connection is told by the answer as well.
    tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(|error| trouble(&error))?;
    let header = |name| {
        let value: Option<&HeaderValue> = Response::headers(&response).get(name);
        value.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).unwrap_or_default()
    };
    let mut answer = Answer {
        status: response.status().as_u16(),
        content_type: header(CONTENT_TYPE),
        location: header(LOCATION),
        body: Vec::new(),
    };
    let mut body = response.into_body();
    if body.size_hint().lower() > most_bytes as u64 {
        return Err(Trouble::TooLarge);
    }
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Trouble::Cut)?;
        let Some(data) = frame.data_ref() else { continue };
        if data.len() > most_bytes - answer.body.len() {
            return Err(Trouble::TooLarge);
        }
        answer.body.extend_from_slice(data);
    }
    Ok(answer)
}

fn request(host: &str, path: &str, token: Option<&str>) -> Result<Request<Empty<Bytes>>, Trouble> {
    let mut request = Request::get(path).header(HOST, host).header(USER_AGENT, NAME);
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, bearer(token)?);
    }
    request.body(Empty::new()).map_err(|error| Trouble::Own(format!("cannot ask for {path}: {error}")))
}

/// The header that has a token. It is not in debug prints.
pub(super) fn bearer(token: &str) -> Result<HeaderValue, Trouble> {
    let value = HeaderValue::try_from(format!("Bearer {token}"));
    let mut value =
        value.map_err(|_| Trouble::Own("the token has characters that no HTTP header may have".into()))?;
    value.set_sensitive(true);
    Ok(value)
}

fn trouble(error: &hyper::Error) -> Trouble {
    if error.is_parse() {
        Trouble::NotHttp
    } else {
        // Closed, reset, half a head: nobody who answers does any of it.
        Trouble::Closed
    }
}
