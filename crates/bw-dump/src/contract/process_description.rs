//! The answer that says which process an agent is in.

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::process::Process;
use crate::rfc3339::optional_milliseconds;

/// The value of the field `format`.
const FORMAT: &str = "backtrace-waker agent";

/// Which process an agent is in: the answer to [`PROCESS`](super::endpoints::PROCESS), as JSON.
///
/// | field | is |
/// |---|---|
/// | `format` | `"backtrace-waker agent"`, always |
/// | `version` | [`VERSION`](Self::VERSION): kept as long as readers of that number read right what is written |
/// | `package` | the version of the agent's package |
/// | `pid` | the number of the process, as it sees itself: in a container, the container's |
/// | `executable` | the file it was started from |
/// | `started_at` | when it started, as RFC 3339 in UTC; to about 10 ms |
/// | `tasks` | how many traced tasks there are |
/// | `agent_started_at` | when the agent started; `null` of a router in a server of the program |
/// | `tcp` | the address and the port on which the agent listens on TCP, such as `"127.0.0.1:6060"`; `null` if it does not |
///
/// Fields that are absent and fields that are `null` mean the same: not known, or does not apply. Readers ignore fields that they
/// do not know. A reader must not trust what is in it: any program can answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProcessDescription {
    format: String,
    version: u64,
    /// The version of the agent's package.
    pub package: Option<String>,
    /// The number of the process, as it sees itself.
    pub pid: Option<u32>,
    /// The file it was started from, as text.
    pub executable: Option<String>,
    /// When it started, to about 10 ms.
    #[serde(default, with = "optional_milliseconds")]
    pub started_at: Option<SystemTime>,
    /// How many traced tasks there are.
    pub tasks: Option<u64>,
    /// When the agent started. `None` for a router in a server of the program.
    #[serde(default, with = "optional_milliseconds")]
    pub agent_started_at: Option<SystemTime>,
    /// The address on which the agent also listens.
    pub tcp: Option<SocketAddr>,
}

impl ProcessDescription {
    /// The version of the answer that is written, and the newest that is read.
    pub const VERSION: u64 = 1;

    /// Describes a process. Set what is known beside it.
    #[must_use]
    pub fn new(process: &Process) -> Self {
        Self {
            format: FORMAT.into(),
            version: Self::VERSION,
            package: None,
            pid: Some(process.pid),
            executable: process.executable.as_ref().map(|path| path.to_string_lossy().into_owned()),
            started_at: process.started_at,
            tasks: None,
            agent_started_at: None,
            tcp: None,
        }
    }

    /// Returns the description as JSON, with a line feed at the end.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        // Neither a map with keys that are no text, nor an implementation that fails.
        let mut json = serde_json::to_vec(self).unwrap_or_default();
        json.push(b'\n');
        json
    }

    /// Reads the answer of an agent.
    ///
    /// # Errors
    ///
    /// When the text is not the answer of an agent, or is of a later version.
    pub fn from_json(json: &[u8]) -> Result<Self, InvalidProcessDescription> {
        /// What every version has.
        #[derive(Deserialize)]
        struct Head {
            format: String,
            version: u64,
        }

        let head: Head = serde_json::from_slice(json).map_err(|_| InvalidProcessDescription::NotAnAgent)?;
        if head.format != FORMAT {
            return Err(InvalidProcessDescription::NotAnAgent);
        }
        if head.version > Self::VERSION {
            return Err(InvalidProcessDescription::NewerVersion(head.version));
        }
        serde_json::from_slice(json).map_err(|_| InvalidProcessDescription::NotAnAgent)
    }
}

/// The error of an answer that is not a [`ProcessDescription`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidProcessDescription {
    /// The answer does not come from an agent.
    NotAnAgent,
    /// The agent is newer than this reader, which does not know this version of the answer.
    NewerVersion(u64),
}

impl fmt::Display for InvalidProcessDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnAgent => f.write_str("the answer does not come from an agent"),
            Self::NewerVersion(version) => write!(
                f,
                "the agent is newer (version {version}) than this program (version {})",
                ProcessDescription::VERSION
            ),
        }
    }
}

impl Error for InvalidProcessDescription {}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut process = Process::new(7);
        process.executable = Some("/srv/shop".into());
        process.started_at = Some(SystemTime::UNIX_EPOCH + Duration::from_millis(1_789_990_000_120));
        let mut description = ProcessDescription::new(&process);
        description.tasks = Some(3);
        description.tcp = Some(([127, 0, 0, 1], 6060).into());
        let json = description.to_json();
        assert_eq!(ProcessDescription::from_json(&json), Ok(description));
        assert_eq!(
            std::str::from_utf8(&json),
            Ok("{\"format\":\"backtrace-waker agent\",\"version\":1,\"package\":null,\"pid\":7,\
                \"executable\":\"/srv/shop\",\"started_at\":\"2026-09-21T11:26:40.120Z\",\"tasks\":3,\
                \"agent_started_at\":null,\"tcp\":\"127.0.0.1:6060\"}\n")
        );
    }

    #[test]
    fn only_answers_of_agents_are_read() {
        let json = br#"{"format":"backtrace-waker agent","version":1,"pid":7,"tasks":3,"more":[]}"#;
        let description = ProcessDescription::from_json(json).unwrap();
        assert_eq!((description.pid, description.tasks, description.executable), (Some(7), Some(3), None));
        use InvalidProcessDescription::{NewerVersion, NotAnAgent};
        for (json, error) in [
            (&br#"{"format":"backtrace-waker agent","version":2}"#[..], NewerVersion(2)),
            (br#"{"format":"backtrace-waker agent","version":2,"pid":"seven"}"#, NewerVersion(2)),
            (br#"{"format":"something","version":1}"#, NotAnAgent),
            (br#"{"version":1}"#, NotAnAgent),
            (b"<html>", NotAnAgent),
            (b"", NotAnAgent),
            (br#"{"format":"backtrace-waker agent","version":1,"pid":-7}"#, NotAnAgent),
            (br#"{"format":"backtrace-waker agent","version":1,"started_at":"yesterday"}"#, NotAnAgent),
        ] {
            assert_eq!(ProcessDescription::from_json(json), Err(error));
        }
    }
}
