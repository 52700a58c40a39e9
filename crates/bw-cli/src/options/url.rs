//! The URL of an agent.

use std::fmt;
use std::str::FromStr;

use bw_dump::contract::endpoints::BASE;
use ureq::http::Uri;

/// Where an agent answers: scheme, host, port and the path up to `/debug/async/`, whichever part of that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) is_https: bool,
    /// Host and port as they stood in the URL.
    authority: String,
    /// Ends with a slash.
    base: String,
}

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("{text:?} is no valid URL of an agent: {why}");
        let example = "write http://HOST:PORT, and the path in front of /debug/async/ if there is one";
        let uri: Uri = text.parse().map_err(|_| wrong(example))?;
        let is_https = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong(example)),
        };
        let authority = uri.authority().filter(|it| !it.host().is_empty()).ok_or_else(|| wrong(example))?;
        if authority.as_str().contains('@') {
            return Err(wrong("a token goes in --token or in the variable BACKTRACE_WAKER_TOKEN"));
        }
        if uri.query().is_some() {
            return Err(wrong("it has a query; what to ask is told by options, such as --filter"));
        }
        let after_host = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
        if after_host.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_err()) {
            return Err(wrong("its port is none"));
        }
        let path = uri.path();
        // What a server has the agent mounted at.
        let mount = match path.split_once(BASE) {
            Some((mount, _)) => mount,
            None => path.strip_suffix(BASE.trim_end_matches('/')).unwrap_or(path).trim_end_matches('/'),
        };
        let base = format!("{mount}{BASE}");
        Ok(Self { is_https, authority: authority.as_str().to_owned(), base })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_https { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_part_of_it_is_given_the_agent_is_found() {
        for (text, full) in [
            ("http://localhost", "http://localhost/debug/async/"),
            ("http://localhost:6060/", "http://localhost:6060/debug/async/"),
            ("http://[::1]:6060/debug/async", "http://[::1]:6060/debug/async/"),
            ("http://a/debug/async/", "http://a/debug/async/"),
            ("http://a/debug/async/dump", "http://a/debug/async/"),
            ("https://a.example/internal/", "https://a.example/internal/debug/async/"),
            ("http://a/x/debug/async/tasks/7", "http://a/x/debug/async/"),
        ] {
            let url: Url = text.parse().unwrap();
            assert_eq!(url.to_string(), full, "{text}");
            assert_eq!(full.parse(), Ok(url));
        }
    }

    #[test]
    fn what_is_no_url_says_what_one_is() {
        for (text, message) in [
            ("http://", "HOST:PORT"),
            ("http:///x", "HOST:PORT"),
            ("http://:80", "HOST:PORT"),
            ("http://a b", "HOST:PORT"),
            ("http://a:99999", "port"),
            ("http://a:", "port"),
            ("http://[::1]:x", ""),
            ("http://me:secret@a", "--token"),
            ("http://a/debug/async/dump?debug=1", "--filter"),
        ] {
            let error = text.parse::<Url>().expect_err(text);
            assert!(error.contains(message), "{text}: {error}");
        }
    }
}
