//! The same question over TLS.
//!
//! An agent speaks no TLS itself; a proxy in front of it may. The client is ureq, which is here already to ask debuginfod
//! servers over TLS: another stack for the one that talks to sockets would be twice the code for a rare case. It trusts the
//! certificate authorities that browsers do.

use std::io::{self, Read};
use std::time::Duration;

use super::http::{self, Answer, Trouble};
use super::url::Url;

/// Asks. Blocks, for so long at most.
pub(super) fn get(
    url: &Url,
    name: &str,
    token: Option<&str>,
    limit: Duration,
    most_bytes: usize,
) -> Result<Answer, Trouble> {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(limit))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(http::NAME);
    let agent = ureq::Agent::new_with_config(config.build());
    let mut request = agent.get(url.to_string() + name);
    if let Some(token) = token {
        request = request.header("authorization", http::bearer(token)?);
    }
    let response = request.call().map_err(|error| trouble(error, url))?;
    let header = |name| {
        let value = response.headers().get(name);
        value.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).unwrap_or_default()
    };
    let (status, content_type, location) =
        (response.status().as_u16(), header("content-type"), header("location"));
    let mut body = Vec::new();
    // One byte more than is allowed tells that there are more.
    let most = (most_bytes as u64).saturating_add(1);
    let reader = response.into_body().into_with_config().limit(most).reader();
    reader.take(most).read_to_end(&mut body).map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut => Trouble::Timeout,
        _ => Trouble::Cut,
    })?;
    if body.len() > most_bytes {
        return Err(Trouble::TooLarge);
    }
    Ok(Answer { status, content_type, location, body })
}

fn trouble(error: ureq::Error, url: &Url) -> Trouble {
    match error {
        ureq::Error::Timeout(_) => Trouble::Timeout,
        ureq::Error::HostNotFound => {
            Trouble::Connect(io::Error::new(io::ErrorKind::NotFound, "there is no such host"))
        }
        // What a TLS stream calls whatever it does not understand or accept.
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => no_tls(url, &error),
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => Trouble::Closed,
        ureq::Error::Io(error) => Trouble::Connect(error),
        ureq::Error::ConnectionFailed => {
            Trouble::Connect(io::Error::new(io::ErrorKind::ConnectionRefused, "connection refused"))
        }
        ureq::Error::Tls(reason) => no_tls(url, &reason),
        ureq::Error::Rustls(error) => no_tls(url, &error),
        ureq::Error::Protocol(_) => Trouble::NotHttp,
        error => Trouble::Own(format!("{url}: {error}")),
    }
}

fn no_tls(url: &Url, reason: &dyn std::fmt::Display) -> Trouble {
    Trouble::Own(format!(
        "{url}: no TLS with that server: {reason}; if it speaks plain HTTP, write http://, and if its certificate is of an \
         authority of your own, ask through a tunnel (ssh -L)"
    ))
}
