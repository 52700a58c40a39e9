//! What is asked: a process, a file, a socket, a URL.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{OsStringValueParser, TypedValueParser, ValueParser, ValueParserFactory};

use super::url::Url;

/// What is asked. Parsing it looks at nothing but the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The number of a process of this machine.
    Pid(u32),
    /// A file or a socket: what is there tells. Where nothing is, the name of a process.
    Path(PathBuf),
    /// A raw dump file, whatever its name looks like.
    File(PathBuf),
    /// A raw dump file on stdin.
    Stdin,
    Url(Url),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("it is empty".into());
        }
        if text == "-" {
            return Ok(Self::Stdin);
        }
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            let pid = text.parse().ok().filter(|&pid| pid != 0);
            return pid
                .map(Self::Pid)
                .ok_or_else(|| format!("no process has this number; a file of this name is ./{text}"));
        }
        match text.split_once("://") {
            Some(("http" | "https", _)) => text.parse().map(Self::Url),
            Some((scheme, _)) if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => Err(format!(
                "{scheme}:// is not known: an agent is at http://, at https:// or at the path of a socket"
            )),
            _ => Ok(Self::Path(text.into())),
        }
    }
}

/// So that arguments can be of this type, whatever bytes a path has.
impl ValueParserFactory for Target {
    type Parser = ValueParser;

    fn value_parser() -> ValueParser {
        ValueParser::new(OsStringValueParser::new().try_map(Self::from_argument))
    }
}

impl Target {
    fn from_argument(argument: OsString) -> Result<Self, String> {
        // What is no text is neither a number nor a URL.
        argument.into_string().map_or_else(|bytes| Ok(Self::Path(bytes.into())), |text| text.parse())
    }
}

impl fmt::Display for Target {
    /// As it was given. A path may hold what a terminal obeys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pid(pid) => write!(f, "process {pid}"),
            Self::Path(path) | Self::File(path) => write!(f, "{}", path.display()),
            Self::Stdin => f.write_str("stdin"),
            Self::Url(url) => write!(f, "{url}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_tells_what_it_is() {
        assert_eq!("4711".parse(), Ok(Target::Pid(4711)));
        assert_eq!("-".parse(), Ok(Target::Stdin));
        for path in ["./4711", "4711.dump", "/run/x.sock", "shop.dump", "-1", "a/b://c", "127.0.0.1:80"] {
            assert_eq!(path.parse(), Ok(Target::Path(path.into())), "{path}");
        }
        assert!(matches!("http://127.0.0.1:6060".parse(), Ok(Target::Url(_))));
        for (text, message) in [
            ("", "empty"),
            ("0", "./0"),
            ("4294967296", "./4294967296"),
            ("ftp://a", "http://"),
            ("http://", "no valid URL"),
        ] {
            let error = text.parse::<Target>().unwrap_err();
            assert!(error.contains(message), "{text}: {error}");
        }
    }
}
