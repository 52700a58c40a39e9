//! What is sent back: answers that are bounded, and refusals that say what to do.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll};

use bw_dump::contract::endpoints::PARTIAL_HEADER;
use bw_render::html;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};
use tokio::sync::OwnedSemaphorePermit;

pub(crate) const TEXT: &str = "text/plain; charset=utf-8";
pub(crate) const JSON: &str = "application/json";
pub(crate) const HTML: &str = "text/html; charset=utf-8";

/// Bytes that are only written up to a bound.
#[derive(Debug)]
pub(crate) struct Capped {
    bytes: Vec<u8>,
    cap: usize,
    is_over: bool,
}

impl Capped {
    pub(crate) fn new(cap: usize) -> Self {
        Self { bytes: Vec::new(), cap, is_over: false }
    }

    fn push(&mut self, bytes: &[u8]) -> bool {
        self.is_over |= bytes.len() > self.cap.saturating_sub(self.bytes.len());
        if !self.is_over {
            self.bytes.extend_from_slice(bytes);
        }
        !self.is_over
    }

    /// What was written, if all of it fitted and could be written.
    pub(crate) fn finish<E>(self, written: Result<(), E>) -> Result<Vec<u8>, Refusal> {
        if self.is_over {
            return Err(Refusal::too_large(self.cap));
        }
        written.map(|()| self.bytes).map_err(|_| Refusal::bug("the answer could not be written"))
    }
}

impl fmt::Write for Capped {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.push(text.as_bytes()) { Ok(()) } else { Err(fmt::Error) }
    }
}

impl io::Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.push(bytes) { Ok(bytes.len()) } else { Err(io::ErrorKind::FileTooLarge.into()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An answer: its bytes, and as long as any of them is in memory, its share of what all answers may have there. A clone has the same
/// bytes and the same share.
#[derive(Clone)]
pub(crate) struct Answer {
    content_type: &'static str,
    bytes: Bytes,
    is_partial: bool,
}

/// Bytes with their share: the share goes where the last of the bytes goes.
struct Shared {
    bytes: Vec<u8>,
    _share: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Answer {
    pub(crate) fn new(
        content_type: &'static str,
        bytes: Vec<u8>,
        share: OwnedSemaphorePermit,
        is_partial: bool,
    ) -> Self {
        Self { content_type, bytes: Bytes::from_owner(Shared { bytes, _share: share }), is_partial }
    }

    pub(crate) fn into_response(self) -> Response<AnswerBody> {
        let mut response = with_headers(StatusCode::OK, self.content_type, self.bytes);
        if self.is_partial {
            let name = HeaderName::from_static(PARTIAL_HEADER);
            response.headers_mut().insert(name, HeaderValue::from_static("true"));
        }
        response
    }
}

/// The body of every response: its bytes, in one piece.
#[derive(Debug)]
pub(crate) struct AnswerBody(Bytes);

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = std::mem::take(&mut self.0);
        Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.len() as u64)
    }
}

/// Returns a response with the headers that all have.
pub(crate) fn with_headers(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if content_type == HTML {
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(html::CSP));
    }
    response
}

/// Why there is no answer, and what to do.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    message: String,
}

/// Characters of what was sent that a refusal repeats.
const MOST_CHARS: usize = 80;

/// What was sent, as a refusal may repeat it: escaped, and not all of it.
pub(crate) fn repeated(sent: &str) -> String {
    let kept = sent.char_indices().nth(MOST_CHARS).map_or(sent, |(end, _)| &sent[..end]);
    format!("{kept:?}{}", if kept.len() < sent.len() { "…" } else { "" })
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(crate) fn busy(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
    }

    pub(crate) fn too_large(cap: usize) -> Self {
        Self::busy(format!(
            "the answer is larger than {cap} bytes; ask for less with filter=, or for format=raw, or raise the bound with \
             AgentBuilder::size_cap"
        ))
    }

    pub(crate) fn bug(message: &str) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, format!("{message}; this is a bug of backtrace-waker"))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Refusal {
    pub(crate) fn into_response(self) -> Response<AnswerBody> {
        let mut response = with_headers(self.status, TEXT, self.message + "\n");
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// Does something that takes long, or may block, beside the thread that answers. A panic in it is a refusal.
pub(crate) async fn work<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    // Panics where there is no runtime of tokio, and where it can start no thread.
    let spawned = panic::catch_unwind(AssertUnwindSafe(|| tokio::task::spawn_blocking(work)));
    let Ok(spawned) = spawned else {
        return Err(Refusal::busy("no thread could be started on which to make the answer"));
    };
    spawned.await.unwrap_or_else(|_| Err(Refusal::bug("a panic while the answer was made")))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_and_not_kept() {
        let mut out = Capped::new(5);
        assert!(out.write_str("12345").is_ok());
        assert!(out.write_str("6").is_err());
        assert_eq!(out.bytes.len(), 5);
        let refused = out.finish(Ok::<(), fmt::Error>(())).unwrap_err();
        assert!(refused.message.contains("larger than 5 bytes"), "{refused:?}");
        let mut out = Capped::new(5);
        let written = write!(out, "123");
        assert_eq!(out.finish(written).unwrap(), b"123");
    }

    #[test]
    fn a_panic_is_an_answer() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let worked = runtime.block_on(work(|| -> Result<(), Refusal> { panic!("on purpose") }));
        assert_eq!(worked.unwrap_err().status, StatusCode::INTERNAL_SERVER_ERROR);
        let mut nowhere = pin!(work(|| Ok(())));
        let Poll::Ready(worked) = nowhere.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("there is nothing to wait for")
        };
        assert_eq!(worked.unwrap_err().status, StatusCode::SERVICE_UNAVAILABLE);
    }
}
