//! Who may ask over TCP. On a unix socket the operating system tells who it is; here a token must, or else the connection's
//! coming from this machine, with what browsers say of the page that sends them.

use std::fmt;
use std::net::IpAddr;

use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, WWW_AUTHENTICATE};
use axum::http::uri::Authority;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;

use crate::answer::Refusal;

/// What everybody who asks must know. Never printed.
#[derive(Clone)]
pub(crate) struct Token(Box<str>);

impl Token {
    pub(crate) fn new(token: impl Into<String>) -> Self {
        Self(token.into().into())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes as long wherever they differ; only the length is no secret.
    pub(crate) fn is(&self, other: &str) -> bool {
        self.0.as_bytes().ct_eq(other.as_bytes()).into()
    }

    fn is_in(&self, headers: &HeaderMap) -> bool {
        let Some(value) = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()) else {
            return false;
        };
        let Some((scheme, rest)) = value.split_once(' ') else { return false };
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return self.is(rest);
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return false;
        }
        let Ok(decoded) = STANDARD.decode(rest) else { return false };
        let Ok(decoded) = str::from_utf8(&decoded) else { return false };
        decoded.split_once(':').is_some_and(|(_, password)| self.is(password))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// A middleware of what comes over TCP.
pub(crate) async fn only_who_may(token: Option<Token>, request: Request, next: Next) -> Response {
    match refuse(token.as_ref(), &request) {
        None => next.run(request).await,
        Some(refused) => refused,
    }
}

fn refuse(token: Option<&Token>, request: &Request) -> Option<Response> {
    let headers = request.headers();
    if headers.get(HeaderName::from_static("sec-fetch-site")).is_some_and(|site| site == "cross-site") {
        let message = "a page of another site sent this request; open the address itself";
        return Some(Refusal::new(StatusCode::FORBIDDEN, message).into_response());
    }
    match token {
        Some(token) if token.is_in(headers) => None,
        Some(_) => {
            let message = "send the token: Authorization: Bearer TOKEN, or as the password of any user";
            let mut response = Refusal::new(StatusCode::UNAUTHORIZED, message).into_response();
            let ask = HeaderValue::from_static("Basic realm=\"backtrace-waker\", charset=\"UTF-8\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, ask);
            Some(response)
        }
        None if names_this_machine(request) => None,
        None => {
            // A page of theirs whose name they have resolve to this machine.
            let message = "ask for localhost or a loopback address; for other names the agent needs a token";
            Some(Refusal::new(StatusCode::FORBIDDEN, message).into_response())
        }
    }
}

/// Whether every name by which the request calls us is one of this machine for itself, and there is one.
fn names_this_machine(request: &Request) -> bool {
    let of_header = request.headers().get_all(HOST).iter().map(|host| host.to_str().unwrap_or_default());
    let of_target = request.uri().authority().map(Authority::as_str);
    let mut names = of_header.chain(of_target).peekable();
    names.peek().is_some() && names.all(is_of_this_machine)
}

fn is_of_this_machine(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((name, port)) => (name, port),
            None => return false,
        },
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
        && (name.eq_ignore_ascii_case("localhost")
            || name.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_its_names() {
        for host in
            ["localhost", "LOCALHOST:80", "127.0.0.1", "127.0.0.1:6669", "127.9.9.9:1", "[::1]", "[::1]:80"]
        {
            assert!(is_of_this_machine(host), "{host}");
        }
        for host in [
            "",
            "example.com",
            "localhost.example.com",
            "127.0.0.1.example.com",
            "example.com:127.0.0.1",
            "localhost:80@example.com",
            "user@localhost",
            "10.0.0.1",
            "0.0.0.0",
            "[::1",
            "[::]:80",
            "[::1]example.com",
            "localhost:x",
            "2130706433",
        ] {
            assert!(!is_of_this_machine(host), "{host}");
        }
    }
}
