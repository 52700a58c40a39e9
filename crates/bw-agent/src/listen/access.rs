//! Who may ask over TCP. On a unix socket the operating system tells who it is; here a token must, or else the connection's
//! coming from this machine, with what browsers say of the page that sends them.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use hyper::http::uri::Authority;
use hyper::{Request, Response, StatusCode};

use crate::settings::Token;
use crate::surface::{AnswerBody, Refusal};

/// Returns why a request that came over TCP is not answered, if it is not.
pub(crate) fn refuse<B>(token: Option<&Token>, request: &Request<B>) -> Option<Response<AnswerBody>> {
    let headers = request.headers();
    if headers.get(HeaderName::from_static("sec-fetch-site")).is_some_and(|site| site == "cross-site") {
        let message = "a page of another site sent this request; open the address itself";
        return Some(Refusal::new(StatusCode::FORBIDDEN, message).into_response());
    }
    match token {
        Some(token) if has_token(headers, token) => None,
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

/// Whether the header has the token: as a bearer's, or as the password of any user.
fn has_token(headers: &HeaderMap, token: &Token) -> bool {
    let Some(value) = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()) else { return false };
    let Some((scheme, rest)) = value.split_once(' ') else { return false };
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return token.is(rest);
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return false;
    }
    let Ok(decoded) = STANDARD.decode(rest) else { return false };
    let Ok(decoded) = str::from_utf8(&decoded) else { return false };
    decoded.split_once(':').is_some_and(|(_, password)| token.is(password))
}

/// Whether every name by which the request calls us is one of this machine for itself, and there is one.
fn names_this_machine<B>(request: &Request<B>) -> bool {
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
            ["localhost", "LOCALHOST:80", "127.0.0.1", "127.0.0.1:6060", "127.9.9.9:1", "[::1]", "[::1]:80"]
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
