//! One HTTP request to an agent, with a deadline and a bound on the bytes of the answer.
//!
//! One client serves unix sockets, http:// and https://: ureq, which asks debuginfod servers as well. For https:// it trusts the
//! certificate authorities that browsers do. An agent speaks no TLS itself; a proxy in front of it may.

use std::fmt;
use std::io::{self, Read};
use std::time::{Duration, Instant};

use bw_dump::contract::endpoints::{BASE, BEARER};
use ureq::Error;
use ureq::config::ConfigBuilder;
use ureq::http::HeaderValue;
use ureq::http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use ureq::typestate::AgentScope;

use super::socket::Stream;
use super::socket_transport;
use crate::options::url::Url;

const USER_AGENT: &str = concat!("backtrace-waker/", env!("CARGO_PKG_VERSION"));

/// How long to wait for an answer, and how many bytes of it to take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) deadline: Instant,
    pub(super) most_bytes: usize,
}

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
pub(super) enum NoAnswer {
    /// Nobody took the connection.
    Connect(io::Error),
    /// The answer, or a part of it, did not come in time.
    Timeout,
    /// The other side closed the connection before it answered.
    Closed,
    /// The other side closed the connection in the middle of its answer.
    Cut,
    /// The answer is no HTTP.
    NotHttp,
    /// The answer has more bytes than are taken.
    TooLarge,
    /// The process is stopped, for this reason, and was not asked.
    Halted(&'static str),
    /// Another process answers than before: this one.
    Replaced(u32),
    /// This command, not the agent, has a problem.
    Own(String),
}

/// Asks an agent for what it has at `name`, such as `dump?format=raw`, over a connection to its socket. Blocks.
pub(super) fn get_over_socket(stream: Stream, name: &str, bounds: Bounds) -> Result<Answer, NoAnswer> {
    // Nobody but the agent is meant, whatever proxy the environment names.
    let config = config(bounds).proxy(None).build();
    let agent = socket_transport::agent(config, stream);
    // Whatever goes wrong with a connection that was there before is an end of that connection.
    let response = agent.get(format!("http://localhost{BASE}{name}")).call();
    let response = response.map_err(|error| match error {
        Error::Io(_) => NoAnswer::Closed,
        error => no_answer(error, &"the socket"),
    });
    answer(response?, bounds)
}

/// Asks the agent at a URL for what it has at `name`. Blocks.
pub(super) fn get(url: &Url, name: &str, token: Option<&str>, bounds: Bounds) -> Result<Answer, NoAnswer> {
    if url.is_https && cfg!(not(feature = "https")) {
        return Err(NoAnswer::Own(format!(
            "{url}: this command was built without the feature `https`: build it with, or ask through a tunnel (ssh -L)"
        )));
    }
    let config = config(bounds);
    let config = if url.is_https { config } else { config.proxy(None) };
    let mut request = ureq::Agent::new_with_config(config.build()).get(format!("{url}{name}"));
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, bearer(token)?);
    }
    let response = request.call().map_err(|error| match error {
        // What a TLS stream calls whatever it does not understand or accept.
        Error::Io(error) if url.is_https && error.kind() == io::ErrorKind::InvalidData => no_tls(url, &error),
        error => no_answer(error, url),
    });
    answer(response?, bounds)
}

fn config(bounds: Bounds) -> ConfigBuilder<AgentScope> {
    ureq::Agent::config_builder()
        .timeout_global(Some(bounds.deadline.saturating_duration_since(Instant::now())))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(USER_AGENT)
}

fn answer(response: ureq::http::Response<ureq::Body>, bounds: Bounds) -> Result<Answer, NoAnswer> {
    let header = |name| {
        let value = response.headers().get(name);
        value.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).unwrap_or_default()
    };
    let (status, content_type, location) =
        (response.status().as_u16(), header(CONTENT_TYPE), header(LOCATION));
    let most = bounds.most_bytes as u64;
    let body = response.into_body();
    if body.content_length().is_some_and(|length| length > most) {
        return Err(NoAnswer::TooLarge);
    }
    let mut bytes = Vec::new();
    // One byte more than is allowed tells that there are more.
    let read = body.into_reader().take(most.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|error| if is_timeout(&error) { NoAnswer::Timeout } else { NoAnswer::Cut })?;
    if bytes.len() > bounds.most_bytes {
        return Err(NoAnswer::TooLarge);
    }
    Ok(Answer { status, content_type, location, body: bytes })
}

/// Whether a body did not come in time: ureq hides its own errors in those of a reader.
fn is_timeout(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    error.kind() == io::ErrorKind::TimedOut || matches!(inner, Some(Error::Timeout(_)))
}

/// The header that has a token. It is not in debug prints.
fn bearer(token: &str) -> Result<HeaderValue, NoAnswer> {
    let value = HeaderValue::try_from(format!("{BEARER}{token}"));
    let mut value =
        value.map_err(|_| NoAnswer::Own("the token has characters that no HTTP header may have".into()))?;
    value.set_sensitive(true);
    Ok(value)
}

fn no_answer(error: Error, place: &dyn fmt::Display) -> NoAnswer {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotFound, TimedOut, UnexpectedEof};

    match error {
        Error::Timeout(_) => NoAnswer::Timeout,
        Error::HostNotFound => NoAnswer::Connect(io::Error::new(NotFound, "the host has no address")),
        Error::ConnectionFailed => NoAnswer::Connect(io::ErrorKind::ConnectionRefused.into()),
        Error::Io(error) => match error.kind() {
            TimedOut => NoAnswer::Timeout,
            UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe => NoAnswer::Closed,
            _ => NoAnswer::Connect(error),
        },
        Error::Protocol(_) | Error::LargeResponseHeader(..) => NoAnswer::NotHttp,
        Error::Tls(reason) => no_tls(place, &reason),
        #[cfg(feature = "https")]
        Error::Rustls(error) => no_tls(place, &error),
        error => NoAnswer::Own(format!("{place}: {error}")),
    }
}

fn no_tls(place: &dyn fmt::Display, reason: &dyn fmt::Display) -> NoAnswer {
    NoAnswer::Own(format!(
        "{place}: no TLS with that server: {reason}; if it speaks plain HTTP, write http://, and if its certificate is of an \
         authority of your own, ask through a tunnel (ssh -L)"
    ))
}

/// The deadline of what may take so long from now on.
pub(super) fn deadline(timeout: Duration) -> Instant {
    Instant::now() + timeout
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;
    use std::os::unix::net::UnixStream;

    use super::*;

    /// The beginning of an answer, whose end never comes.
    const BEGINNING: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf";

    fn bounds() -> Bounds {
        Bounds { deadline: deadline(Duration::from_millis(200)), most_bytes: 1_000 }
    }

    #[test]
    fn an_answer_that_stops_in_the_middle_is_waited_for_until_the_deadline() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(BEGINNING).unwrap();
        let answer = get_over_socket(ours, "process", bounds());
        assert!(matches!(answer, Err(NoAnswer::Timeout)), "{answer:?}");

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(BEGINNING).unwrap();
            stream
        });
        let answer = get(&url, "process", None, bounds());
        assert!(matches!(answer, Err(NoAnswer::Timeout)), "{answer:?}");
        drop(server.join().unwrap());
    }

    #[test]
    fn a_deadline_that_has_passed_asks_nobody() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let passed = Bounds { deadline: Instant::now(), most_bytes: 1_000 };
        assert!(matches!(get_over_socket(ours, "process", passed), Err(NoAnswer::Timeout)));
        theirs.set_nonblocking(true).unwrap();
        let mut sent = Vec::new();
        (&theirs).read_to_end(&mut sent).unwrap();
        assert!(sent.is_empty());
    }
}
